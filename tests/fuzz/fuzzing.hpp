// What fuzz targets share. libFuzzer calls LLVMFuzzerTestOneInput() with one input after another,
// from one thread; a target checks what must hold for any input with require().
#pragma once

#include "framework/base/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace lovage::fuzz {

/// Ends the process, so that libFuzzer keeps the input.
inline void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

/// Takes an input apart, front first; gives zeros and nothing when it is used up.
class input {
public:
    input(const std::uint8_t* data, std::size_t size)
        : rest_(reinterpret_cast<const char*>(data), size) {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }
    [[nodiscard]] octets rest() const { return rest_; }
    std::uint8_t octet() {
        const octets one = take(1);
        return one.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(one.front());
    }
    octets take(std::size_t count) {
        const octets taken = rest_.substr(0, count);
        rest_.remove_prefix(taken.size());
        return taken;
    }

private:
    octets rest_;
};

}  // namespace lovage::fuzz

// The name is libFuzzer's.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
