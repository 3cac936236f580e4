#include "framework/app/message_codec.hpp"

#include "framework/amqp/properties.hpp"
#include "framework/amqp/wire.hpp"
#include "framework/app/publication.hpp"
#include "framework/task/header_values.hpp"

#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace lovage {
namespace {

std::optional<std::string> if_set(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

void set_if(std::string& to, const std::optional<std::string>& from) {
    if (from) {
        to = *from;
    }
}

bool names_fit(const boost::json::value& value) {
    if (const auto* list = value.if_array()) {
        return std::all_of(list->begin(), list->end(), names_fit);
    }
    if (const auto* object = value.if_object()) {
        return std::all_of(object->begin(), object->end(), [](const auto& member) {
            return member.key().size() <= amqp::short_string_max && names_fit(member.value());
        });
    }
    return true;
}

client::problem too_long(const char* what) {
    return {
        broker_errc::invalid_argument,
        0,
        std::string(what) + " is longer than " + std::to_string(amqp::short_string_max) +
            " octets"};
}

}  // namespace

std::optional<client::problem> check_properties(const message& what) {
    const std::array<std::pair<const char*, const std::string*>, 8> texts{{
        {"the content type", &what.content_type},
        {"the content encoding", &what.content_encoding},
        {"the correlation id", &what.correlation_id},
        {"reply_to", &what.reply_to},
        {"the message id", &what.message_id},
        {"the type", &what.type},
        {"the user id", &what.user_id},
        {"the app id", &what.app_id},
    }};
    for (const auto& [name, text] : texts) {
        if (text->size() > amqp::short_string_max) {
            return too_long(name);
        }
    }
    for (const auto& header : what.headers) {
        if (header.key().size() > amqp::short_string_max || !names_fit(header.value())) {
            return too_long("a header's name");
        }
    }
    return std::nullopt;
}

amqp::table table_of(const boost::json::object& from) {
    amqp::table to;
    for (const auto& [name, value] : from) {
        to.add(std::string(name), header_from_json(value));
    }
    return to;
}

std::string properties_of(const message& from) {
    amqp::basic_properties to;
    to.content_type = if_set(from.content_type);
    to.content_encoding = if_set(from.content_encoding);
    if (!from.headers.empty()) {
        to.headers = table_of(from.headers);
    }
    to.delivery_mode =
        from.persistent ? amqp::delivery_mode_persistent : amqp::delivery_mode_transient;
    to.priority = from.priority;
    to.correlation_id = if_set(from.correlation_id);
    to.reply_to = if_set(from.reply_to);
    if (from.expiration) {
        to.expiration = std::to_string(from.expiration->count());
    }
    to.message_id = if_set(from.message_id);
    to.timestamp = from.timestamp;
    to.type = if_set(from.type);
    to.user_id = if_set(from.user_id);
    to.app_id = if_set(from.app_id);
    return encode_properties(to);
}

bool read_properties_into(octets encoded, message& to) {
    const auto from = amqp::read_properties(encoded);
    if (!from) {
        return false;
    }
    set_if(to.content_type, from->content_type);
    set_if(to.content_encoding, from->content_encoding);
    if (from->headers) {
        for (const auto& [name, value] : *from->headers) {
            to.headers[name] = header_to_json(value);
        }
    }
    to.persistent = from->delivery_mode == amqp::delivery_mode_persistent;
    to.priority = from->priority;
    set_if(to.correlation_id, from->correlation_id);
    set_if(to.reply_to, from->reply_to);
    if (from->expiration) {
        std::int64_t value = 0;
        const std::string& text = *from->expiration;
        if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{}) {
            to.expiration = std::chrono::milliseconds(value);
        }
    }
    set_if(to.message_id, from->message_id);
    to.timestamp = from->timestamp;
    set_if(to.type, from->type);
    set_if(to.user_id, from->user_id);
    set_if(to.app_id, from->app_id);
    return true;
}

}  // namespace lovage
