// Blobs: their octets, how they are written before their batch, and what recovery, verification and
// salvage make of them.
#include "broker/store/blob.hpp"

#include "broker/store/directory.hpp"
#include "broker/store/salvage.hpp"
#include "broker/store/verification.hpp"
#include "tests/broker/store/stored_pages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace lovage::broker::store {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::fake_disk;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::page_out;
using testing::small_broker;
using testing::small_options;

constexpr std::uint64_t salt = 77;
constexpr std::size_t large = 100;

boost::system::error_code full() {
    return make_error_code(boost::system::errc::no_space_on_device);
}
boost::system::error_code broken() {
    return make_error_code(boost::system::errc::io_error);
}

std::vector<std::string> blobs_on(const fake_disk& disk) {
    std::vector<std::string> found;
    for (const std::string& name : disk.names()) {
        if (name.starts_with("blob-")) {
            found.push_back(name);
        }
    }
    return found;
}

std::string written(fake_disk& disk, blob_id blob, octets body, std::uint64_t with_salt = salt) {
    const new_blob one{blob, body};
    EXPECT_FALSE(write_blobs(disk, with_salt, {&one, 1}));
    return blob_name(blob);
}

std::string read(fake_disk& disk, const blob_ref& which, std::string& body) {
    byte_buffer content;
    octets found;
    std::string wrong = read_blob(disk, salt, which, content, found);
    body = found;
    return wrong;
}

TEST(Blob, WorkedExampleHasTheseOctets) {
    fake_disk disk;
    const std::string content = disk.content(written(disk, 1, "hi", 0));
    std::ostringstream hex;
    for (const char each : content) {
        constexpr const char* digits = "0123456789abcdef";
        const auto octet = static_cast<unsigned char>(each);
        hex << digits[octet >> 4U] << digits[octet & 0xFU];
    }
    EXPECT_EQ(
        hex.str(),
        "6c6f766167626c62"
        "02000000"
        "00000000"
        "0100000000000000"
        "0000000000000000" +
            std::string(56, '0') +
            "ff724af3"
            "ab9b237c"
            "02000000"
            "0100000000000000"
            "00000000"
            "16"
            "6869");
}

TEST(Blob, ComesBackAsItWasWritten) {
    fake_disk disk;
    for (const std::size_t size : {0UL, 1UL, 5000UL}) {
        const std::string body(size, 'x');
        written(disk, size + 1, body);
        std::string found;
        EXPECT_EQ(read(disk, {size + 1, size}, found), "");
        EXPECT_EQ(found, body);
    }
    EXPECT_EQ(disk.open_files(), 0U);
}

TEST(Blob, IsThereAfterAPowerLoss) {
    fake_disk disk;
    written(disk, 1, "first");
    written(disk, 2, "second");
    const auto after = disk.after_power_loss([] { return false; });
    std::string found;
    EXPECT_EQ(read(*after, {1, 5}, found), "");
    EXPECT_EQ(read(*after, {2, 6}, found), "");
}

TEST(Blob, EveryFlippedBitIsNoticed) {
    fake_disk disk;
    const std::string name = written(disk, 5, "content");
    const std::string whole = disk.content(name);
    std::string found;
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        std::string damaged = whole;
        damaged[bit / 8] ^= static_cast<char>(1U << (bit % 8));
        disk.set_content(name, damaged);
        EXPECT_THAT(read(disk, {5, 7}, found), HasSubstr(name)) << bit;
    }
}

TEST(Blob, AnotherLengthNumberOrDirectoryIsNoticed) {
    fake_disk disk;
    const std::string name = written(disk, 5, "content");
    std::string found;
    EXPECT_THAT(read(disk, {5, 6}, found), HasSubstr("not as long"));
    EXPECT_THAT(read(disk, {6, 7}, found), HasSubstr("cannot open"));
    disk.set_content(blob_name(6), disk.content(name));
    EXPECT_THAT(read(disk, {6, 7}, found), HasSubstr("not that of this blob"));
    written(disk, 7, "content", salt + 1);
    EXPECT_THAT(read(disk, {7, 7}, found), HasSubstr("not that of this blob"));
}

TEST(Blob, NothingIsLeftOfThoseThatCouldNotAllBeWritten) {
    const std::string body(large, 'x');
    const std::vector<new_blob> all{{1, body}, {2, body}, {3, body}};
    fake_disk whole;
    EXPECT_FALSE(write_blobs(whole, salt, all));
    for (std::size_t call = 0; call < whole.calls(); ++call) {
        fake_disk disk;
        disk.fail_at(call, full());
        EXPECT_EQ(write_blobs(disk, salt, all), full()) << call;
        EXPECT_THAT(blobs_on(disk), IsEmpty()) << call;
        EXPECT_EQ(disk.open_files(), 0U);
    }
}

/// A broker with large bodies in blobs, one in the log and two of a page.
class BlobsOfABroker : public ::testing::Test {
protected:
    BlobsOfABroker() {
        options_.blob_bytes_min = large;
        broker_ = std::make_unique<small_broker>(disk_, options_);
        EXPECT_TRUE(broker_->start());
        queue_ = broker_->declare("q");
    }
    message_id publish(char fill) { return broker_->publish({queue_}, std::string(large, fill)); }
    void fill() {
        ids_ = {publish('a'), publish('b'), publish('c')};
        ASSERT_TRUE(broker_->commit());
        page_out(disk_, *broker_, 1, queue_, {ids_[1], ids_[2]});
        ASSERT_TRUE(broker_->commit());
        disk_.after_kill();
    }
    verification_report verified() {
        verification check{disk_};
        std::string problem;
        EXPECT_FALSE(check.run(problem)) << problem;
        disk_.after_kill();
        return check.report();
    }
    std::string start() {
        recovery found{disk_, options_.recovery};
        std::string problem;
        if (!found.run(problem)) {
            EXPECT_FALSE(
                found.for_each_message([](const recovered_message&) {}, problem) &&
                problem.empty());
        }
        disk_.after_kill();
        return problem;
    }
    salvage_report salvaged() {
        salvage_options how;
        how.log = options_.log;
        how.writer = options_.writer;
        how.new_salt = 1;
        salvage work{disk_, into_, how};
        std::string problem;
        EXPECT_FALSE(work.run(problem)) << problem;
        into_.after_kill();
        return work.report();
    }
    void damage(blob_id blob) {
        std::string content = disk_.content(blob_name(blob));
        content.back() ^= 1;
        disk_.set_content(blob_name(blob), content);
    }

    fake_disk disk_;
    fake_disk into_;
    small_options options_;
    std::unique_ptr<small_broker> broker_;
    queue_id queue_ = 0;
    std::vector<message_id> ids_;
};

TEST_F(BlobsOfABroker, AreOnDiskBeforeTheRecordsThatReferToThem) {
    publish('a');
    publish('b');
    ASSERT_TRUE(broker_->commit());
    std::vector<std::string> order;
    for (const std::string& call : disk_.trace()) {
        if (call.starts_with("create blob") || call == "sync directory" ||
            call.starts_with("create log")) {
            order.push_back(call.substr(0, 11));
        }
    }
    order.erase(order.begin(), std::ranges::find(order, "create blob"));
    EXPECT_THAT(
        order,
        ElementsAre("create blob", "create blob", "sync direct", "create log-", "sync direct"));
    EXPECT_EQ(broker_->writer().counters().blobs, 2U);
}

TEST_F(BlobsOfABroker, FullDiskLeavesTheBatchToBeWrittenAgain) {
    ASSERT_TRUE(broker_->commit());
    for (int i = 0; i < 20; ++i) {
        publish('x');
    }
    disk_.set_capacity(disk_.total_bytes() + 3 * large);
    EXPECT_FALSE(broker_->commit());
    EXPECT_EQ(broker_->error(), errc::disk_full);
    EXPECT_THAT(broker_->problem(), HasSubstr("blob-"));
    disk_.set_capacity(std::nullopt);
    EXPECT_TRUE(broker_->commit());
    EXPECT_EQ(blobs_on(disk_).size(), 20U);
    disk_.after_kill();
    EXPECT_TRUE(verified().whole());
}

TEST_F(BlobsOfABroker, FailedWriteEndsTheLog) {
    ASSERT_TRUE(broker_->commit());
    publish('x');
    disk_.fail_at(disk_.calls() + 1, broken());
    EXPECT_FALSE(broker_->commit());
    EXPECT_EQ(broker_->error(), errc::write_failed);
    EXPECT_THAT(broker_->problem(), HasSubstr("cannot write blob-"));
}

TEST_F(BlobsOfABroker, AreFoundAndCountedAndOthersRemovedAtTheStart) {
    fill();
    disk_.set_content(blob_name(99), "half");
    const verification_report found = verified();
    EXPECT_TRUE(found.whole()) << found.faults.front();
    EXPECT_EQ(found.blobs, 3U);
    EXPECT_EQ(found.blob_octets, 3 * large);
    EXPECT_EQ(found.unused_blobs, 1U);
    EXPECT_EQ(found.octets_in_log, large);
    EXPECT_EQ(found.octets_in_pages, 2 * large);
    EXPECT_EQ(start(), "");
    EXPECT_EQ(blobs_on(disk_).size(), 3U);
}

TEST_F(BlobsOfABroker, MissingOneEndsTheStartAndIsListed) {
    for (const std::size_t which : {0U, 1U}) {
        if (ids_.empty()) {
            fill();
        }
        const std::string name = blob_name(ids_[which]);
        const std::string content = disk_.content(name);
        ASSERT_FALSE(disk_.remove(name));
        EXPECT_THAT(start(), HasSubstr(name + " is missing"));
        EXPECT_THAT(verified().faults, ElementsAre(HasSubstr(name + " is missing")));
        disk_.set_content(name, content);
        EXPECT_TRUE(verified().whole());
    }
}

TEST_F(BlobsOfABroker, DamagedOneOfTheLogEndsTheStartAndIsListed) {
    fill();
    damage(ids_[0]);
    EXPECT_THAT(start(), HasSubstr(blob_name(ids_[0]) + ": the body is damaged"));
    EXPECT_THAT(verified().faults, ElementsAre(HasSubstr("the body is damaged")));
}

TEST_F(BlobsOfABroker, DamagedOneOfAPageIsSeenWhenItIsRead) {
    fill();
    damage(ids_[2]);
    EXPECT_EQ(start(), "");
    EXPECT_THAT(verified().faults, ElementsAre(HasSubstr(blob_name(ids_[2]))));
}

TEST_F(BlobsOfABroker, PageWhoseBlobsTheLogDoesNotNameIsAFault) {
    ids_ = {publish('a'), publish('b')};
    ASSERT_TRUE(broker_->commit());
    page_out(disk_, *broker_, 1, queue_, ids_, [](page_record& record) {
        record.blobs = record.blobs.first(1);
    });
    ASSERT_TRUE(broker_->commit());
    disk_.after_kill();
    EXPECT_THAT(verified().faults, Contains(HasSubstr("other blobs than the log says")));
}

TEST_F(BlobsOfABroker, SalvagePutsTheBodiesIntoTheRecords) {
    fill();
    const auto before = testing::state_of(disk_);
    EXPECT_EQ(salvaged().lost_count, 0U);
    EXPECT_THAT(blobs_on(into_), IsEmpty());
    EXPECT_EQ(testing::state_of(into_), before);
}

TEST_F(BlobsOfABroker, SalvageNamesWhatIsLostAndGoesOn) {
    fill();
    damage(ids_[0]);
    ASSERT_FALSE(disk_.remove(blob_name(ids_[1])));
    const salvage_report report = salvaged();
    EXPECT_EQ(report.messages_from_log, 0U);
    EXPECT_EQ(report.messages_from_pages, 1U);
    EXPECT_THAT(report.lost, Contains(HasSubstr(blob_name(ids_[0]))));
    EXPECT_THAT(report.lost, Contains(HasSubstr(blob_name(ids_[1]))));
}

}  // namespace
}  // namespace lovage::broker::store
