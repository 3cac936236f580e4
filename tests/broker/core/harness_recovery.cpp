// broker_under_test: what an operator and the disk do, and recover(): what the server's restore
// does, from the journal in memory.
#include "broker/core/queue_arguments.hpp"
#include "framework/amqp/table_codec.hpp"
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {

void broker_under_test::set_wall_clock(milliseconds by) {
    clock_.wall += by;
    advance(milliseconds{0});
}

void broker_under_test::sync(lsn upto) {
    synced_ = upto;
    journal.taken_up_to = journal.last();
    engine_->durable(upto, clock_);
    after_event();
    follow_up();
}

void broker_under_test::write_segment(bool there) {
    const auto number = pages.sealed();
    ASSERT_TRUE(number.has_value());
    pages.written();
    engine_->segment_written(*number, there, clock_);
    after_event();
    follow_up();
}

void broker_under_test::rewrite(std::uint64_t file) {
    engine_->rewrite(file, clock_);
    after_event();
    follow_up();
}

void broker_under_test::shut_down() {
    engine_->shut_down(clock_);
    after_event();
    follow_up();
}

void broker_under_test::as_event(const std::function<void(engine&)>& what) {
    engine_->administer(what, clock_);
    after_event();
    follow_up();
}

/// What the journal refers to must be there.
void broker_under_test::check_blobs() {
    for (const message_id blob : journal.blobs()) {
        EXPECT_TRUE(pages.blobs.contains(blob)) << "blob " << blob << " is needed";
    }
}

void broker_under_test::recover(engine_options options) {
    const auto messages = journal.messages;
    const auto held_pages = journal.pages;
    const auto queues = journal.queues;
    const auto settings = journal.settings;
    restart(std::move(options));
    for (const auto& [id, found] : queues) {
        amqp::wire_reader in{found.arguments};
        queue_settings declared;
        declared.name = found.name;
        declared.durable = true;
        declared.auto_delete = found.auto_delete;
        const fault wrong = read_queue_arguments(amqp::read_table(in), found.vhost, declared);
        EXPECT_FALSE(wrong) << wrong.text;
        engine_->restore_vhost(found.vhost)
            .restore_queue(id, std::move(declared), found.location, found.delivered_up_to);
    }
    for (const auto& [key, found] : settings) {
        EXPECT_TRUE(engine_->restore_setting(key, found.first, found.second));
    }
    EXPECT_EQ(engine_->settings_restored(), "");
    message_id next = 1;
    for (const auto& [id, found] : queues) {
        next = std::max(next, found.delivered_up_to + 1);
    }
    std::set<std::uint64_t> segments;
    for (const auto& [id, found] : held_pages) {
        segments.insert(found.facts.place.segment);
    }
    pages.keep_only(segments);
    page_id next_page = 1;
    for (const auto& [id, found] : held_pages) {
        if (!found.orphaned) {
            engine_->restore_page(found.facts, pages.messages_stored(id), found.location);
        }
        next_page = id + 1;
        next = std::max(next, found.facts.last_id + 1);
    }
    engine_->pages().restore_next_id(next_page);
    for (const auto& [id, held] : messages) {
        engine::found_message found;
        found.id = id;
        found.parts = {held.exchange, held.routing_key, held.properties, held.body};
        found.published_at_ms = held.published_at_ms;
        found.due_ms = held.due_ms;
        found.location = held.location;
        found.blob = held.blob == 0 && pages.blobs.contains(id) ? id : held.blob;
        for (const auto& [holder, how] : held.holders) {
            found.holdings.push_back(how);
            const auto in = queues.find(holder);
            if (in != queues.end() && id <= in->second.delivered_up_to) {
                found.holdings.back().redelivered = true;
            }
        }
        engine_->restore_message(found);
        next = std::max(next, id + 1);
    }
    const std::uint64_t next_queue =
        queues.empty() ? 1 : static_cast<std::uint64_t>(queues.rbegin()->first) + 1;
    engine_->restore_next_ids(next_queue, next);
}

}  // namespace lovage::broker::test
