// Large bodies that are to leave the memory: each lies on disk in a file of its own (a blob), to
// which the journal's record of the message refers and the pages that it lies in. Counts who does,
// so that the file goes with the last; a message that takes the place of another one shares that
// one's. Keeps in memory what the disk does not have yet. docs/decisions/0015-large-bodies.md says
// which bodies come here and when.
// Owned by the engine, on its thread. Without a page_store every body is a part of its record.
#pragma once

#include "broker/core/page_store.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <deque>
#include <limits>
#include <string>
#include <utility>

namespace lovage::broker {

class blobs {
public:
    /// Bodies from so many octets on.
    void use(page_store& store, std::uint64_t octets_min) {
        store_ = &store;
        octets_min_ = octets_min;
    }

    /// Of a message that the journal holds or is about to be told of: a large body is written, if
    /// it has not been.
    void keep(const message_ptr& what, const journal& log);
    /// The same, but its body lies there already.
    void share(message& what, message_id blob);
    /// One more refers to it.
    void hold(message_id blob) { ++holders_[blob]; }
    /// One less does, and the journal knows or has just been told. 0 is nobody's.
    void release(message_id blob);
    /// False: nobody refers to it any more.
    [[nodiscard]] bool has(message_id blob) const { return holders_.contains(blob); }
    [[nodiscard]] std::size_t count() const { return holders_.size(); }
    /// Some are in memory because the disk does not have them yet.
    [[nodiscard]] bool writing() const { return !unwritten_.empty(); }
    /// What lies there, until the next call. What is wrong, in words; empty: nothing.
    [[nodiscard]] std::string read(message_id blob, std::uint64_t octet_count, octets& body);
    /// All that the journal had been told by then is on disk.
    void durable(lsn reached);

private:
    page_store* store_ = nullptr;
    std::uint64_t octets_min_ = std::numeric_limits<std::uint64_t>::max();
    boost::unordered_flat_map<message_id, std::uint32_t> holders_;
    std::deque<std::pair<lsn, message_ptr>> unwritten_;
};

}  // namespace lovage::broker
