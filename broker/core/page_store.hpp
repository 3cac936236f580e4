// Where messages lie that are not in memory, as the engine sees it: pages, runs of one queue's (or
// delay line's) messages, built one after another into segments. A segment is handed to the disk by
// the driver when it is sealed; engine::segment_written() tells that it is there.
// Same thread as the engine. Implemented by server/segment_pages.hpp, by a fake in tests.
#pragma once

#include "broker/core/message.hpp"

#include <functional>
#include <string>

namespace lovage::broker {

/// Never used again for another page.
using page_id = std::uint64_t;

struct page_place {
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;  ///< of the first record
    std::uint64_t octets = 0;
};

/// A message as it lies in a page. The parts are views that live as long as the call.
struct paged_message {
    std::uint32_t index = 0;  ///< in its page; keeps its value when the page is written anew
    message_id id = 0;
    message::parts parts;           ///< the body is empty if it lies in a blob
    message_id blob = 0;            ///< see core/blobs.hpp; 0: in none
    std::uint64_t body_octets = 0;  ///< wherever it lies
    bool persistent = false;
    std::uint64_t published_at_ms = 0;
    std::uint64_t due_ms = 0;  ///< of one that waits in a delayed exchange
    std::uint32_t deaths_left = message::deaths_max;
    std::uint32_t delivery_count = 0;
    bool redelivered = false;
};

class page_store {
public:
    /// Takes the message, or leaves it for the next read and ends this one.
    using taker = std::function<bool(const paged_message&)>;

    virtual ~page_store() = default;

    /// The number of the segment that is being built; it grows from segment to segment.
    [[nodiscard]] virtual std::uint64_t building() const = 0;
    /// How much it holds.
    [[nodiscard]] virtual std::uint64_t open_octets() const = 0;
    virtual void begin_page(page_id id, queue_id of) = 0;
    virtual void add(const paged_message& what) = 0;
    virtual page_place end_page() = 0;
    /// The segment is whole: the driver writes it. Only one at a time. `lasting`: the journal will
    /// refer to it, so it has to be safe on disk first. `frees`: older segments go by it.
    virtual void seal(bool lasting, bool frees) = 0;

    /// Reads on from `offset` within the page, which moves behind what was taken, until about
    /// `octets` are read, at least one message, or `take` wants no more. What is wrong, in words;
    /// empty: nothing. At the end of the page nothing is taken.
    [[nodiscard]] virtual std::string read(
        page_id id,
        const page_place& from,
        std::uint64_t& offset,
        std::size_t octets,
        const taker& take) = 0;
    /// A body for a file of its own, safe on disk before any record that the journal is told of
    /// from now on. Its octets have to stay until the journal's next record is on disk.
    virtual void keep_blob(message_id blob, octets body) = 0;
    /// The octets, until the next call. What is wrong, in words; empty: nothing.
    [[nodiscard]] virtual std::string read_blob(
        message_id blob,
        std::uint64_t octet_count,
        octets& body) = 0;
    /// As remove(), for a blob.
    virtual void remove_blob(message_id blob) = 0;
    /// How long a finished segment is.
    [[nodiscard]] virtual std::uint64_t segment_octets(std::uint64_t segment) const = 0;
    /// Nothing in that segment is needed any more once all that the journal has been told so far
    /// is on disk.
    virtual void remove(std::uint64_t segment) = 0;
};

}  // namespace lovage::broker
