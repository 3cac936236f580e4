#include "broker/core/publish_properties.hpp"

#include "broker/core/direct_reply.hpp"
#include "framework/amqp/table_codec.hpp"

#include <charconv>

namespace lovage::broker {
namespace {

constexpr std::uint64_t expiration_ms_max = 315'360'000'000;  // ten years

fault invalid_expiration(octets text, const std::string& why) {
    return channel_fault(
        amqp::reply_code::precondition_failed,
        "invalid expiration '" + std::string(text) + "': " + why);
}

/// The headers whose values are further routing keys, encoded with the length in front: not one of
/// these octets in the encoded table means that the header is not there.
constexpr octets carbon_copy{"\2CC", 3};
constexpr octets blind_copy{"\3BCC", 4};

fault add_copies(const amqp::table& headers, octets name, std::vector<std::string>& into) {
    const amqp::field_value* value = headers.find(name);
    if (value == nullptr) {
        return no_fault;
    }
    const auto* keys = value->as<amqp::field_array>();
    if (keys == nullptr) {
        return channel_fault(
            amqp::reply_code::precondition_failed,
            "invalid message: {unacceptable_type_in_header,\"" + std::string(name) + "\"," +
                std::string(value->type_name()) + "}");
    }
    for (const amqp::field_value& key : *keys) {
        if (const auto* text = key.as<std::string>()) {
            into.push_back(*text);
        }
    }
    return no_fault;
}

fault read_copies(octets encoded_headers, publish_properties& into) {
    const bool blind = encoded_headers.find(blind_copy) != octets::npos;
    if (!blind && encoded_headers.find(carbon_copy) == octets::npos) {
        return no_fault;
    }
    bool ok = true;
    amqp::table headers = amqp::read_table_content(encoded_headers, ok);
    if (fault wrong = add_copies(headers, "CC", into.copies)) {
        return wrong;
    }
    if (fault wrong = add_copies(headers, "BCC", into.copies)) {
        return wrong;
    }
    if (blind && headers.find("BCC") != nullptr) {
        headers.erase("BCC");
        byte_buffer table;
        amqp::write_table(table, headers);
        byte_buffer rewritten;
        amqp::write_properties_with_headers(rewritten, into.encoded, table.view().substr(4));
        into.complete = into.encoded;
        into.without_blind = std::move(rewritten);
        into.encoded = into.without_blind.view();
    }
    return no_fault;
}

/// Puts the channel's address where the client wrote the name that stands for it.
void replace_reply_to(octets old, octets address, publish_properties& into) {
    const octets before =
        into.encoded.substr(0, static_cast<std::size_t>(old.data() - into.encoded.data()) - 1);
    const octets behind = into.encoded.substr(before.size() + 1 + old.size());
    byte_buffer rewritten;
    rewritten.append(before);
    amqp::write_short_string(rewritten, address);
    rewritten.append(behind);
    into.rewritten = std::move(rewritten);
    into.encoded = into.rewritten.view();
}

}  // namespace

fault read_expiration(octets text, std::uint64_t& milliseconds) {
    octets digits = text;
    const bool negative = digits.starts_with('-');
    if (negative || digits.starts_with('+')) {
        digits.remove_prefix(1);
    }
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (end == digits.data()) {
        return invalid_expiration(text, "no_integer");
    }
    const octets left = digits.substr(static_cast<std::size_t>(end - digits.data()));
    const std::string shown{digits.substr(0, digits.size() - left.size())};
    if (!left.empty()) {
        return invalid_expiration(text, "{leftover_string,\"" + std::string(left) + "\"}");
    }
    if (negative && value != 0) {
        return invalid_expiration(text, "{value_negative,-" + shown + "}");
    }
    if (error != std::errc{} || value > expiration_ms_max) {
        return invalid_expiration(text, "{value_too_large," + shown + "}");
    }
    milliseconds = value;
    return no_fault;
}

void append_copies(const amqp::table& headers, std::vector<std::string>& into) {
    for (const octets name : {"CC", "BCC"}) {
        static_cast<void>(add_copies(headers, name, into));
    }
}

fault read_publish_properties(
    octets encoded,
    const amqp::properties_view& known,
    const publisher& by,
    publish_properties& into) {
    using amqp::reply_code;
    into.encoded = encoded;
    if (known.reply_to == reply_to_name) {
        if (by.reply_address.empty()) {
            return channel_fault(
                reply_code::precondition_failed, "fast reply consumer does not exist");
        }
        replace_reply_to(*known.reply_to, by.reply_address, into);
    }
    if (known.user_id && *known.user_id != by.user_name) {
        return channel_fault(
            reply_code::precondition_failed,
            "user_id property set to '" + std::string(*known.user_id) +
                "' but authenticated user was '" + std::string(by.user_name) + "'");
    }
    if (known.expiration) {
        if (fault wrong = read_expiration(*known.expiration, into.expiration_ms)) {
            return wrong;
        }
    }
    if (known.delivery_mode != amqp::delivery_mode_transient &&
        known.delivery_mode != amqp::delivery_mode_persistent) {
        return channel_fault(
            reply_code::precondition_failed,
            "invalid message: {delivery_mode_unknown," + std::to_string(known.delivery_mode) + "}");
    }
    into.persistent = known.delivery_mode == amqp::delivery_mode_persistent;
    into.priority = known.priority.value_or(0);
    return known.headers ? read_copies(*known.headers, into) : no_fault;
}

}  // namespace lovage::broker
