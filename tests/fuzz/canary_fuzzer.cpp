// The planted bug: an input that starts with "bug" is read one octet past its end.
#include "tests/fuzz/fuzzing.hpp"

#include <memory>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    lovage::fuzz::input in{data, size};
    if (in.octet() == 'b' && in.octet() == 'u' && in.octet() == 'g') {
        const auto copy = std::make_unique<char[]>(size);
        const volatile char beyond = copy[size];
        static_cast<void>(beyond);
    }
    return 0;
}
