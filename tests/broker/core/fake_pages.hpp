// A page_store in memory. Segments are "written" when the test says so; what was removed or never
// written cannot be read. Used by the engine's tests; one thread.
#pragma once

#include "broker/core/engine.hpp"
#include "broker/core/page_store.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lovage::broker::test {

class fake_pages final : public page_store {
public:
    [[nodiscard]] std::uint64_t building() const override { return building_; }
    [[nodiscard]] std::uint64_t open_octets() const override { return open_octets_; }
    void begin_page(page_id id, queue_id of) override;
    void add(const paged_message& what) override;
    page_place end_page() override;
    void seal(bool lasting, bool frees) override;
    [[nodiscard]] std::string read(
        page_id id,
        const page_place& from,
        std::uint64_t& offset,
        std::size_t octets,
        const taker& take) override;
    [[nodiscard]] std::uint64_t segment_octets(std::uint64_t number) const override;
    void remove(std::uint64_t number) override { segments_.erase(number); }
    void keep_blob(message_id blob, octets body) override { blobs[blob] = body; }
    [[nodiscard]] std::string read_blob(message_id blob, std::uint64_t octet_count, octets& body)
        override;
    void remove_blob(message_id blob) override { blobs.erase(blob); }

    /// The segment that waits to be written, if there is one.
    [[nodiscard]] std::optional<std::uint64_t> sealed() const { return sealed_; }
    void written() { sealed_.reset(); }
    /// As after a restart: only these are there.
    void keep_only(const std::set<std::uint64_t>& segments);
    [[nodiscard]] std::size_t segment_count() const { return segments_.size(); }

    [[nodiscard]] std::uint64_t total_octets() const;
    /// Messages in the last place of that page.
    [[nodiscard]] std::uint32_t messages_stored(page_id id) const;

    std::map<message_id, std::string> blobs;
    std::size_t messages_read = 0;
    std::size_t blobs_read = 0;
    std::size_t segments_sealed = 0;
    bool sealed_to_last = false;  ///< the last one
    bool fails = false;           ///< reading does
    bool blobs_fail = false;      ///< that of blobs alone

private:
    struct stored {
        paged_message message;
        std::string exchange, routing_key, properties, body;
        [[nodiscard]] std::uint64_t octets() const { return 64 + properties.size() + body.size(); }
    };
    struct segment {
        std::map<page_id, std::vector<stored>> pages;
        std::uint64_t octets = 0;
    };

    std::map<std::uint64_t, segment> segments_;
    std::uint64_t building_ = 1;
    std::uint64_t open_octets_ = 0;
    std::uint64_t page_begin_ = 0;
    page_id open_page_ = 0;
    std::optional<std::uint64_t> sealed_;
};

/// Options under which everything that nobody takes at once goes to disk, in small pages.
[[nodiscard]] engine_options always_paged(engine_options options = {});
/// True if the environment asks for it: LOVAGE_TEST_PAGED.
[[nodiscard]] bool paging_wanted();

}  // namespace lovage::broker::test
