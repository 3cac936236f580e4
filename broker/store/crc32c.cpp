#include "broker/store/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace lovage::broker::store {
namespace {

// The reversed Castagnoli polynomial, RFC 3720 appendix B.4.
constexpr std::uint32_t polynomial = 0x82F63B78U;
constexpr std::size_t slices = 8;
using table = std::array<std::array<std::uint32_t, 256>, slices>;

// Eight tables take eight octets a step ("slicing by eight"); table k holds the effect of an
// octet followed by k zeros.
constexpr table make_table() {
    table made{};
    for (std::uint32_t octet = 0; octet < 256; ++octet) {
        std::uint32_t crc = octet;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1) ^ ((crc & 1U) != 0 ? polynomial : 0);
        }
        made[0][octet] = crc;
    }
    for (std::size_t slice = 1; slice < slices; ++slice) {
        for (std::size_t octet = 0; octet < 256; ++octet) {
            const std::uint32_t shorter = made[slice - 1][octet];
            made[slice][octet] = (shorter >> 8) ^ made[0][shorter & 0xFFU];
        }
    }
    return made;
}

constexpr table tables = make_table();

std::uint32_t one_octet(std::uint32_t crc, char octet) {
    return (crc >> 8) ^ tables[0][(crc ^ static_cast<unsigned char>(octet)) & 0xFFU];
}

}  // namespace

std::uint32_t crc32c_by_table(octets bytes, std::uint32_t before) {
    std::uint32_t crc = ~before;
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= slices; at += slices, left -= slices) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, sizeof word);
        word ^= crc;
        crc = 0;
        for (std::size_t slice = 0; slice < slices; ++slice) {
            crc ^= tables[slices - 1 - slice][(word >> (8 * slice)) & 0xFFU];
        }
    }
    for (; left != 0; ++at, --left) {
        crc = one_octet(crc, *at);
    }
    return ~crc;
}

#if defined(__x86_64__)

bool crc32c_has_hardware() {
    static const bool present = __builtin_cpu_supports("sse4.2") != 0;
    return present;
}

__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_hardware(
    octets bytes,
    std::uint32_t before) {
    std::uint64_t crc = ~before;
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= sizeof(std::uint64_t); at += 8, left -= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, sizeof word);
        crc = _mm_crc32_u64(crc, word);
    }
    auto narrow = static_cast<std::uint32_t>(crc);
    for (; left != 0; ++at, --left) {
        narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(*at));
    }
    return ~narrow;
}

#else

bool crc32c_has_hardware() {
    return false;
}
std::uint32_t crc32c_by_hardware(octets bytes, std::uint32_t before) {
    return crc32c_by_table(bytes, before);
}

#endif

std::uint32_t crc32c(octets bytes, std::uint32_t before) {
    static const auto best = crc32c_has_hardware() ? crc32c_by_hardware : crc32c_by_table;
    return best(bytes, before);
}

}  // namespace lovage::broker::store
