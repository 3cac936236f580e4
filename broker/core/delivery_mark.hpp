// How far the messages of one queue are noted in the log as delivered. What was on disk before must
// not reach anybody until its mark is there too: after a crash it would come again as if for the
// first time. In a busy queue the mark runs ahead, so that deliveries do not wait for the disk one
// by one; of what a crash then finds up to the mark, some is called redelivered that was not.
// Owned by its queue, on the engine's thread.
#pragma once

#include "broker/core/ids.hpp"

#include <limits>
#include <optional>

namespace lovage::broker {

class journal;

class delivery_mark {
public:
    /// How things are in the present event.
    struct occasion {
        journal& log;
        lsn durable;            ///< how far the log is on disk
        message_id first_open;  ///< messages from this id on are in the batch that is still open
        time_point now;
    };

    static constexpr message_id never_open = std::numeric_limits<message_id>::max();

    /// As it was found in the log.
    void restore(message_id id) { delivered_ = marked_ = on_disk_ = id; }
    /// A message that the log has goes to somebody; `ahead`: others are likely to follow. How far
    /// the log must be on disk before it is sent; 0: it may be sent at once.
    [[nodiscard]] lsn note(queue_id of, message_id id, bool ahead, const occasion& when);
    /// Nothing is delivered any more: takes back what ran ahead.
    void settle(queue_id of, journal& log);

    /// The highest that the log calls delivered.
    [[nodiscard]] message_id marked() const { return marked_; }

private:
    /// On its way to the disk; at 0 there is none.
    struct pending {
        lsn at = 0;
        message_id up_to = 0;
    };

    void see(lsn durable);
    void mark(queue_id of, message_id up_to, journal& log);
    void extend(queue_id of, message_id id, const occasion& when);

    message_id delivered_ = 0;  // the highest that was
    message_id marked_ = 0;
    message_id on_disk_ = 0;
    pending oldest_;
    pending newest_;
    std::uint64_t ahead_ = 0;  // ids
    std::optional<time_point> extended_;
};

}  // namespace lovage::broker
