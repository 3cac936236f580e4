#include "tests/framework/amqp/support.hpp"

#include <array>

namespace lovage::amqp::testing {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr int nesting_max = 3;
constexpr std::size_t alternatives_without_nesting = std::variant_size_v<field_value::variant> - 2;

std::string named(std::size_t number) {
    return "n" + std::to_string(number);
}

}  // namespace

std::string from_hex(std::string_view text) {
    std::string out;
    unsigned pending = 0;
    int digits = 0;
    for (const char c : text) {
        const auto digit = hex_digits.find(c);
        if (digit == std::string_view::npos) {
            continue;
        }
        pending = pending * 16 + static_cast<unsigned>(digit);
        if (++digits == 2) {
            out += static_cast<char>(pending);
            pending = 0;
            digits = 0;
        }
    }
    return out;
}

std::string to_hex(octets bytes) {
    std::string out;
    for (const char c : bytes) {
        const auto octet = static_cast<unsigned char>(c);
        out += hex_digits[octet >> 4U];
        out += hex_digits[octet & 15U];
    }
    return out;
}

std::string random_source::text(std::size_t most) {
    static constexpr std::array<std::string_view, 8> characters{
        "a", "Z", "0", ".", "#", "\u00e9", "\u20ac", "\U0001F600"};
    std::string out;
    for (std::size_t count = below(most + 1); count > 0; --count) {
        out += characters[below(characters.size())];
    }
    return out;
}

std::string random_source::octet_string(std::size_t most) {
    std::string out(below(most + 1), '\0');
    for (char& c : out) {
        c = static_cast<char>(bits());
    }
    return out;
}

table random_source::any_table(dialect as, int depth) {
    table result;
    for (std::size_t count = below(6); count > 0; --count) {
        result.add(one_in(4) ? text(20) : named(below(4)), any_value(as, depth));
    }
    return result;
}

field_value random_source::any_value(dialect as, int depth) {
    const std::size_t nested = depth < nesting_max ? 2 : 0;
    switch (below(alternatives_without_nesting + nested)) {
        case 0: return {};
        case 1: return one_in(2);
        case 2: return static_cast<std::int8_t>(bits());
        case 3: return static_cast<std::uint8_t>(bits());
        case 4: return static_cast<std::int16_t>(bits());
        case 5: return static_cast<std::uint16_t>(bits());
        case 6: return static_cast<std::int32_t>(bits());
        case 7: return static_cast<std::uint32_t>(bits());
        case 8: return static_cast<std::int64_t>(bits());
        case 9: return unsigned_long{bits()};
        // No random bits for these two: a NaN would not equal itself.
        case 10: return static_cast<float>(below(1000)) / 8;
        case 11: return static_cast<double>(below(100000)) / -16;
        case 12: return decimal{static_cast<std::uint8_t>(bits()), static_cast<int>(bits())};
        case 13: return text(30);
        case 14: return byte_array{octet_string(30)};
        case 15:
            // RabbitMQ's dialect writes it as a long string.
            return as == dialect::rabbitmq ? field_value{text(5)} : short_text{text(20)};
        case 16: return timestamp{bits()};
        case 17: {
            field_array elements;
            for (std::size_t count = below(5); count > 0; --count) {
                elements.push_back(any_value(as, depth + 1));
            }
            return elements;
        }
        default: return any_table(as, depth + 1);
    }
}

std::string random_source::corrupted(std::string bytes) {
    for (std::size_t count = 1 + below(3); count > 0; --count) {
        const std::size_t at = below(bytes.size() + 1);
        switch (below(4)) {
            case 0: bytes.insert(at, 1, static_cast<char>(bits())); break;
            case 1: bytes.erase(at, 1); break;
            case 2: bytes.resize(at); break;
            default:
                if (at < bytes.size()) {
                    bytes[at] = static_cast<char>(bits());
                }
        }
    }
    return bytes;
}

}  // namespace lovage::amqp::testing
