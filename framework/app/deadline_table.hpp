// Who is to be told when a time is over: pairs of an object and a number, by their deadlines, taken
// out when they are due or when the object needs no deadline any more.
// Used by the app's I/O thread for those who wait for results. Objects are held weakly. No locks.
#pragma once

#include "framework/base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

namespace lovage {

template <class Object>
class deadline_table {
public:
    struct entry {
        std::weak_ptr<Object> who;
        const Object* key = nullptr;  ///< of by_object_; not to be followed
        std::uint64_t number = 0;
    };

    void add(time_point at, const std::shared_ptr<Object>& who, std::uint64_t number) {
        const auto added = by_time_.emplace(at, entry{who, who.get(), number});
        by_object_.emplace(who.get(), added);
    }
    /// All deadlines of the object.
    void remove(const Object* who) {
        const auto [first, last] = by_object_.equal_range(who);
        for (auto one = first; one != last; ++one) {
            by_time_.erase(one->second);
        }
        by_object_.erase(first, last);
    }
    /// time_point::max() if there is none.
    [[nodiscard]] time_point earliest() const {
        return by_time_.empty() ? time_point::max() : by_time_.begin()->first;
    }
    /// Takes out one that is due at `now`; false if none is.
    [[nodiscard]] bool take_due(time_point now, entry& into) {
        if (by_time_.empty() || by_time_.begin()->first > now) {
            return false;
        }
        const auto due = by_time_.begin();
        const auto [first, last] = by_object_.equal_range(due->second.key);
        for (auto one = first; one != last; ++one) {
            if (one->second == due) {
                by_object_.erase(one);
                break;
            }
        }
        into = std::move(due->second);
        by_time_.erase(due);
        return true;
    }
    [[nodiscard]] std::size_t size() const { return by_time_.size(); }

private:
    using time_map = std::multimap<time_point, entry>;

    time_map by_time_;
    std::unordered_multimap<const Object*, typename time_map::iterator> by_object_;
};

}  // namespace lovage
