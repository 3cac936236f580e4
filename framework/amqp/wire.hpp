// Reading and writing the elementary types of AMQP 0-9-1 (specification 4.2.5): numbers in network
// order, short strings with one octet of length, long strings with four.
// The reader is sticky: after the first failure every read gives nothing, so callers read all
// fields and check once. Each length is checked against what is left before it is used.
#pragma once

#include "framework/base/bytes.hpp"

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace lovage::amqp {

template <std::unsigned_integral Number>
[[nodiscard]] inline Number big_endian(Number value) {
    if constexpr (sizeof(Number) == 1 || std::endian::native == std::endian::big) {
        return value;
    } else if constexpr (sizeof(Number) == 2) {
        return __builtin_bswap16(value);
    } else if constexpr (sizeof(Number) == 4) {
        return __builtin_bswap32(value);
    } else {
        return __builtin_bswap64(value);
    }
}

class wire_reader {
public:
    explicit wire_reader(octets input) : rest_(input) {}

    /// False from the first read that went past the end, or from fail() on.
    [[nodiscard]] bool ok() const { return !failed_; }
    [[nodiscard]] octets rest() const { return rest_; }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    void fail() {
        failed_ = true;
        rest_ = {};
    }

    template <std::unsigned_integral Number>
    Number number() {
        Number value{};
        if (rest_.size() < sizeof value) {
            fail();
            return 0;
        }
        std::memcpy(&value, rest_.data(), sizeof value);
        rest_.remove_prefix(sizeof value);
        return big_endian(value);
    }
    /// A view of the next `count` octets; valid as long as the input is.
    octets take(std::size_t count) {
        if (rest_.size() < count) {
            fail();
            return {};
        }
        const octets taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }
    octets short_string() { return take(number<std::uint8_t>()); }
    octets long_string() { return take(number<std::uint32_t>()); }

private:
    octets rest_;
    bool failed_ = false;
};

template <std::unsigned_integral Number>
inline void write_number(byte_buffer& out, Number value) {
    value = big_endian(value);
    std::memcpy(out.prepare(sizeof value), &value, sizeof value);
    out.commit(sizeof value);
}
/// Longest short string: names, most properties, names in tables.
inline constexpr std::size_t short_string_max = 255;
/// `text` is cut to short_string_max octets; who must not lose any looks before.
inline void write_short_string(byte_buffer& out, octets text) {
    const auto size =
        static_cast<std::uint8_t>(text.size() > short_string_max ? short_string_max : text.size());
    write_number(out, size);
    out.append(text.substr(0, size));
}
inline void write_long_string(byte_buffer& out, octets text) {
    write_number(out, static_cast<std::uint32_t>(text.size()));
    out.append(text);
}
/// Puts a number in front of what was written since: patches the four octets at `offset`.
inline void patch_size(byte_buffer& out, std::size_t offset, std::size_t value) {
    const auto wire = big_endian(static_cast<std::uint32_t>(value));
    std::memcpy(out.at(offset), &wire, sizeof wire);
}

/// True for well-formed UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF).
[[nodiscard]] bool is_utf8(octets text);

}  // namespace lovage::amqp
