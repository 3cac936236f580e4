#include "tests/broker/store/stored_pages.hpp"

#include "broker/store/blob.hpp"
#include "broker/store/directory.hpp"
#include "broker/store/page_scan.hpp"

#include <gtest/gtest.h>

namespace lovage::broker::store::testing {
namespace {

std::string text_of(octets body, std::uint32_t count) {
    return std::string{body} + " x" + std::to_string(count);
}

/// Wherever it lies.
std::string body_of(fake_disk& files, std::uint64_t salt, const publish_record& record) {
    byte_buffer content;
    octets body = record.body;
    if (record.blob.blob != 0) {
        EXPECT_EQ(read_blob(files, salt, record.blob, content, body), "");
    }
    return std::string{body};
}

void add_page(
    stored_state& into,
    fake_disk& files,
    std::uint64_t salt,
    const recovered_page& page) {
    const page_record& record = page.record;
    const segment_page where{record.id, record.queue, {record.offset, record.bytes}, record.count};
    const auto take = [&](const segment_message& message, std::uint64_t) {
        const std::size_t word = message.index / 64;
        if (word < page.dead.size() && (page.dead[word] >> (message.index % 64) & 1U) != 0) {
            return;
        }
        const auto returned = page.returned.find(message.index);
        const std::uint32_t count = returned == page.returned.end()
                                        ? message.record.queues.front().delivery_count
                                        : returned->second;
        into.messages[{record.queue, message.record.id}] =
            text_of(body_of(files, salt, message.record), count);
    };
    const page_scan scan = scan_page(files, salt, where, record.segment, take);
    EXPECT_TRUE(scan.problem.empty() && scan.damaged.empty()) << scan.problem;
}

}  // namespace

stored_state state_of(fake_disk& files) {
    recovery_options options = small_options{}.recovery;
    options.read_only = true;
    recovery found{files, options};
    std::string problem;
    stored_state state;
    EXPECT_FALSE(found.run(problem)) << problem;
    for (const auto& queue : found.queues()) {
        state.definitions.insert(
            "queue " + std::to_string(queue.id) + " " + queue.name + " up to " +
            std::to_string(queue.delivered));
    }
    for (const auto& exchange : found.exchanges()) {
        state.definitions.insert("exchange " + exchange.name + " " + exchange.type);
    }
    for (const auto& binding : found.bindings()) {
        state.definitions.insert(
            "binding " + binding.source + " " + binding.destination + " " + binding.routing_key);
    }
    for (const auto& setting : found.settings()) {
        state.definitions.insert("setting " + setting.key + " " + setting.value);
    }
    const auto take = [&](const recovered_message& message) {
        for (const queue_entry& entry : message.record.queues) {
            state.messages[{entry.queue, message.record.id}] =
                text_of(body_of(files, found.tail().salt, message.record), entry.delivery_count);
        }
    };
    EXPECT_FALSE(found.for_each_message(take, problem)) << problem;
    for (const recovered_page& page : found.pages()) {
        add_page(state, files, found.tail().salt, page);
    }
    files.after_kill();
    return state;
}

std::unique_ptr<fake_disk> copy_of(const fake_disk& files) {
    auto copy = std::make_unique<fake_disk>();
    for (const std::string& name : files.names()) {
        if (name != lock_name) {
            copy->set_content(name, files.content(name));
        }
    }
    return copy;
}

void page_out(
    fake_disk& files,
    small_broker& broker,
    page_id page,
    queue_id queue,
    const std::vector<message_id>& messages,
    const page_change& change) {
    const std::uint64_t salt = broker.recovered().tail().salt;
    segment_builder builder{salt, page};
    page_record record;
    record.id = page;
    record.queue = queue;
    record.segment = page;
    record.first_message = messages.front();
    record.last_message = messages.back();
    record.oldest_ms = 1000;
    record.first_expiry_ms = ~std::uint64_t{0};
    std::vector<paged_blob> blobs;
    builder.begin_page(page, queue);
    for (const message_id id : messages) {
        const snapshot::content& content = broker.state().contents.at(id);
        const queue_entry entry{queue, 0, false};
        segment_message message;
        message.index = record.count++;
        message.persistent = true;
        message.record.id = id;
        message.record.arrived_ms = content.arrived_ms;
        message.record.exchange = content.exchange;
        message.record.routing_key = content.routing_key;
        message.record.properties = content.properties;
        if (broker.has_blob(id)) {
            message.record.blob = {id, content.body.size()};
            blobs.push_back({message.index, message.record.blob});
        } else {
            message.record.body = content.body;
        }
        message.record.queues = {&entry, 1};
        record.body_bytes += content.body.size();
        builder.add(message);
    }
    const page_extent extent = builder.end_page();
    built_segment built = builder.finish(page + 1);
    std::string problem;
    ASSERT_FALSE(write_segment(files, salt, built, problem)) << problem;
    record.offset = extent.offset;
    record.bytes = extent.bytes;
    record.moved = messages;
    record.blobs = blobs;
    if (change) {
        change(record);
    }
    broker.store().paged(record);
}

stored_pages::stored_pages(fake_disk& files) {
    small_options options;
    options.log.rewrite_files_min = 100;
    small_broker broker{files, options};
    EXPECT_TRUE(broker.start()) << broker.problem();
    first = broker.declare("first");
    second = broker.declare("second");
    broker.declare_exchange("ex");
    broker.bind("ex", first, "key");
    broker.bind("ex", second, "other");
    broker.put("setting", "value");
    EXPECT_TRUE(broker.commit());
    std::vector<message_id> ids;
    for (int i = 0; i < 24; ++i) {
        const std::string body = "body number " + std::to_string(i) + " of them";
        ids.push_back(
            i % 4 == 3 ? broker.publish({first, second}, body) : broker.publish({first}, body));
        if (i % 3 == 0) {
            EXPECT_TRUE(broker.commit());
        }
    }
    broker.deliver(first, ids[1]);
    broker.requeue(first, ids[1]);
    broker.ack(first, ids[0]);
    EXPECT_TRUE(broker.commit());
    page_out(files, broker, 1, first, {ids[4], ids[5], ids[6], ids[7], ids[8]});
    EXPECT_TRUE(broker.commit());
    page_out(files, broker, 2, second, {ids[11], ids[15]});
    broker.store().page_settled({1, 1, 0, broker.state().contents.at(ids[5]).body.size()});
    broker.store().page_returned(1, 2, 3);
    EXPECT_TRUE(broker.commit());
    broker.publish({second}, "the last but one");
    EXPECT_TRUE(broker.commit());
    broker.publish({second}, "the last");
    EXPECT_TRUE(broker.commit());
    files.after_kill();
}

}  // namespace lovage::broker::store::testing
