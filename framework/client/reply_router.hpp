// Who waits for which reply: correlation ids and their waiters. Replies without a waiter are
// dropped by the caller. Used by the app's I/O thread. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace lovage::client {

template <class Waiter>
class reply_router {
public:
    /// False, and nothing changes, if somebody waits for that id already.
    bool add(std::string_view id, Waiter waiter) {
        return waiters_.try_emplace(std::string(id), std::move(waiter)).second;
    }
    /// Null if nobody waits. Valid until the router changes.
    [[nodiscard]] Waiter* find(std::string_view id) {
        const auto found = waiters_.find(id);
        return found == waiters_.end() ? nullptr : &found->second;
    }
    bool remove(std::string_view id) {
        const auto found = waiters_.find(id);
        if (found == waiters_.end()) {
            return false;
        }
        waiters_.erase(found);
        return true;
    }
    /// Removes those of which `gone(waiter)` is true, but looks only when the router has grown to
    /// twice what the last look left: constant cost for each add.
    template <class Predicate>
    void sweep(Predicate gone) {
        if (waiters_.size() < sweep_at_) {
            return;
        }
        std::erase_if(waiters_, [&](auto& entry) { return gone(entry.second); });
        sweep_at_ = waiters_.size() * 2 < sweep_size_min ? sweep_size_min : waiters_.size() * 2;
    }
    template <class Function>
    void for_each(Function function) {
        for (auto& [id, waiter] : waiters_) {
            function(waiter);
        }
    }
    void clear() { waiters_.clear(); }
    [[nodiscard]] std::size_t size() const { return waiters_.size(); }

private:
    static constexpr std::size_t sweep_size_min = 256;
    struct text_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };

    std::unordered_map<std::string, Waiter, text_hash, std::equal_to<>> waiters_;
    std::size_t sweep_at_ = sweep_size_min;
};

}  // namespace lovage::client
