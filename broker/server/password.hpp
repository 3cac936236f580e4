// Passwords and what is kept of them: a text `scrypt$N$r$p$salt$hash` with everything that is
// needed to check a password, salt and hash in base64. Slow on purpose: called on the password
// thread, never on the node's. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lovage::broker {

/// What the hash costs: 128 * N * r octets of memory, and about 50 ms with these.
struct scrypt_cost {
    std::uint64_t n = 1U << 14U;
    std::uint64_t r = 8;
    std::uint64_t p = 1;
};

/// Takes a fresh salt; nothing if OpenSSL cannot.
[[nodiscard]] std::optional<std::string> make_verifier(
    std::string_view password,
    const scrypt_cost& cost = {});

/// False also for what is no verifier; that takes as long as a wrong password.
[[nodiscard]] bool fits_verifier(std::string_view password, std::string_view verifier);

/// Of the right form, and not so costly that checking it would stop the broker. Fast.
[[nodiscard]] bool is_verifier(std::string_view text);

/// HMAC-SHA256 of verifier and password under `key`: tells that this pair was seen before. Fast.
[[nodiscard]] std::string login_mark(
    std::string_view key,
    std::string_view verifier,
    std::string_view password);

}  // namespace lovage::broker
