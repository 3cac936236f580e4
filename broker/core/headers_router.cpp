#include "broker/core/headers_router.hpp"

#include "broker/core/exchange.hpp"
#include "broker/core/inequivalence.hpp"
#include "framework/amqp/properties.hpp"
#include "framework/amqp/table_codec.hpp"

#include <algorithm>

namespace lovage::broker {
namespace {

using amqp::field_value;
using entry = amqp::table::entry;

constexpr octets match_argument = "x-match";

std::vector<entry> sorted_by_name(const amqp::table& unsorted) {
    std::vector<std::pair<octets, const entry*>> order;  // equal names by their places
    order.reserve(unsorted.size());
    for (const entry& each : unsorted) {
        order.emplace_back(each.first, &each);
    }
    std::ranges::sort(order);
    std::vector<entry> entries;
    entries.reserve(order.size());
    for (const auto& [name, at] : order) {
        entries.push_back(*at);
    }
    return entries;
}

std::optional<octets> octets_of(const field_value& value) {
    if (const auto* bytes = value.as<amqp::byte_array>()) {
        return bytes->octets;
    }
    return value.text();
}

/// Numbers that are whole: integers, and seconds since 1970.
std::optional<std::int64_t> whole_number(const field_value& value) {
    if (const auto* time = value.as<amqp::timestamp>()) {
        return static_cast<std::int64_t>(time->seconds);
    }
    return value.integer();
}

/// Any number; a long double holds every 64-bit integer exactly on the machines we run on, and
/// elsewhere only numbers beyond 2^53 could be taken for equal.
std::optional<long double> number(const field_value& value) {
    if (const auto whole = whole_number(value)) {
        return static_cast<long double>(*whole);
    }
    if (const auto* real = value.as<double>()) {
        return static_cast<long double>(*real);
    }
    if (const auto* real = value.as<float>()) {
        return static_cast<long double>(*real);
    }
    return std::nullopt;
}

}  // namespace

const std::vector<entry>& message_headers::sorted() {
    if (!decoded_) {
        decoded_ = true;
        const auto known = amqp::scan_properties(properties_);
        if (known && known->headers) {
            bool ok = true;
            entries_ = sorted_by_name(amqp::read_table_content(*known->headers, ok));
        }
    }
    return entries_;
}

fault check_headers_binding(const amqp::table& arguments) {
    const field_value* how = arguments.find(match_argument);
    if (how == nullptr) {
        return no_fault;
    }
    const auto text = how->text();
    if (!text) {
        return channel_fault(
            amqp::reply_code::precondition_failed,
            "Invalid x-match field type " + std::string(how->type_name()) + " (value " +
                printed_value(*how) + "); expected longstr");
    }
    for (const octets known : {"all", "any", "all-with-x", "any-with-x"}) {
        if (*text == known) {
            return no_fault;
        }
    }
    return channel_fault(
        amqp::reply_code::precondition_failed,
        "Invalid x-match field value " + printed_octets(*text) +
            "; expected all, any, all-with-x, or any-with-x");
}

bool header_matches(const field_value& wanted, const field_value& there) {
    if (wanted.is_void()) {
        return true;
    }
    if (const auto text = octets_of(wanted)) {
        return octets_of(there) == text;
    }
    if (const auto whole = whole_number(wanted); whole && whole_number(there)) {
        return whole == whole_number(there);
    }
    if (const auto real = number(wanted)) {
        return number(there) == real;
    }
    return wanted == there;
}

std::vector<headers_router::rule>::iterator headers_router::find(const binding& what) {
    return std::ranges::find_if(rules_, [&](const rule& each) {
        return each.target == what.target && each.arguments == what.arguments;
    });
}

void headers_router::add(const binding& what) {
    if (const auto there = find(what); there != rules_.end()) {
        ++there->count;
        return;
    }
    amqp::wire_reader in{what.arguments};
    const amqp::table arguments = amqp::read_table(in);
    const field_value* how = arguments.find(match_argument);
    const octets mode = how == nullptr ? octets{"all"} : how->text().value_or("all");
    rule made{what.target, what.arguments, 1, mode.starts_with("all"), sorted_by_name(arguments)};
    const bool with_x = mode.ends_with("-with-x");
    std::erase_if(made.wanted, [&](const entry& each) {
        return each.first == match_argument || (!with_x && each.first.starts_with("x-"));
    });
    rules_.push_back(std::move(made));
}

void headers_router::remove(const binding& what) {
    const auto there = find(what);
    if (there != rules_.end() && --there->count == 0) {
        rules_.erase(there);
    }
}

bool headers_router::holds(const rule& what, const std::vector<entry>& headers) {
    auto header = headers.begin();
    for (const auto& [name, value] : what.wanted) {
        while (header != headers.end() && header->first < name) {
            ++header;
        }
        const bool there = header != headers.end() && header->first == name &&
                           header_matches(value, header->second);
        if (there != what.all) {
            return there;  // the first miss decides about all, the first hit about any
        }
    }
    return what.all;
}

void headers_router::match(octets, message_headers& headers, std::vector<route_target*>& into) {
    for (const rule& each : rules_) {
        if (holds(each, headers.sorted())) {
            into.push_back(each.target);
        }
    }
}

}  // namespace lovage::broker
