// A queue in one block of memory that grows by doubling: cheap at both ends, indexable, and without
// memory of its own while it never held anything. For the broker's queues and windows, where
// std::deque would cost an allocation every few elements and half a KiB when empty.
// Popped elements are reset at once. The block is given back when the ring becomes empty, if it is
// a large one. Elements must be default-constructible and movable.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <memory>
#include <utility>

namespace lovage {

template <class T>
class ring {
public:
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }
    [[nodiscard]] T& operator[](std::size_t index) { return slots_[slot(index)]; }
    [[nodiscard]] const T& operator[](std::size_t index) const { return slots_[slot(index)]; }
    [[nodiscard]] T& front() { return slots_[head_]; }
    [[nodiscard]] const T& front() const { return slots_[head_]; }
    [[nodiscard]] T& back() { return (*this)[count_ - 1]; }

    void push_back(T value) {
        reserve_one();
        slots_[slot(count_)] = std::move(value);
        ++count_;
    }
    void push_front(T value) {
        reserve_one();
        head_ = (head_ - 1) & (capacity_ - 1);
        slots_[head_] = std::move(value);
        ++count_;
    }
    T pop_front() {
        T taken = std::exchange(slots_[head_], T{});
        head_ = (head_ + 1) & (capacity_ - 1);
        --count_;
        release_if_empty();
        return taken;
    }
    T pop_back() {
        --count_;
        T taken = std::exchange(slots_[slot(count_)], T{});
        release_if_empty();
        return taken;
    }
    /// Inserts before `index`, moving the elements on the shorter side of it.
    void insert(std::size_t index, T value) {
        if (index < count_ / 2) {
            push_front(T{});
            for (std::size_t i = 0; i < index; ++i) {
                (*this)[i] = std::move((*this)[i + 1]);
            }
        } else {
            push_back(T{});
            for (std::size_t i = count_ - 1; i > index; --i) {
                (*this)[i] = std::move((*this)[i - 1]);
            }
        }
        (*this)[index] = std::move(value);
    }
    /// Removes the element at `index`, moving the elements on the shorter side of it.
    void erase(std::size_t index) {
        if (index < count_ / 2) {
            for (std::size_t i = index; i > 0; --i) {
                (*this)[i] = std::move((*this)[i - 1]);
            }
            pop_front();
        } else {
            for (std::size_t i = index; i + 1 < count_; ++i) {
                (*this)[i] = std::move((*this)[i + 1]);
            }
            pop_back();
        }
    }
    /// Removes every element that `gone` is true of; each is asked once, in order, and may be moved
    /// from by it.
    template <class Gone>
    void erase_if(Gone&& gone) {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < count_; ++i) {
            T& each = (*this)[i];
            if (!gone(each)) {
                if (kept != i) {
                    (*this)[kept] = std::move(each);
                }
                ++kept;
            }
        }
        while (count_ > kept) {
            pop_back();
        }
    }
    /// Drops everything, memory included.
    void clear() {
        slots_.reset();
        capacity_ = head_ = count_ = 0;
    }

private:
    static constexpr std::size_t first_capacity = 8;
    /// A block of so many octets is kept for the next burst.
    static constexpr std::size_t kept_octets = 1U << 20U;

    [[nodiscard]] std::size_t slot(std::size_t index) const {
        return (head_ + index) & (capacity_ - 1);
    }
    void release_if_empty() {
        if (count_ == 0 && capacity_ > first_capacity && capacity_ * sizeof(T) > kept_octets) {
            clear();
        }
    }
    void reserve_one() {
        if (count_ < capacity_) {
            return;
        }
        const std::size_t wanted = capacity_ == 0 ? first_capacity : capacity_ * 2;
        auto bigger = std::make_unique<T[]>(wanted);
        for (std::size_t i = 0; i < count_; ++i) {
            bigger[i] = std::move((*this)[i]);
        }
        slots_ = std::move(bigger);
        capacity_ = wanted;
        head_ = 0;
    }

    std::unique_ptr<T[]> slots_;
    std::size_t capacity_ = 0;
    std::size_t head_ = 0;
    std::size_t count_ = 0;
};

}  // namespace lovage
