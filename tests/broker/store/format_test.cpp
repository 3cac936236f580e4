#include "broker/store/log.hpp"
#include "broker/store/log_writer.hpp"
#include "broker/store/record_codec.hpp"
#include "tests/broker/store/fake_disk.hpp"

#include <gtest/gtest.h>

#include <random>

namespace lovage::broker::store {
namespace {

template <class Record>
std::string payload_of(const Record& record) {
    std::string payload(payload_bound(record), '\0');
    payload_writer out{payload.data()};
    write_payload(out, record);
    payload.resize(static_cast<std::size_t>(out.position() - payload.data()));
    return payload;
}

std::string hex_of(octets bytes) {
    std::string text;
    for (const char octet : bytes) {
        const auto value = static_cast<unsigned char>(octet);
        text += "0123456789abcdef"[value >> 4U];
        text += "0123456789abcdef"[value & 15U];
    }
    return text;
}

TEST(RecordCodec, VarintsOfAllSizesComeBack) {
    for (unsigned bit = 0; bit < 64; ++bit) {
        for (const std::uint64_t value :
             {std::uint64_t{1} << bit, (std::uint64_t{1} << bit) - 1, ~std::uint64_t{0} >> bit}) {
            char memory[varint_bytes_max];
            payload_writer out{memory};
            out.varint(value);
            payload_reader in{{memory, static_cast<std::size_t>(out.position() - memory)}};

            EXPECT_EQ(in.varint(), value);
            EXPECT_TRUE(in.ok() && in.at_end());
        }
    }
}

TEST(RecordCodec, VarintAbove64BitsOrCutShortFails) {
    for (const octets bad :
         {octets{"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02"},
          octets{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"},
          octets{"\x80"},
          octets{}}) {
        payload_reader in{bad};
        in.varint();
        EXPECT_FALSE(in.ok());
    }
}

TEST(RecordCodec, DefinitionsComeBack) {
    const queue_record queue{300, 5, 1ULL << 40U, "vhost", "name", std::string_view{"a\0b", 3}};
    const exchange_record exchange{8, "v", "", "topic", "x"};
    const binding_record binding{binding_target::exchange, "v", "from", "to", "a.#", "args"};

    const std::string queue_payload = payload_of(queue);
    queue_record queue_back;
    ASSERT_TRUE(read_payload(queue_payload, queue_back));
    EXPECT_EQ(queue_back.id, queue.id);
    EXPECT_EQ(queue_back.flags, queue.flags);
    EXPECT_EQ(queue_back.delivered, queue.delivered);
    EXPECT_EQ(queue_back.vhost, queue.vhost);
    EXPECT_EQ(queue_back.name, queue.name);
    EXPECT_EQ(queue_back.arguments, queue.arguments);

    const std::string exchange_payload = payload_of(exchange);
    exchange_record exchange_back;
    ASSERT_TRUE(read_payload(exchange_payload, exchange_back));
    EXPECT_EQ(exchange_back.type, exchange.type);
    EXPECT_EQ(payload_of(exchange_back), exchange_payload);

    const std::string binding_payload = payload_of(binding);
    binding_record binding_back;
    ASSERT_TRUE(read_payload(binding_payload, binding_back));
    EXPECT_EQ(binding_back.target, binding_target::exchange);
    EXPECT_EQ(payload_of(binding_back), binding_payload);
}

TEST(RecordCodec, MessagesComeBackWithQueuesAndReplacedMessage) {
    const std::string body(70'000, 'b');
    const std::vector<queue_entry> queues{{1, 0, false}, {1ULL << 50U, 4'000'000'000U, true}};
    publish_record record;
    record.id = 77;
    record.arrived_ms = 1'700'000'000'000;
    record.due_ms = 1;
    record.exchange = "ex";
    record.routing_key = std::string_view{"k\0", 2};
    record.properties = "props";
    record.body = body;
    record.queues = queues;

    for (const bool replaces : {false, true}) {
        if (replaces) {
            record.replaces = message_ref{3, 70};
        }
        const std::string payload = payload_of(record);
        publish_record back;
        std::vector<queue_entry> entries;

        ASSERT_TRUE(read_payload(payload, back, entries));

        EXPECT_EQ(back.id, 77U);
        EXPECT_EQ(back.arrived_ms, record.arrived_ms);
        EXPECT_EQ(back.due_ms, 1U);
        EXPECT_EQ(back.exchange, "ex");
        EXPECT_EQ(back.routing_key, record.routing_key);
        EXPECT_EQ(back.properties, "props");
        EXPECT_EQ(back.body, body);
        EXPECT_EQ(entries, queues);
        ASSERT_EQ(back.replaces.has_value(), replaces);
        if (replaces) {
            EXPECT_EQ(back.replaces->queue, 3U);
            EXPECT_EQ(back.replaces->message, 70U);
        }
    }
}

TEST(RecordCodec, EveryCutPayloadOfADefinitionIsRefused) {
    const std::string queue = payload_of(queue_record{1, 1, 0, "v", "n", "a"});
    const std::string exchange = payload_of(exchange_record{1, "v", "n", "t", "a"});
    const std::string binding =
        payload_of(binding_record{binding_target::queue, "v", "s", "d", "k", "a"});
    queue_record q;
    exchange_record e;
    binding_record b;

    for (std::size_t cut = 0; cut < queue.size(); ++cut) {
        EXPECT_FALSE(read_payload(octets{queue}.substr(0, cut), q));
    }
    for (std::size_t cut = 0; cut < exchange.size(); ++cut) {
        EXPECT_FALSE(read_payload(octets{exchange}.substr(0, cut), e));
    }
    for (std::size_t cut = 0; cut < binding.size(); ++cut) {
        EXPECT_FALSE(read_payload(octets{binding}.substr(0, cut), b));
    }
    EXPECT_FALSE(read_payload(queue + "x", q));
    EXPECT_FALSE(read_payload("\x02" + binding.substr(1), b));
}

TEST(RecordCodec, SettledRunsComeBackInAnyOrder) {
    std::mt19937_64 random{7};
    std::vector<settled_run> runs;
    byte_buffer buffer;
    settled_writer writer;
    for (int i = 0; i < 500; ++i) {
        const settled_run run{random() % 3, random() >> (random() % 60 + 2), random() % 100};
        runs.push_back(run);
        payload_writer out{buffer.prepare(settled_run_bytes_max)};
        const char* const start = out.position();
        writer.write(out, run);
        buffer.commit(static_cast<std::size_t>(out.position() - start));
    }

    payload_reader in{buffer.view()};
    settled_reader reader;
    for (const settled_run& run : runs) {
        const settled_run back = reader.read(in);
        ASSERT_TRUE(in.ok());
        EXPECT_EQ(back.queue, run.queue);
        EXPECT_EQ(back.first, run.first);
        EXPECT_EQ(back.more, run.more);
    }
    EXPECT_TRUE(in.at_end());
}

TEST(RecordCodec, ASettledMessageOfTheSameQueueTakesTwoOctets) {
    settled_writer writer;
    char memory[settled_run_bytes_max];
    payload_writer first{memory};
    writer.write(first, {9, 1'000'000, 0});

    payload_writer second{memory};
    writer.write(second, {9, 1'000'003, 0});

    EXPECT_EQ(second.position() - memory, 2);
}

// The example of docs/store_format.md.
TEST(StoreFormat, WorkedExampleHasTheseOctets) {
    testing::fake_disk disk;
    const recovered_tail fresh;
    log the_log{log_options{}, fresh};
    log_writer writer{disk, writer_options{}, fresh};
    const queue_entry queue{7, 0, false};
    publish_record record;
    record.id = 1;
    record.routing_key = "q";
    record.body = "hi";
    record.queues = {&queue, 1};
    the_log.published(record);
    the_log.settled(7, 1);
    batch full = the_log.take_batch();

    ASSERT_FALSE(writer.write(full));

    const std::string file = disk.content("log-0000000000000001");
    EXPECT_EQ(
        hex_of(octets{file}.substr(0, 64)),
        "6c6f76616777616c"
        "02000000"
        "00000000"
        "0100000000000000"
        "0000000000000000"
        "00000000000000000000000000000000000000000000000000000000"
        "90f08141");
    EXPECT_EQ(
        hex_of(octets{file}.substr(64, 22)),
        "a171334e"
        "01000000"
        "0100000000000000"
        "00000000"
        "01"
        "01");
    EXPECT_EQ(
        hex_of(octets{file}.substr(86, 34)),
        "454184d0"
        "0d000000"
        "0200000000000000"
        "01000000"
        "08"
        "0100000000017100010700"
        "6869");
    EXPECT_EQ(
        hex_of(octets{file}.substr(120, 24)),
        "e31984ea"
        "03000000"
        "0300000000000000"
        "02000000"
        "09"
        "050700");
    EXPECT_EQ(octets{file}.substr(144, 100), std::string(100, '\0'));
}

}  // namespace
}  // namespace lovage::broker::store
