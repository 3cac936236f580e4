// The engine's page_store on the store's segments. Builds and reads on the engine's thread; sealed
// segments and the names of those to be removed are taken by the driver, which gives them to the
// segment thread.
#pragma once

#include "broker/core/page_store.hpp"
#include "broker/store/log.hpp"
#include "broker/store/segment.hpp"
#include "broker/store/tail.hpp"

#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace lovage::broker {

class segment_pages final : public page_store {
public:
    /// `files` is used for reading while other threads write to other files of it.
    segment_pages(store::disk& files, store::log& log, const store::recovered_tail& tail);

    [[nodiscard]] std::uint64_t building() const override { return builder_.number(); }
    [[nodiscard]] std::uint64_t open_octets() const override;
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
    void keep_blob(message_id blob, octets body) override { log_.keep_blob(blob, body); }
    [[nodiscard]] std::string read_blob(message_id blob, std::uint64_t octet_count, octets& body)
        override;
    void remove_blob(message_id blob) override;
    [[nodiscard]] std::uint64_t segment_octets(std::uint64_t segment) const override;
    void remove(std::uint64_t segment) override;

    /// What is to be written; nothing if nothing has been sealed since.
    [[nodiscard]] std::optional<store::built_segment> take_sealed();
    /// Files that nothing refers to any more once the log is on disk up to `reached`.
    [[nodiscard]] std::vector<std::string> take_removable(lsn reached);

private:
    struct removal {
        lsn after = 0;
        std::string name;
    };

    store::disk& files_;
    std::uint64_t salt_;
    store::log& log_;
    store::segment_builder builder_;
    store::segment_reader reader_;
    queue_id open_queue_{};
    std::optional<store::built_segment> sealed_;
    std::map<store::segment_number, std::uint64_t> sizes_;
    byte_buffer blob_;  // the last one read
    std::deque<removal> removals_;
};

}  // namespace lovage::broker
