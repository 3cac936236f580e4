// When to try again: at once the first time, then after a random part of a growing ceiling (full
// jitter, so that a thousand clients of one broker do not come back in step). Pure: randomness
// comes in. Used by session for connections and for subscriptions.
#pragma once

#include "framework/base/time.hpp"

#include <cstdint>

namespace lovage::client {

inline constexpr milliseconds backoff_base{100};
inline constexpr milliseconds backoff_cap{10'000};

class backoff {
public:
    /// The pause before the next attempt. `random` is any 64 random bits.
    [[nodiscard]] milliseconds next(std::uint64_t random);
    /// After a success that lasted.
    void reset() { attempts_ = 0; }
    /// After a success that may not last: pauses shrink again, but not to nothing.
    void succeeded() { attempts_ = attempts_ < attempts_kept ? attempts_ : attempts_kept; }
    /// As after a first failure: the next pause is not zero.
    void skip_immediate() { attempts_ = attempts_ == 0 ? 1 : attempts_; }
    [[nodiscard]] unsigned attempts() const { return attempts_; }

private:
    static constexpr unsigned attempts_kept = 3;

    unsigned attempts_ = 0;
};

}  // namespace lovage::client
