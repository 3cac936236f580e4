#include "broker/store/verification.hpp"

#include "tests/broker/store/stored_pages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lovage::broker::store {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using testing::copy_of;
using testing::fake_disk;
using ::testing::HasSubstr;
using testing::page_change;
using testing::page_out;
using testing::small_broker;
using testing::small_options;
using testing::state_of;
using testing::stored_pages;

/// Bits between two that are flipped: all would take many seconds.
constexpr std::size_t bit_step = 7;

std::map<std::string, std::string> contents(const fake_disk& files) {
    std::map<std::string, std::string> all;
    for (const std::string& name : files.names()) {
        if (name != lock_name) {
            all[name] = files.content(name);
        }
    }
    return all;
}

verification_report verified(fake_disk& files) {
    verification check{files};
    std::string problem;
    EXPECT_FALSE(check.run(problem)) << problem;
    files.after_kill();
    return check.report();
}

class Verification : public ::testing::Test {
protected:
    Verification() : stored_(disk_) {}

    void cut(const std::string& name, std::size_t octets) {
        const std::string content = disk_.content(name);
        disk_.set_content(name, content.substr(0, content.size() - octets));
    }
    void flip(const std::string& name, const std::string& text) {
        std::string content = disk_.content(name);
        const std::size_t at = content.find(text);
        ASSERT_NE(at, std::string::npos) << text;
        content[at] ^= 1;
        disk_.set_content(name, content);
    }

    fake_disk disk_;
    stored_pages stored_;
};

TEST_F(Verification, WholeDirectoryIsCountedAndNotChanged) {
    const auto before = contents(disk_);
    const std::size_t calls = disk_.calls();

    const verification_report found = verified(disk_);

    EXPECT_TRUE(found.whole()) << found.faults.front();
    EXPECT_GT(found.log_files, 2U);
    EXPECT_FALSE(found.torn);
    EXPECT_EQ(found.queues, 2U);
    EXPECT_EQ(found.exchanges, 1U);
    EXPECT_EQ(found.bindings, 2U);
    EXPECT_EQ(found.settings.at("other"), 1U);
    EXPECT_EQ(found.pages, 2U);
    EXPECT_EQ(found.segments, 2U);
    EXPECT_EQ(found.messages_in_pages, 6U) << "five and two, one is settled";
    EXPECT_EQ(found.messages_in_log, 24U + 2U - 1U - 4U)
        << "one is settled; one of the five in the page, and both of the other, are still in "
           "another queue";
    EXPECT_EQ(found.unused_segments, 0U);
    EXPECT_EQ(contents(disk_), before);
    EXPECT_EQ(disk_.calls(), calls);
}

TEST_F(Verification, RunningBrokerIsNotLookedAt) {
    small_broker running{disk_, small_options{}};
    ASSERT_TRUE(running.start());
    verification check{disk_};
    std::string problem;

    EXPECT_EQ(check.run(problem), errc::locked);
}

TEST(VerificationOfOthers, EmptyOrForeignDirectoryIsRefusedAndLeftAlone) {
    fake_disk empty;
    fake_disk foreign;
    foreign.set_content("letter.txt", "text");
    std::string problem;

    EXPECT_EQ(verification{empty}.run(problem), errc::foreign_directory);
    EXPECT_THAT(problem, HasSubstr(marker_name));
    EXPECT_EQ(verification{foreign}.run(problem), errc::foreign_directory);
    EXPECT_TRUE(empty.names().empty());
    EXPECT_EQ(foreign.names().size(), 1U);
}

TEST_F(Verification, EveryFlippedBitIsFoundOrMeansNothing) {
    const auto sound = state_of(disk_);
    std::size_t found = 0;
    for (const auto& [name, content] : contents(disk_)) {
        for (std::size_t bit = 0; bit < content.size() * 8; bit += bit_step) {
            std::string damaged = content;
            damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
            const auto disk = copy_of(disk_);
            disk->set_content(name, damaged);
            verification check{*disk};
            std::string problem;

            if (check.run(problem) || !check.report().whole() || check.report().torn) {
                ++found;
                continue;
            }
            disk->after_kill();
            ASSERT_EQ(content[bit / 8], '\0') << name << " bit " << bit;
            ASSERT_EQ(state_of(*disk), sound) << name << " bit " << bit;
        }
    }
    EXPECT_GT(found, 1000U);
}

TEST_F(Verification, MissingSegmentIsFoundWithTheCountOfItsMessages) {
    ASSERT_FALSE(disk_.remove(segment_name(1)));

    const auto found = verified(disk_);

    EXPECT_THAT(found.faults, Contains(HasSubstr(segment_name(1) + " is missing: 4 messages")));
}

TEST_F(Verification, TruncatedSegmentIsFoundWithItsPages) {
    cut(segment_name(1), 200);

    const auto found = verified(disk_);

    EXPECT_THAT(found.faults, Contains(HasSubstr(segment_name(1) + ": the file does not end")));
    EXPECT_THAT(found.faults, Contains(HasSubstr("page 1 of queue")));
}

TEST_F(Verification, DamagedMessageInASegmentIsFoundWithItsOffset) {
    flip(segment_name(1), "body number 6");

    const auto found = verified(disk_);

    EXPECT_THAT(
        found.faults,
        Contains(AllOf(HasSubstr(segment_name(1)), HasSubstr("at offset"), HasSubstr("octets"))));
}

TEST_F(Verification, MissingLogFileIsFound) {
    ASSERT_FALSE(disk_.remove(log_name(2)));

    const auto found = verified(disk_);

    EXPECT_THAT(found.faults, Contains(HasSubstr(log_name(2) + " is missing")));
}

TEST_F(Verification, AllDamagedPartsOfTheLogAreListed) {
    flip(log_name(1), "body number 1 ");
    flip(log_name(2), "body number 10 ");

    const auto found = verified(disk_);

    EXPECT_THAT(found.faults, Contains(AllOf(HasSubstr(log_name(1)), HasSubstr("no record"))));
    EXPECT_THAT(found.faults, Contains(AllOf(HasSubstr(log_name(2)), HasSubstr("no record"))));
    EXPECT_EQ(found.fault_count, 3U) << "and what recovery says";
}

TEST_F(Verification, SegmentWithoutAPageIsCountedAndMayBeHalf) {
    disk_.set_content(segment_name(9), "half");

    const auto found = verified(disk_);

    EXPECT_TRUE(found.whole());
    EXPECT_EQ(found.unused_segments, 1U);
}

TEST_F(Verification, DamagedLastRecordIsTakenForATornTail) {
    std::string name;
    for (const auto& [each, content] : contents(disk_)) {
        name =
            content.find("the last") != std::string::npos && each.starts_with("log") ? each : name;
    }
    std::string content = disk_.content(name);
    content[content.rfind("the last")] ^= 1;
    disk_.set_content(name, content);

    const auto found = verified(disk_);

    EXPECT_TRUE(found.torn);
}

/// A directory with one page of which the log says something wrong.
std::vector<std::string> faults_of(const page_change& change) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    EXPECT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    const message_id first = broker.publish({queue}, "one");
    const message_id second = broker.publish({queue}, "two");
    EXPECT_TRUE(broker.commit());
    page_out(disk, broker, 1, queue, {first, second}, change);
    EXPECT_TRUE(broker.commit());
    disk.after_kill();
    return verified(disk).faults;
}

TEST(VerifiedInvariants, PageThatIsAsTheLogSaysHasNoFault) {
    EXPECT_TRUE(faults_of([](page_record&) {}).empty());
}

TEST(VerifiedInvariants, BodiesHaveTheOctetsThatTheLogSays) {
    const auto faults = faults_of([](page_record& page) { page.body_bytes += 1; });

    EXPECT_THAT(faults, Contains(HasSubstr("its bodies have 6 octets, the log says 7")));
}

TEST(VerifiedInvariants, EveryLivingIndexIsThere) {
    const auto faults = faults_of([](page_record& page) { page.count += 1; });

    EXPECT_THAT(faults, Contains(HasSubstr("2 living messages are there instead of 3")));
}

TEST(VerifiedInvariants, IdsLieWithinThoseOfThePage) {
    const auto faults = faults_of([](page_record& page) { page.last_message -= 1; });

    EXPECT_THAT(faults, Contains(HasSubstr("its id is not within")));
}

TEST(VerifiedInvariants, TimesAreNotBeforeThoseOfThePage) {
    const auto faults = faults_of([](page_record& page) { page.oldest_ms = 5000; });

    EXPECT_THAT(faults, Contains(HasSubstr("its times are before")));
}

TEST(VerifiedInvariants, NoMessageIsTwiceInAQueue) {
    const auto faults = faults_of([](page_record& page) { page.moved = {}; });

    EXPECT_THAT(faults, Contains(HasSubstr("message 1 is twice in queue 1")));
}

TEST(VerifiedInvariants, PageIsInTheListOfItsSegment) {
    const auto faults = faults_of([](page_record& page) { page.offset += 1; });

    EXPECT_THAT(faults, Contains(HasSubstr("is not in its list of pages")));
}

TEST(VerifiedInvariants, BindingsLeadToQueuesThatAreThere) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    ASSERT_TRUE(broker.start());
    broker.store().bound({binding_target::queue, "/", "ex", "nobody", "key", {}});
    ASSERT_TRUE(broker.commit());
    disk.after_kill();

    EXPECT_THAT(verified(disk).faults, Contains(HasSubstr("'nobody', which is not there")));
}

}  // namespace
}  // namespace lovage::broker::store
