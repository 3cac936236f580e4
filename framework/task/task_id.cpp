#include "framework/task/task_id.hpp"

#include <string_view>

namespace lovage {

namespace {

/// Steps of the two counters: odd, so that each runs through all 2^64 values.
constexpr std::uint64_t step_high = 0x9E3779B97F4A7C15U;
constexpr std::uint64_t step_low = 0xD1342543DE82EF95U;

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads every bit.
std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31U);
}

char* put_hex(char* out, std::uint64_t bits, int digits) {
    constexpr std::string_view hex = "0123456789abcdef";
    for (int i = digits - 1; i >= 0; --i) {
        out[i] = hex[bits & 15U];
        bits >>= 4U;
    }
    return out + digits + 1;
}

}  // namespace

std::uint64_t task_id_generator::random() {
    high_ += step_high;
    low_ += step_low;
    return mix(high_ ^ mix(low_));
}

std::string task_id_generator::next() {
    const std::uint64_t first = random();
    const std::uint64_t second = mix(low_ + first);
    std::string id(36, '-');
    char* at = put_hex(id.data(), first >> 32U, 8);
    at = put_hex(at, first >> 16U, 4);
    at = put_hex(at, (first & 0x0FFFU) | 0x4000U, 4);          // version 4
    at = put_hex(at, (second >> 48U & 0x3FFFU) | 0x8000U, 4);  // variant 1
    put_hex(at, second, 12);
    return id;
}

}  // namespace lovage
