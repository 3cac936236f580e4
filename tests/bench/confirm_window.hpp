// Which of the published messages are not confirmed yet. Brokers confirm one by one, in any order,
// or everything up to a tag; a window counts both without counting a message twice.
// Used by one publishing thread. Pure; the sequence numbers are those of the channel, from 1.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace lovage::bench {

class confirm_window {
public:
    /// `size` is the largest number of unconfirmed messages, at least 1.
    explicit confirm_window(std::uint64_t size)
        : size_(size), early_(std::bit_ceil(size + 1), false) {}

    [[nodiscard]] std::uint64_t published() const { return published_; }
    [[nodiscard]] std::uint64_t confirmed() const { return confirmed_; }
    [[nodiscard]] std::uint64_t outstanding() const { return published_ - confirmed_; }
    /// How many may be published now. What is confirmed early, behind a gap, makes no room.
    [[nodiscard]] std::uint64_t room() const { return size_ - (published_ - (lowest_ - 1)); }

    /// At most room().
    void publish(std::uint64_t count) { published_ += count; }
    /// False for a tag that was never published or is confirmed already.
    [[nodiscard]] bool confirm(std::uint64_t tag, bool multiple) {
        if (tag < lowest_ || tag > published_) {
            return false;
        }
        if (!multiple && tag != lowest_) {
            if (early_[slot(tag)]) {
                return false;
            }
            early_[slot(tag)] = true;
            ++early_count_;
            ++confirmed_;
            return true;
        }
        confirmed_ += tag + 1 - lowest_;
        forget_early_up_to(tag);
        lowest_ = tag + 1;
        while (early_count_ != 0 && early_[slot(lowest_)]) {
            early_[slot(lowest_)] = false;
            --early_count_;
            ++lowest_;
        }
        return true;
    }

private:
    [[nodiscard]] std::size_t slot(std::uint64_t tag) const { return tag & (early_.size() - 1); }
    void forget_early_up_to(std::uint64_t tag) {
        for (std::uint64_t each = lowest_; each <= tag && early_count_ != 0; ++each) {
            if (early_[slot(each)]) {
                early_[slot(each)] = false;
                --early_count_;
                --confirmed_;
            }
        }
    }

    std::uint64_t size_;
    std::uint64_t published_ = 0;
    std::uint64_t confirmed_ = 0;
    std::uint64_t lowest_ = 1;  // every tag below it is confirmed
    std::uint64_t early_count_ = 0;
    std::vector<bool> early_;  // confirmed at or above lowest_, by slot(tag)
};

}  // namespace lovage::bench
