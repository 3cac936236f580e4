// A journal that forgets some of what it is told, or denies that a batch is under way, for the
// canary tests: the simulation has to notice. Passes everything else on to the real one. On the
// engine's thread.
#pragma once

#include "broker/core/journal.hpp"
#include "tests/broker/simulation/sim_node.hpp"

namespace lovage::broker::simulation {

class broken_journal final : public journal {
public:
    broken_journal(journal& real, sabotage how, dice& chance)
        : real_(real), how_(how), chance_(chance) {}

    journal_location queue_declared(const queue_definition& what) override {
        return real_.queue_declared(what);
    }
    void queue_deleted(queue_id id, octets vhost, octets name) override {
        real_.queue_deleted(id, vhost, name);
    }
    journal_location exchange_declared(const exchange_definition& what) override {
        return real_.exchange_declared(what);
    }
    void exchange_deleted(octets vhost, octets name) override {
        real_.exchange_deleted(vhost, name);
    }
    journal_location bound(const binding_definition& what) override { return real_.bound(what); }
    void unbound(const binding_definition& what) override { real_.unbound(what); }
    journal_location published(
        const message& what,
        std::span<const holding> in,
        std::optional<held_copy> instead_of) override {
        return real_.published(what, in, instead_of);
    }
    journal_location delay_line_declared(queue_id id, octets vhost, octets exchange) override {
        return real_.delay_line_declared(id, vhost, exchange);
    }
    journal_location delayed(
        const message& what,
        queue_id line,
        std::uint64_t due_ms,
        std::optional<held_copy> instead_of) override {
        return real_.delayed(what, line, due_ms, instead_of);
    }
    journal_location remembered(const dedup_mark& what) override { return real_.remembered(what); }
    void forgotten(const dedup_mark& what) override { real_.forgotten(what); }
    journal_location setting_put(octets key, octets value) override {
        return real_.setting_put(key, value);
    }
    void setting_erased(octets key) override { real_.setting_erased(key); }
    void settled(queue_id queue, message_id id) override {
        if (!forgets(sabotage::lost_settles)) {
            real_.settled(queue, id);
        }
    }
    void returned(queue_id queue, message_id id, std::uint32_t delivery_count) override {
        if (!forgets(sabotage::lost_returns)) {
            real_.returned(queue, id, delivery_count);
        }
    }
    void delivered(queue_id queue, message_id id) override {
        if (!forgets(sabotage::lost_marks)) {
            real_.delivered(queue, id);
        }
    }
    void mark_lowered(queue_id queue, message_id id) override { real_.mark_lowered(queue, id); }
    journal_location paged(const page_facts& what, std::span<const message_id> moved) override {
        return real_.paged(what, moved);
    }
    void page_settled(
        std::uint64_t page,
        std::uint32_t first,
        std::uint32_t more,
        std::uint64_t body_octets) override {
        if (!forgets(sabotage::lost_settles)) {
            real_.page_settled(page, first, more, body_octets);
        }
    }
    void page_returned(std::uint64_t page, std::uint32_t index, std::uint32_t delivery_count)
        override {
        if (!forgets(sabotage::lost_returns)) {
            real_.page_returned(page, index, delivery_count);
        }
    }
    void page_dropped(std::uint64_t page) override { real_.page_dropped(page); }
    void released(journal_location location) override { real_.released(location); }
    [[nodiscard]] lsn last() const override { return real_.last(); }
    [[nodiscard]] lsn taken() const override {
        return how_ == sabotage::early_deliveries ? 0 : real_.taken();
    }

private:
    bool forgets(sabotage what) { return how_ == what && chance_.percent(forgets_percent); }

    static constexpr unsigned forgets_percent = 20;

    journal& real_;
    sabotage how_;
    dice& chance_;
};

}  // namespace lovage::broker::simulation
