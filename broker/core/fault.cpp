#include "broker/core/fault.hpp"

#include <algorithm>

namespace lovage::broker {
namespace {

constexpr std::size_t printed_octets_max = 16;

}  // namespace

std::string reply_text(const fault& what) {
    std::string text{amqp::reply_code_name(what.code)};
    if (!what.text.empty()) {
        text += " - " + what.text;
    }
    if (text.size() > amqp::short_string_octets_max) {
        text.resize(252);
        text += "...";
    }
    return text;
}

std::string printed_octets(octets value) {
    const auto printable = [](char c) { return c >= 0x20 && c < 0x7F; };
    if (!value.empty() && std::ranges::all_of(value, printable)) {
        return "<<\"" + std::string(value) + "\">>";
    }
    std::string text = "<<";
    for (const char c : value) {
        if (text.size() > 2) {
            text += ',';
        }
        text += std::to_string(static_cast<unsigned char>(c));
    }
    return text + ">>";
}

std::string printed_frame(unsigned type, octets payload) {
    std::string text = "type " + std::to_string(type);
    if (payload.size() <= printed_octets_max) {
        return text + ", all octets = " + printed_octets(payload);
    }
    return text + ", first 16 octets = " + printed_octets(payload.substr(0, printed_octets_max));
}

}  // namespace lovage::broker
