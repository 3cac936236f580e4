// The messages that wait at an exchange of type x-delayed-message until they are due: a heap in the
// order of their due times, of the same time in that in which they were published. When they are
// too many, those that are due last wait on disk, in pages.
// Owned by its exchange, called by the vhost on the engine's thread, which writes the journal and
// routes what is due. Knows no clock.
//
// Invariant: waiting_ is a heap whose front is due first of those in memory.
#pragma once

#include "broker/core/ids.hpp"
#include "broker/core/journal.hpp"
#include "broker/core/message.hpp"
#include "broker/core/page.hpp"

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
    [[nodiscard]] std::size_t size() const { return waiting_.size() + pages_.count(); }
    /// When the first is due, or earlier if that is on disk; Unix milliseconds.
    [[nodiscard]] std::optional<std::uint64_t> next_due_ms() const;

    void add(message_ptr body, std::uint64_t due_ms);
    /// The one that is due first, if it is by `now_ms`: then it is taken out.
    std::optional<message_ptr> pop(std::uint64_t now_ms);
    /// Those in memory, in no order.
    [[nodiscard]] const std::vector<waiting_message>& waiting() const { return waiting_; }
    [[nodiscard]] page_line& pages() { return pages_; }
    void check_invariants() const;

    // For the pager.

    [[nodiscard]] std::uint64_t resident_octets() const { return resident_octets_; }
    /// On disk or not, roughly.
    [[nodiscard]] std::uint64_t waiting_octets() const {
        return resident_octets_ + pages_.body_octets();
    }
    /// Copies those that are due last; about `keep` octets stay.
    void page_out(page_builder& into, std::uint64_t keep);
    /// As queue::paged_out().
    void paged_out(
        page& made,
        const std::vector<message_id>& ids,
        std::vector<queued_message>& gone);
    void restore(page& found);

    /// Under which the log keeps its messages, as if they were in a queue; 0 until it has any.
    queue_id id{};
    journal_location location;
    std::optional<std::uint64_t> scheduled_ms;  ///< its key in the engine's order

private:
    vhost& home_;
    exchange& owner_;
    std::vector<waiting_message> waiting_;
    page_line pages_;
    std::uint64_t resident_octets_ = 0;  // of what is in memory, roughly
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
