#include "framework/base/bytes.hpp"

#include <algorithm>
#include <bit>

namespace lovage {

void byte_buffer::make_room(std::size_t count) {
    const std::size_t used = size();
    if (capacity_ - used >= count && begin_ >= capacity_ / 2) {
        std::memmove(data_.get(), data_.get() + begin_, used);
    } else {
        // Half as much again, or a backlog just below the capacity would be moved for every octet.
        const std::size_t wanted =
            std::bit_ceil(std::max<std::size_t>(used + used / 2 + count, 256));
        std::unique_ptr<char[]> bigger{new char[wanted]};
        if (used != 0) {
            std::memcpy(bigger.get(), data_.get() + begin_, used);
        }
        data_ = std::move(bigger);
        capacity_ = wanted;
    }
    begin_ = 0;
    end_ = used;
}

}  // namespace lovage
