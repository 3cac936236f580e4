#include "framework/client/backoff.hpp"

#include <algorithm>

namespace lovage::client {

milliseconds backoff::next(std::uint64_t random) {
    if (attempts_++ == 0) {
        return milliseconds(0);
    }
    constexpr unsigned doublings_max = 16;  // far beyond the cap already
    const auto grown = backoff_base * (1U << std::min(attempts_ - 2, doublings_max));
    const auto ceiling = std::min<milliseconds>(grown, backoff_cap);
    const auto choices = static_cast<std::uint64_t>(ceiling.count()) + 1;
    return milliseconds(static_cast<milliseconds::rep>(random % choices));
}

}  // namespace lovage::client
