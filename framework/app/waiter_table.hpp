// Tokens for things that wait: put one in, get a number, take it out by the number. Numbers are
// reused, so that the table is as large as the most that ever waited at once. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace lovage {

template <class T>
class waiter_table {
public:
    /// 0 for null.
    std::uint64_t put(std::unique_ptr<T> waiter) {
        if (waiter == nullptr) {
            return 0;
        }
        if (free_.empty()) {
            slots_.push_back(std::move(waiter));
            return slots_.size();
        }
        const std::uint64_t token = free_.back();
        free_.pop_back();
        slots_[token - 1] = std::move(waiter);
        return token;
    }
    /// Null for 0 and for what is not there.
    std::unique_ptr<T> take(std::uint64_t token) {
        if (token == 0 || token > slots_.size() || slots_[token - 1] == nullptr) {
            return nullptr;
        }
        free_.push_back(token);
        return std::move(slots_[token - 1]);
    }
    /// All that wait; the table is empty afterwards.
    std::vector<std::unique_ptr<T>> take_all() {
        free_.clear();
        auto all = std::exchange(slots_, {});
        std::erase(all, nullptr);
        return all;
    }

private:
    std::vector<std::unique_ptr<T>> slots_;
    std::vector<std::uint64_t> free_;
};

}  // namespace lovage
