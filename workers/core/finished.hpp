// The tasks that this worker has finished lately, with the result messages it sent: when the
// acknowledgement was lost with the connection, the broker delivers a finished task again, and the
// worker answers from here instead of running it twice. Bounded in number and octets; what it has
// forgotten is run again. Owned by the pool. Pure.
#pragma once

#include "framework/base/ring.hpp"
#include "framework/task/envelope.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>

namespace lovage::workers {

inline constexpr std::size_t finished_tasks_max = 10'000;
inline constexpr std::size_t finished_octets_max = 32U << 20U;

/// A result message that was sent; no queue: none was wanted.
struct sent_result {
    std::string queue;
    std::string properties;  ///< encoded
    std::string body;

    [[nodiscard]] std::size_t octets() const {
        return queue.size() + properties.size() + body.size();
    }
};

/// Tells one publication of a task from its retries: these have the same id, but another number of
/// retries or, when they cost none, another eta.
[[nodiscard]] std::string publication_key(const envelope& head);

class finished_tasks {
public:
    explicit finished_tasks(
        std::size_t tasks_max = finished_tasks_max,
        std::size_t octets_max = finished_octets_max)
        : tasks_max_(tasks_max), octets_max_(octets_max) {}

    /// The oldest are forgotten when there are too many.
    void add(const std::string& key, sent_result result);
    /// A message of that key was published once more: its redeliveries are to be run.
    void forget(const std::string& key);
    /// Null if it is not known. Valid until the next change.
    [[nodiscard]] const sent_result* find(const std::string& key) const;
    [[nodiscard]] std::size_t size() const { return results_.size(); }
    [[nodiscard]] std::size_t octets() const { return octets_; }

private:
    struct entry {
        sent_result result;
        bool known = false;  ///< false: forgotten, waits for its turn in order_
    };
    void drop_oldest();

    std::unordered_map<std::string, entry> results_;
    ring<std::string> order_;
    std::size_t octets_ = 0;
    std::size_t tasks_max_;
    std::size_t octets_max_;
};

}  // namespace lovage::workers
