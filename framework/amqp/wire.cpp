#include "framework/amqp/wire.hpp"

namespace lovage::amqp {
namespace {

/// Octets of the sequence that starts with `first`, 0 if none does.
int sequence_length(unsigned first) {
    if (first >= 0xC2 && first <= 0xDF) {
        return 2;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        return 3;
    }
    return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

/// The second octet's range excludes overlong forms, surrogates and what lies above U+10FFFF.
bool second_fits(unsigned first, unsigned second) {
    switch (first) {
        case 0xE0: return second >= 0xA0 && second <= 0xBF;
        case 0xED: return second >= 0x80 && second <= 0x9F;
        case 0xF0: return second >= 0x90 && second <= 0xBF;
        case 0xF4: return second >= 0x80 && second <= 0x8F;
        default: return second >= 0x80 && second <= 0xBF;
    }
}

}  // namespace

bool is_utf8(octets text) {
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    std::size_t i = 0;
    while (i < text.size()) {
        std::uint64_t word = 0;
        if (text.size() - i >= sizeof word) {
            std::memcpy(&word, text.data() + i, sizeof word);
            if ((word & 0x8080808080808080ULL) == 0) {
                i += sizeof word;
                continue;
            }
        }
        if (octet(i) < 0x80) {
            ++i;
            continue;
        }
        const auto length = static_cast<std::size_t>(sequence_length(octet(i)));
        if (length == 0 || text.size() - i < length || !second_fits(octet(i), octet(i + 1))) {
            return false;
        }
        for (std::size_t k = 2; k < length; ++k) {
            if ((octet(i + k) & 0xC0U) != 0x80) {
                return false;
            }
        }
        i += length;
    }
    return true;
}

}  // namespace lovage::amqp
