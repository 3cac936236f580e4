// What was declared and bound through a session and not deleted since, in the order in which it was
// done: declared again after a reconnect, because queues that are exclusive, auto-deleted or on a
// broker that lost its data are gone. Used by session alone; pure.
#pragma once

#include "framework/client/types.hpp"

#include <string_view>
#include <vector>

namespace lovage::client {

class topology {
public:
    /// Notes a request that the broker has granted: declarations replace those of the same name,
    /// deletions take declarations and bindings away.
    void granted(const request& done);
    [[nodiscard]] const std::vector<request>& steps() const { return steps_; }
    /// The steps that a consumer of that queue depends on: the queue, its bindings, their
    /// exchanges.
    [[nodiscard]] std::vector<request> of_queue(std::string_view queue) const;

private:
    void replace(const request& step);
    template <class Predicate>
    void remove(Predicate gone);

    std::vector<request> steps_;
};

}  // namespace lovage::client
