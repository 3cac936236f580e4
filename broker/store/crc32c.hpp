// CRC32C (Castagnoli), the checksum of the log's records and headers. Uses the processor's
// instruction where there is one (asked at run time), tables otherwise.
// Pure and stateless; any thread. Called by the log's writer and reader.
#pragma once

#include "framework/base/bytes.hpp"

#include <cstdint>

namespace lovage::broker::store {

/// The checksum of `bytes` after octets whose checksum is `before` (0 for none).
[[nodiscard]] std::uint32_t crc32c(octets bytes, std::uint32_t before = 0);

/// The two ways crc32c() chooses from; separate so that tests can compare them.
[[nodiscard]] std::uint32_t crc32c_by_table(octets bytes, std::uint32_t before = 0);
/// Only where crc32c_has_hardware().
[[nodiscard]] std::uint32_t crc32c_by_hardware(octets bytes, std::uint32_t before = 0);
[[nodiscard]] bool crc32c_has_hardware();

}  // namespace lovage::broker::store
