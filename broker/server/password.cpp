#include "broker/server/password.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>
#include <vector>

namespace lovage::broker {
namespace {

constexpr std::string_view scheme = "scrypt";
constexpr std::size_t salt_octets = 16;
constexpr std::size_t hash_octets = 32;
/// Verifiers may come from elsewhere (password_hash of the management API).
constexpr std::uint64_t memory_octets_max = 64ULL * 1024 * 1024;
constexpr std::uint64_t parallel_max = 4;
constexpr std::size_t salt_octets_max = 64;

using octet_string = std::vector<unsigned char>;

std::string base64(const octet_string& octets) {
    std::string text((octets.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(text.data()),
        octets.data(),
        static_cast<int>(octets.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

std::optional<octet_string> base64_decoded(std::string_view text) {
    octet_string octets(text.size() / 4 * 3 + 3);
    const int size = EVP_DecodeBlock(
        octets.data(),
        reinterpret_cast<const unsigned char*>(text.data()),
        static_cast<int>(text.size()));
    if (size < 0 || text.size() % 4 != 0 || text.empty()) {
        return std::nullopt;
    }
    const std::size_t padding = text.ends_with("==") ? 2 : (text.ends_with('=') ? 1 : 0);
    octets.resize(static_cast<std::size_t>(size) - padding);
    return octets;
}

struct parsed_verifier {
    scrypt_cost cost;
    octet_string salt;
    octet_string hash;
};

bool affordable(const scrypt_cost& cost) {
    const bool power_of_two = cost.n >= 2 && (cost.n & (cost.n - 1)) == 0;
    return power_of_two && cost.r >= 1 && cost.p >= 1 && cost.p <= parallel_max &&
           cost.n <= memory_octets_max && cost.r <= memory_octets_max &&
           128 * cost.n * cost.r <= memory_octets_max;
}

std::optional<parsed_verifier> parse(std::string_view text) {
    std::array<std::string_view, 6> parts;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::size_t end = text.find('$');
        if ((end == std::string_view::npos) != (i + 1 == parts.size())) {
            return std::nullopt;
        }
        parts[i] = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    parsed_verifier parsed;
    std::uint64_t* const numbers[] = {&parsed.cost.n, &parsed.cost.r, &parsed.cost.p};
    for (std::size_t i = 0; i < std::size(numbers); ++i) {
        const std::string_view part = parts[i + 1];
        const auto [end, error] =
            std::from_chars(part.data(), part.data() + part.size(), *numbers[i]);
        if (error != std::errc{} || end != part.data() + part.size()) {
            return std::nullopt;
        }
    }
    auto salt = base64_decoded(parts[4]);
    auto hash = base64_decoded(parts[5]);
    if (parts[0] != scheme || !affordable(parsed.cost) || !salt || !hash ||
        salt->size() > salt_octets_max || hash->size() != hash_octets) {
        return std::nullopt;
    }
    parsed.salt = std::move(*salt);
    parsed.hash = std::move(*hash);
    return parsed;
}

std::optional<octet_string> scrypt(
    std::string_view password,
    const octet_string& salt,
    const scrypt_cost& cost) {
    octet_string hash(hash_octets);
    const bool made = EVP_PBE_scrypt(
                          password.data(),
                          password.size(),
                          salt.data(),
                          salt.size(),
                          cost.n,
                          cost.r,
                          cost.p,
                          2 * memory_octets_max,
                          hash.data(),
                          hash.size()) == 1;
    return made ? std::optional{std::move(hash)} : std::nullopt;
}

/// For those who are not there: nobody's password.
const parsed_verifier& nobody() {
    static const parsed_verifier of_nobody{
        {}, octet_string(salt_octets, 0), octet_string(hash_octets, 0)};
    return of_nobody;
}

}  // namespace

std::optional<std::string> make_verifier(std::string_view password, const scrypt_cost& cost) {
    octet_string salt(salt_octets);
    if (RAND_bytes(salt.data(), static_cast<int>(salt.size())) != 1) {
        return std::nullopt;
    }
    const auto hash = scrypt(password, salt, cost);
    if (!hash) {
        return std::nullopt;
    }
    std::string text{scheme};
    for (const std::uint64_t number : {cost.n, cost.r, cost.p}) {
        text += '$' + std::to_string(number);
    }
    return text + '$' + base64(salt) + '$' + base64(*hash);
}

bool fits_verifier(std::string_view password, std::string_view verifier) {
    const auto parsed = parse(verifier);
    const parsed_verifier& wanted = parsed ? *parsed : nobody();
    const auto hash = scrypt(password, wanted.salt, wanted.cost);
    return hash && CRYPTO_memcmp(hash->data(), wanted.hash.data(), hash_octets) == 0 && parsed;
}

bool is_verifier(std::string_view text) {
    return parse(text).has_value();
}

std::string login_mark(std::string_view key, std::string_view verifier, std::string_view password) {
    std::string both = std::to_string(verifier.size()) + ':';
    both += verifier;
    both += password;
    std::string mark(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    HMAC(
        EVP_sha256(),
        key.data(),
        static_cast<int>(key.size()),
        reinterpret_cast<const unsigned char*>(both.data()),
        both.size(),
        reinterpret_cast<unsigned char*>(mark.data()),
        &size);
    OPENSSL_cleanse(both.data(), both.size());
    mark.resize(size);
    return mark;
}

}  // namespace lovage::broker
