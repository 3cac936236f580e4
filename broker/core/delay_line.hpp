// The messages that wait at an exchange of type x-delayed-message until they are due: a heap in the
// order of their due times, of the same time in that in which they were published.
// Owned by its exchange, called by the vhost on the engine's thread, which writes the journal and
// routes what is due. Knows no clock.
//
// Invariant: waiting_ is a heap whose front is due first.
#pragma once

#include "broker/core/ids.hpp"
#include "broker/core/journal.hpp"
#include "broker/core/message.hpp"

#include <optional>
#include <vector>

namespace lovage::broker {

class exchange;
class vhost;

class delay_line {
public:
    struct waiting_message {
        std::uint64_t due_ms = 0;  ///< Unix time
        message_ptr body;
    };

    delay_line(vhost& home, exchange& owner) : home_(home), owner_(owner) {}

    [[nodiscard]] vhost& home() const { return home_; }
    [[nodiscard]] exchange& owner() const { return owner_; }
    [[nodiscard]] std::size_t size() const { return waiting_.size(); }
    /// When the first is due, Unix milliseconds.
    [[nodiscard]] std::optional<std::uint64_t> next_due_ms() const {
        return waiting_.empty() ? std::nullopt : std::optional{waiting_.front().due_ms};
    }

    void add(message_ptr body, std::uint64_t due_ms);
    /// The one that is due first; there must be one.
    message_ptr pop();
    /// In no order.
    [[nodiscard]] const std::vector<waiting_message>& waiting() const { return waiting_; }
    void check_invariants() const;

    /// Under which the log keeps its messages, as if they were in a queue; 0 until it has any.
    queue_id id{};
    journal_location location;
    std::optional<std::uint64_t> scheduled_ms;  ///< its key in the engine's order

private:
    vhost& home_;
    exchange& owner_;
    std::vector<waiting_message> waiting_;
};

/// When a message with these encoded properties may be routed by a delayed exchange, Unix
/// milliseconds: by header x-lovage-due (a Unix time in milliseconds), else by x-delay
/// (milliseconds from `now_ms` on). Nothing if that is no later than `now_ms`, if neither header is
/// there or its value is not a number. The properties must have passed scan_properties.
[[nodiscard]] std::optional<std::uint64_t> due_at_ms(octets properties, std::uint64_t now_ms);

/// What becomes of the headers when the message is due: x-delay is negated, so that no further
/// delayed exchange holds it back, and BCC goes. `copies` takes the further routing keys.
[[nodiscard]] std::optional<byte_buffer> due_properties(
    octets properties,
    std::vector<std::string>& copies);

}  // namespace lovage::broker
