// Blobs: large bodies, each in a file of its own (docs/store_format.md, Blobs). Written once,
// before the first record that refers to them; records and pages that take over the message refer
// to the same file. Written on the store thread, read wherever somebody looks for the body. Who
// still needs one is not known here.
#pragma once

#include "broker/store/batch.hpp"
#include "broker/store/disk.hpp"
#include "broker/store/records.hpp"

#include <string>

namespace lovage::broker::store {

/// Creates the files and syncs them and their names. After a failure none of them is left behind.
[[nodiscard]] disk::error_code write_blobs(
    disk& files,
    std::uint64_t salt,
    std::span<const new_blob> what);

/// Reads it whole: `body` is then a part of `into`. What is wrong, with the file's name, in words;
/// empty: nothing.
[[nodiscard]] std::string read_blob(
    disk& files,
    std::uint64_t salt,
    const blob_ref& which,
    byte_buffer& into,
    octets& body);

}  // namespace lovage::broker::store
