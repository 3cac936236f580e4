#include "broker/core/delay_line.hpp"

#include "broker/core/engine.hpp"
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

/// Of a page read at once: it is only what is due.
constexpr std::size_t slice_octets = 16 * 1024;

std::uint64_t memory_of(const message& body) {
    return sizeof(delay_line::waiting_message) + body.footprint();
}

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

std::optional<std::uint64_t> delay_line::next_due_ms() const {
    const page_key first = std::min(
        pages_.next_key(),
        waiting_.empty() ? no_key : page_key{waiting_.front().due_ms, waiting_.front().body->id()});
    return first == no_key ? std::nullopt : std::optional{first.first};
}

void delay_line::add(message_ptr body, std::uint64_t due_ms) {
    resident_octets_ += memory_of(*body);
    waiting_.push_back({due_ms, std::move(body)});
    std::ranges::push_heap(waiting_, later);
}

std::optional<message_ptr> delay_line::pop(std::uint64_t now_ms) {
    // What is on disk and due before anything in memory comes first.
    const page_key now{now_ms, no_key.first};
    while (pages_.next_key() <= now &&
           (waiting_.empty() ||
            pages_.next_key() < page_key{waiting_.front().due_ms, waiting_.front().body->id()})) {
        home_.owner().pages().load(
            pages_, now, slice_octets, [this](queued_message item, std::uint64_t due_ms) {
                add(std::move(item.body), due_ms);
            });
    }
    if (waiting_.empty() || waiting_.front().due_ms > now_ms) {
        return std::nullopt;
    }
    std::ranges::pop_heap(waiting_, later);
    message_ptr next = std::move(waiting_.back().body);
    waiting_.pop_back();
    resident_octets_ -= memory_of(*next);
    if (waiting_.empty()) {
        waiting_.shrink_to_fit();  // a great wave is over
    }
    return next;
}

void delay_line::page_out(page_builder& into, std::uint64_t keep) {
    // The heap in order is a heap as well.
    std::ranges::sort(waiting_, [](const auto& a, const auto& b) { return later(b, a); });
    std::uint64_t held = 0;
    std::size_t first = 0;
    while (first < waiting_.size() && (held < keep || waiting_[first].body->in_page != nullptr)) {
        held += memory_of(*waiting_[first].body);
        ++first;
    }
    std::uint64_t room = into.room();
    std::size_t begin = waiting_.size();
    bool alone = into.empty();  // one message goes, however large
    while (begin > first &&
           (std::exchange(alone, false) || room > memory_of(*waiting_[begin - 1].body))) {
        --begin;
        room -= std::min(room, memory_of(*waiting_[begin].body));
    }
    into.begin(nullptr, this, 0);
    for (const bool logged : {true, false}) {
        for (std::size_t i = begin; i < waiting_.size(); ++i) {
            const auto& [due_ms, body] = waiting_[i];
            if (body->in_page == nullptr && (body->durable_holders != 0) == logged) {
                into.add({body, 0, false}, due_ms, logged);
            }
        }
        into.end_page();
    }
}

void delay_line::paged_out(
    page& made,
    const std::vector<message_id>& ids,
    std::vector<queued_message>& gone) {
    boost::unordered_flat_map<message_id, std::uint32_t> places;
    for (const message_id each : ids) {
        places.emplace(each, static_cast<std::uint32_t>(places.size()));
    }
    struct taken {
        std::uint32_t place = 0;
        std::uint64_t due_ms = 0;
        message_ptr body;
    };
    std::vector<taken> found;
    std::erase_if(waiting_, [&](waiting_message& each) {
        const auto at = places.find(each.body->id());
        if (at == places.end()) {
            return false;
        }
        resident_octets_ -= memory_of(*each.body);
        found.push_back({at->second, each.due_ms, std::move(each.body)});
        return true;
    });
    std::ranges::make_heap(waiting_, later);
    std::ranges::sort(found, {}, &taken::place);
    std::vector<std::uint32_t> still;
    for (taken& each : found) {
        still.push_back(each.place);
        gone.push_back({std::move(each.body), 0, false});
    }
    made.keep_only(still, gone);
    if (!gone.empty()) {
        made.next_key = {found.front().due_ms, gone.front().body->id()};
        pages_.insert(made);
    }
    home_.owner().due_changed(*this);
}

void delay_line::restore(page& found) {
    found.in_line = this;
    found.next_key = {found.facts().first_due_ms, 0};
    pages_.insert(found);
    home_.owner().due_changed(*this);
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
