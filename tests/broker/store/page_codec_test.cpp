#include "broker/store/record_codec.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lovage::broker::store {
namespace {

std::string encoded(const page_record& record) {
    std::string octets(payload_bound(record), '\0');
    payload_writer out{octets.data()};
    write_payload(out, record);
    const auto used = static_cast<std::size_t>(out.position() - octets.data());
    EXPECT_LE(used, octets.size());
    octets.resize(used);
    return octets;
}

page_record example() {
    page_record record;
    record.id = 5;
    record.queue = 7;
    record.level = 3;
    record.segment = 2;
    record.offset = 64;
    record.bytes = 1000;
    record.count = 130;
    record.first_message = 40;
    record.last_message = 400;
    record.first_due_ms = 9;
    record.oldest_ms = 1'700'000'000'000;
    record.first_expiry_ms = ~std::uint64_t{0};
    record.body_bytes = 77;
    return record;
}

TEST(PageCodec, GivesBackWhatWasWritten) {
    page_record record = example();
    const std::vector<std::uint64_t> dead{0b1011, ~std::uint64_t{0}, 0b10};
    const std::vector<std::pair<std::uint32_t, std::uint32_t>> returned{{2, 1}, {129, 4'000'000}};
    const std::vector<message_id> moved{40, 41, 42, 50, 49, 400};
    record.dead = dead;
    record.returned = returned;
    record.moved = moved;
    page_content found;
    ASSERT_TRUE(read_payload(encoded(record), found));
    EXPECT_EQ(found.record.id, 5U);
    EXPECT_EQ(found.record.level, 3U);
    EXPECT_EQ(found.record.count, 130U);
    EXPECT_EQ(found.record.last_message, 400U);
    EXPECT_EQ(found.record.first_expiry_ms, ~std::uint64_t{0});
    EXPECT_EQ(found.dead, dead);
    EXPECT_EQ(found.returned, returned);
    EXPECT_EQ(found.moved, moved);
}

TEST(PageCodec, PrefixesAndDamageAreRefusedOrWithinBounds) {
    page_record record = example();
    const std::vector<std::uint64_t> dead{0b1011};
    const std::vector<message_id> moved{40, 41};
    record.dead = dead;
    record.moved = moved;
    const std::string whole = encoded(record);
    for (std::size_t size = 0; size + 3 < whole.size(); ++size) {
        page_content found;
        EXPECT_FALSE(read_payload(octets{whole}.substr(0, size), found)) << size;
    }
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        std::string damaged = whole;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        page_content found;
        if (read_payload(damaged, found)) {
            EXPECT_LE(found.dead.size() * 64, found.record.count + 64U);
            EXPECT_LE(found.moved.size(), found.record.count);
        }
    }
}

TEST(PageCodec, MoreThanAPageHoldsIsRefused) {
    page_record record = example();
    record.count = 2;
    const std::vector<message_id> three{1, 2, 3};
    record.moved = three;
    page_content found;
    EXPECT_FALSE(read_payload(encoded(record), found));
    record.moved = {};
    record.count = page_messages_max + 1;
    EXPECT_FALSE(read_payload(encoded(record), found));
    record.count = 0;
    EXPECT_FALSE(read_payload(encoded(record), found));
}

}  // namespace
}  // namespace lovage::broker::store
