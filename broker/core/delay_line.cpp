#include "broker/core/delay_line.hpp"

#include "broker/core/publish_properties.hpp"
#include "framework/amqp/properties.hpp"
#include "framework/amqp/table_codec.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <limits>

namespace lovage::broker {
namespace {

constexpr octets delay_header = "x-delay";
constexpr octets due_header = "x-lovage-due";
/// The names as they are encoded, with the length in front: a cheap look for a message that may
/// have one of them.
constexpr octets encoded_delay{"\7x-delay", 8};
constexpr octets encoded_due{"\14x-lovage-due", 13};

/// Later in the heap, which has its greatest in front.
bool later(const delay_line::waiting_message& left, const delay_line::waiting_message& right) {
    return left.due_ms != right.due_ms ? left.due_ms > right.due_ms
                                       : left.body->id() > right.body->id();
}

using whole_limits = std::numeric_limits<std::int64_t>;

std::optional<std::int64_t> whole_of(double fraction) {
    constexpr double bound = 9.2e18;  // converting more is not defined
    if (std::isnan(fraction)) {
        return std::nullopt;
    }
    if (std::abs(fraction) >= bound) {
        return fraction > 0 ? whole_limits::max() : whole_limits::min();
    }
    return static_cast<std::int64_t>(fraction);
}

std::optional<std::int64_t> whole_of(octets text) {
    std::int64_t read = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, read);
    if (stop != end || error == std::errc::invalid_argument) {
        return std::nullopt;
    }
    if (error == std::errc::result_out_of_range) {
        return text.starts_with('-') ? whole_limits::min() : whole_limits::max();
    }
    return read;
}

/// A header's number; what is beyond 64 bits is the most there is. RabbitMQ's plugin takes decimal
/// text and fractions too.
std::optional<std::int64_t> number(const amqp::table& headers, octets name) {
    const amqp::field_value* value = headers.find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (const auto* wide = value->as<amqp::unsigned_long>();
        wide != nullptr && wide->value > static_cast<std::uint64_t>(whole_limits::max())) {
        return whole_limits::max();
    }
    if (const auto whole = value->integer()) {
        return whole;
    }
    if (const auto* wide = value->as<double>()) {
        return whole_of(*wide);
    }
    if (const auto* narrow = value->as<float>()) {
        return whole_of(static_cast<double>(*narrow));
    }
    const auto text = value->text();
    return text ? whole_of(*text) : std::nullopt;
}

}  // namespace

void delay_line::add(message_ptr body, std::uint64_t due_ms) {
    waiting_.push_back({due_ms, std::move(body)});
    std::ranges::push_heap(waiting_, later);
}

message_ptr delay_line::pop() {
    std::ranges::pop_heap(waiting_, later);
    message_ptr next = std::move(waiting_.back().body);
    waiting_.pop_back();
    if (waiting_.empty()) {
        waiting_.shrink_to_fit();  // a great wave is over
    }
    return next;
}

void delay_line::check_invariants() const {
    assert(std::ranges::is_heap(waiting_, later));
}

std::optional<std::uint64_t> due_at_ms(octets properties, std::uint64_t now_ms) {
    if (properties.find(encoded_delay) == octets::npos &&
        properties.find(encoded_due) == octets::npos) {
        return std::nullopt;
    }
    const auto known = amqp::scan_properties(properties);
    if (!known || !known->headers) {
        return std::nullopt;
    }
    bool ok = true;
    const amqp::table headers = amqp::read_table_content(*known->headers, ok);
    if (const auto due = number(headers, due_header)) {
        const bool later_than_now = *due > 0 && static_cast<std::uint64_t>(*due) > now_ms;
        return later_than_now ? std::optional{static_cast<std::uint64_t>(*due)} : std::nullopt;
    }
    const auto delay = number(headers, delay_header);
    if (!delay || *delay <= 0) {
        return std::nullopt;
    }
    constexpr std::uint64_t latest = std::numeric_limits<std::int64_t>::max();
    return std::min(latest, now_ms + static_cast<std::uint64_t>(*delay));
}

std::optional<byte_buffer> due_properties(octets properties, std::vector<std::string>& copies) {
    auto known = amqp::read_properties(properties);
    if (!known || !known->headers) {
        return std::nullopt;
    }
    amqp::table& headers = *known->headers;
    if (const auto delay = number(headers, delay_header); delay && *delay > 0) {
        constexpr std::int64_t narrow = std::numeric_limits<std::int32_t>::max();
        // As the plugin writes it, where that has room for it.
        headers.set(
            delay_header,
            *delay <= narrow ? amqp::field_value(static_cast<std::int32_t>(-*delay))
                             : amqp::field_value(-*delay));
    }
    append_copies(headers, copies);
    headers.erase("BCC");
    byte_buffer encoded;
    amqp::write_properties(encoded, *known);
    return encoded;
}

}  // namespace lovage::broker
