// The engine's journal on the store's log: translates what the engine wants remembered into
// records. On the engine's thread; does no I/O.
#pragma once

#include "broker/core/journal.hpp"
#include "broker/store/log.hpp"

#include <vector>

namespace lovage::broker {

class log_journal final : public journal {
public:
    explicit log_journal(store::log& log) : log_(log) {}

    journal_location queue_declared(const queue_definition& what) override;
    void queue_deleted(queue_id id, octets vhost, octets name) override;
    journal_location exchange_declared(const exchange_definition& what) override;
    void exchange_deleted(octets vhost, octets name) override;
    journal_location bound(const binding_definition& what) override;
    void unbound(const binding_definition& what) override;
    journal_location published(
        const message& what,
        std::span<const holding> in,
        std::optional<held_copy> instead_of) override;
    journal_location delay_line_declared(queue_id id, octets vhost, octets exchange) override;
    journal_location delayed(
        const message& what,
        queue_id line,
        std::uint64_t due_ms,
        std::optional<held_copy> instead_of) override;
    journal_location remembered(const dedup_mark& what) override;
    void forgotten(const dedup_mark& what) override;
    journal_location setting_put(octets key, octets value) override;
    void setting_erased(octets key) override;
    void settled(queue_id queue, message_id id) override;
    void returned(queue_id queue, message_id id, std::uint32_t delivery_count) override;
    void delivered(queue_id queue, message_id id) override;
    void mark_lowered(queue_id queue, message_id id) override;
    journal_location paged(const page_facts& what, std::span<const message_id> moved) override;
    void page_settled(
        std::uint64_t page,
        std::uint32_t first,
        std::uint32_t more,
        std::uint64_t body_octets) override;
    void page_returned(std::uint64_t page, std::uint32_t index, std::uint32_t delivery_count)
        override;
    void page_dropped(std::uint64_t page) override;
    void released(journal_location location) override;
    [[nodiscard]] lsn last() const override;
    [[nodiscard]] lsn taken() const override;

private:
    store::log& log_;
    std::vector<store::queue_entry> entries_;  // kept for its memory
};

}  // namespace lovage::broker
