// Messages that were given to a session and are not confirmed, in their order: a front part that is
// on the wire, with the broker's confirm tags, and the rest that waits. Bounded in both parts.
// When the channel is lost, what was on the wire waits again, in the same order. When the broker
// closed the channel because of a message, messages go out one at a time until those that were on
// the wire are settled, so that the one that is to blame can be told from its neighbours.
// Used by session alone; pure.
//
// Invariants: 1. [0, sent) is on the wire, with the confirm tags first_tag, first_tag + 1, ...
//             2. a settled message stays as an empty place until the broker has answered it and all
//                in front of it: what is overdue may still be what the broker refuses.
//             3. in the waiting part no message is settled.
#pragma once

#include "framework/base/ring.hpp"
#include "framework/base/time.hpp"
#include "framework/client/types.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lovage::client {

struct window_limits {
    std::size_t wire_messages = 4096;
    std::size_t wire_octets = 64U << 20U;
    std::size_t total_messages = 1'000'000;
    std::size_t total_octets = 512U << 20U;
};

/// A message that came back.
struct publication_view {
    octets exchange;
    octets routing_key;
    octets properties;
    octets body;
};

/// What became of a message.
struct settled {
    std::uint64_t token = 0;
    bool confirmed = false;
    problem error;       ///< if not confirmed; the text is a fragment that session completes
    std::string target;  ///< exchange and routing key, if not confirmed
    std::unique_ptr<publication> message;  ///< of one that came back, else null
};

class publish_window {
public:
    explicit publish_window(const window_limits& limits) : limits_(limits) {}

    /// False if the limits are reached; then nothing was taken.
    [[nodiscard]] bool push(publication& message, std::uint64_t token, time_point deadline);
    /// The message to be sent next; null if none waits or the wire has its fill.
    [[nodiscard]] const publication* next() const;
    /// A message of so many octets would be given by next() right after its push().
    [[nodiscard]] bool passes_at_once(std::size_t size) const;
    /// The message that next() gave is on the wire.
    void sent();

    /// The message that next() gave cannot be sent at all: it is settled with `why`.
    void refuse_next(const problem& why, std::vector<settled>& out);

    /// basic.ack and basic.nack. False for a tag that is not on the wire.
    [[nodiscard]] bool confirm(
        std::uint64_t tag,
        bool multiple,
        bool accepted,
        std::vector<settled>& out);
    /// basic.return: the confirm follows. Only mandatory messages come back. Messages that look
    /// alike share their fate, so the first that looks like it is as good as the one that was
    /// meant. A broker may write the properties anew: if no message has the same, they are not
    /// looked at. A duplicate that may be one of itself, because it was sent before, is no problem.
    void returned(const publication_view& message, const problem& why);

    /// The channel is new, tags start at 1: all that was on the wire waits again.
    void restart();
    /// As restart(), after the broker refused a message on the wire. If there was but one, overdue
    /// ones included, it is settled with `why`.
    void refused(const problem& why, std::vector<settled>& out);
    /// Settles what is overdue. On the wire its place stays, for the confirm to come.
    void expire(time_point now, std::vector<settled>& out);
    /// Settles everything.
    void fail_all(const problem& why, std::vector<settled>& out);

    [[nodiscard]] std::size_t unsettled() const { return unsettled_; }
    [[nodiscard]] std::size_t on_wire() const { return sent_; }
    /// When expire() has something to do, or soon after: with very many messages it looks less
    /// often, so that looking stays cheap.
    [[nodiscard]] time_point earliest_deadline() const { return earliest_; }
    /// For tests: throws std::logic_error if an invariant is broken.
    void check_invariants() const;

private:
    struct entry {
        publication message;
        std::uint64_t token = 0;
        time_point deadline{};
        problem why;  ///< set by a return
        bool is_returned = false;
        bool was_sent_before = false;  ///< on a channel that is gone; it may have arrived
        bool is_settled = false;
        bool is_answered = false;  ///< by the broker; settled, too
    };

    [[nodiscard]] bool wire_takes(std::size_t size) const;
    void settle(entry& what, const problem* why, std::vector<settled>& out);
    [[nodiscard]] entry* find_returned(const publication_view& message, bool same_properties);
    void drop_answered_front();
    void drop_all_settled();

    window_limits limits_;
    ring<entry> entries_;
    std::size_t sent_ = 0;
    std::size_t unsettled_ = 0;
    std::size_t wire_octets_ = 0;   ///< of unsettled messages on the wire
    std::size_t total_octets_ = 0;  ///< of all unsettled messages
    std::uint64_t first_tag_ = 1;
    std::size_t one_at_a_time_ = 0;  ///< so many messages are still to be sent alone
    time_point earliest_ = time_point::max();
};

}  // namespace lovage::client
