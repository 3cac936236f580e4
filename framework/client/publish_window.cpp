#include "framework/client/publish_window.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace lovage::client {
namespace {

/// A look for overdue messages touches every message; the next is so much later for each of them:
/// a few per cent of the time, and a second late with a million.
constexpr std::chrono::microseconds expiry_pause_each{1};

}  // namespace

bool publish_window::push(publication& message, std::uint64_t token, time_point deadline) {
    const std::size_t octets = message.octets();
    const bool too_many = unsettled_ >= limits_.total_messages;
    // A message beyond the limit on octets is taken when it is the only one.
    if (too_many || (unsettled_ != 0 && total_octets_ + octets > limits_.total_octets)) {
        return false;
    }
    entry added;
    added.message = std::move(message);
    added.token = token;
    added.deadline = deadline;
    entries_.push_back(std::move(added));
    ++unsettled_;
    total_octets_ += octets;
    earliest_ = std::min(earliest_, deadline);
    return true;
}

const publication* publish_window::next() const {
    if (sent_ == entries_.size()) {
        return nullptr;
    }
    const publication& message = entries_[sent_].message;
    return wire_takes(message.octets()) ? &message : nullptr;
}

bool publish_window::wire_takes(std::size_t size) const {
    const std::size_t messages_max = one_at_a_time_ != 0 ? 1 : limits_.wire_messages;
    return sent_ < messages_max &&
           (wire_octets_ == 0 || wire_octets_ + size <= limits_.wire_octets);
}

bool publish_window::passes_at_once(std::size_t size) const {
    return sent_ == entries_.size() && wire_takes(size);
}

void publish_window::sent() {
    wire_octets_ += entries_[sent_].message.octets();
    ++sent_;
}

void publish_window::refuse_next(const problem& why, std::vector<settled>& out) {
    settle(entries_[sent_], &why, out);
    entries_.erase(sent_);
}

void publish_window::settle(entry& what, const problem* why, std::vector<settled>& out) {
    settled result;
    result.token = what.token;
    result.confirmed = why == nullptr;
    if (why != nullptr) {
        result.error = *why;
        result.target = what.message.exchange.empty()
                            ? "queue \"" + what.message.routing_key + "\""
                            : "exchange \"" + what.message.exchange + "\" with routing key \"" +
                                  what.message.routing_key + "\"";
    }
    total_octets_ -= what.message.octets();
    --unsettled_;
    if (one_at_a_time_ != 0) {
        --one_at_a_time_;
    }
    if (why != nullptr && why->code == broker_errc::unroutable) {
        result.message = std::make_unique<publication>(std::move(what.message));
    }
    what.message = {};
    what.is_settled = true;
    out.push_back(std::move(result));
}

bool publish_window::confirm(
    std::uint64_t tag,
    bool multiple,
    bool accepted,
    std::vector<settled>& out) {
    // RabbitMQ's multiple with tag 0 means all.
    const std::uint64_t last = tag == 0 && multiple ? first_tag_ + sent_ - 1 : tag;
    if (last + 1 == first_tag_ && multiple) {
        return true;  // confirms again what is confirmed
    }
    if (last < first_tag_ || last >= first_tag_ + sent_) {
        return false;
    }
    const auto end = static_cast<std::size_t>(last - first_tag_) + 1;
    static const problem nack{broker_errc::not_accepted, 0, "the broker answered basic.nack"};
    for (std::size_t i = multiple ? 0 : end - 1; i < end; ++i) {
        entry& one = entries_[i];
        one.is_answered = true;
        if (one.is_settled) {
            continue;
        }
        wire_octets_ -= one.message.octets();
        const problem why = one.is_returned ? std::move(one.why) : problem{};
        settle(one, one.is_returned ? &why : (accepted ? nullptr : &nack), out);
    }
    drop_answered_front();
    return true;
}

void publish_window::drop_answered_front() {
    while (sent_ != 0 && entries_.front().is_answered) {
        entries_.pop_front();
        --sent_;
        ++first_tag_;
    }
}

publish_window::entry* publish_window::find_returned(
    const publication_view& message,
    bool same_properties) {
    for (std::size_t i = 0; i < sent_; ++i) {
        entry& one = entries_[i];
        const publication& given = one.message;
        if (!one.is_settled && !one.is_returned && given.mandatory &&
            given.routing_key == message.routing_key && given.exchange == message.exchange &&
            given.body == message.body &&
            (!same_properties || given.properties == message.properties)) {
            return &one;
        }
    }
    return nullptr;
}

void publish_window::returned(const publication_view& message, const problem& why) {
    entry* found = find_returned(message, true);
    if (found == nullptr) {
        found = find_returned(message, false);
    }
    if (found != nullptr && !(why.code == broker_errc::duplicate && found->was_sent_before)) {
        found->is_returned = true;
        found->why = why;
    }
}

void publish_window::drop_all_settled() {
    const std::size_t count = entries_.size();
    for (std::size_t i = 0; i < count; ++i) {
        entry one = entries_.pop_front();
        if (!one.is_settled) {
            entries_.push_back(std::move(one));
        }
    }
}

void publish_window::restart() {
    for (std::size_t i = 0; i < sent_; ++i) {
        entries_[i].was_sent_before = true;
    }
    drop_all_settled();
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        entries_[i].is_returned = false;
    }
    sent_ = 0;
    wire_octets_ = 0;
    first_tag_ = 1;
    // Those that were waiting to be sent alone wait for it still.
    one_at_a_time_ = std::min(one_at_a_time_, entries_.size());
}

void publish_window::refused(const problem& why, std::vector<settled>& out) {
    std::size_t suspects = 0;
    std::size_t to_be_sent_again = 0;
    for (std::size_t i = 0; i < sent_; ++i) {
        suspects += entries_[i].is_answered ? 0U : 1U;
        to_be_sent_again += entries_[i].is_settled ? 0U : 1U;
    }
    if (suspects == 1) {
        for (std::size_t i = 0; i < sent_; ++i) {
            if (!entries_[i].is_settled) {
                settle(entries_[i], &why, out);
            }
        }
    } else {
        one_at_a_time_ = std::max(one_at_a_time_, to_be_sent_again);
    }
    restart();
}

void publish_window::expire(time_point now, std::vector<settled>& out) {
    if (now < earliest_) {
        return;
    }
    static const problem late{broker_errc::timeout, 0, "no confirm in time"};
    earliest_ = time_point::max();
    bool waiting_expired = false;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        entry& one = entries_[i];
        if (one.is_settled) {
            continue;
        }
        if (one.deadline > now) {
            earliest_ = std::min(earliest_, one.deadline);
            continue;
        }
        if (i < sent_) {
            wire_octets_ -= one.message.octets();
        }
        waiting_expired = waiting_expired || i >= sent_;
        settle(one, &late, out);
    }
    if (earliest_ != time_point::max()) {
        earliest_ = std::max(
            earliest_, now + expiry_pause_each * static_cast<std::int64_t>(entries_.size()));
    }
    if (waiting_expired) {
        ring<entry> kept;
        const std::size_t count = entries_.size();
        for (std::size_t i = 0; i < count; ++i) {
            entry one = entries_.pop_front();
            if (i < sent_ || !one.is_settled) {
                kept.push_back(std::move(one));
            }
        }
        entries_ = std::move(kept);
    }
}

void publish_window::fail_all(const problem& why, std::vector<settled>& out) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (!entries_[i].is_settled) {
            settle(entries_[i], &why, out);
        }
    }
    restart();
    earliest_ = time_point::max();
}

void publish_window::check_invariants() const {
    std::size_t open = 0;
    std::size_t octets = 0;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        const entry& one = entries_[i];
        open += one.is_settled ? 0U : 1U;
        octets += one.is_settled ? 0 : one.message.octets();
        if (one.is_settled && i >= sent_) {
            throw std::logic_error("a settled message waits");
        }
        if (one.is_answered && !one.is_settled) {
            throw std::logic_error("an answered message is not settled");
        }
    }
    if (open != unsettled_ || octets != total_octets_ || sent_ > entries_.size()) {
        throw std::logic_error("the counts do not add up");
    }
    if (sent_ != 0 && entries_.front().is_answered) {
        throw std::logic_error("an answered message is in front");
    }
}

}  // namespace lovage::client
