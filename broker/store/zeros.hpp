// Zeros for what is written before it is needed. Used by log_writer and spare_files.
#pragma once

#include "broker/store/disk.hpp"

#include <algorithm>
#include <array>

namespace lovage::broker::store {

inline constexpr std::array<char, std::size_t{64} << 10U> zeros{};

/// Adds pieces of `count` zeros.
inline void append_zeros(std::vector<octets>& pieces, std::uint64_t count) {
    while (count != 0) {
        const std::size_t piece = std::min<std::uint64_t>(count, zeros.size());
        pieces.emplace_back(zeros.data(), piece);
        count -= piece;
    }
}

[[nodiscard]] inline disk::error_code write_zeros(
    disk& files,
    disk::handle file,
    std::uint64_t offset,
    std::uint64_t count) {
    std::vector<octets> pieces;
    append_zeros(pieces, count);
    return files.write(file, offset, pieces);
}

}  // namespace lovage::broker::store
