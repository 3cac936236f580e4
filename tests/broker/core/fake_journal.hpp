// A journal in memory that checks what the engine tells it: every location is released exactly
// once, nothing is settled that is not held, and no message outlives its last holder. Remembers
// each call as a line of text. Used by the engine's tests and fuzz target; one thread.
#pragma once

#include "broker/core/journal.hpp"
#include "broker/core/message.hpp"
#include "broker/core/page.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace lovage::broker::test {

class fake_journal final : public journal {
public:
    struct held_message {
        journal_location location;
        std::string exchange;
        std::string routing_key;
        std::string properties;
        std::string body;
        std::uint64_t published_at_ms = 0;
        std::uint64_t due_ms = 0;
        message_id blob = 0;
        std::map<queue_id, holding> holders;
        /// A queue that held it was deleted; its deliveries may be unacknowledged yet.
        bool orphaned = false;
    };
    struct held_page {
        page_facts facts;
        journal_location location;
        /// Its queue was deleted; what is unacknowledged lies in it still.
        bool orphaned = false;
        std::set<message_id> ids;  ///< of the messages that it took from the journal
    };
    struct queue_record {
        std::string vhost;
        std::string name;
        std::string arguments;
        bool auto_delete = false;
        message_id delivered_up_to = 0;
        journal_location location;
    };

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
    [[nodiscard]] lsn last() const override { return last_; }
    [[nodiscard]] lsn taken() const override { return taken_up_to; }

    /// As if written in an earlier life of the broker.
    journal_location adopt_queue(queue_id id, octets name);
    journal_location adopt_message(message_id id, std::span<const holding> in);

    /// What is wrong so far; empty when nothing is. To be asked after each event.
    [[nodiscard]] std::vector<std::string> complaints() const;
    [[nodiscard]] std::size_t count(octets call) const;
    /// Locations that were given and not released, i.e. what keeps files of the log.
    [[nodiscard]] std::size_t live() const { return live_.size(); }
    [[nodiscard]] std::size_t live_in(std::uint64_t file) const;
    /// That what it holds refers to.
    [[nodiscard]] std::set<message_id> blobs() const;

    std::uint32_t file = 1;            ///< into which records go
    lsn taken_up_to = 0;               ///< before the open batch
    std::vector<std::string> records;  ///< every call, e.g. "settled 1 7"
    std::map<message_id, held_message> messages;
    std::map<queue_id, queue_record> queues;
    std::map<page_id, held_page> pages;
    std::map<std::string, std::pair<std::string, journal_location>> settings;

private:
    journal_location write(std::string record);
    void complain(std::string what) { complaints_.push_back(std::move(what)); }
    held_page* find_page(octets call, page_id id);
    void kill(
        octets call,
        page_id id,
        std::uint32_t first,
        std::uint32_t more,
        std::uint64_t octets);
    held_message* find_held(octets call, queue_id queue, message_id id);

    lsn last_ = 0;
    std::map<std::uint32_t, std::uint64_t> live_;  // serial of a location, its file
    std::uint32_t next_serial_ = 1;
    std::vector<std::string> complaints_;
};

}  // namespace lovage::broker::test
