#include "broker/store/directory.hpp"

#include "broker/store/errors.hpp"
#include "broker/store/recovery.hpp"
#include "tests/broker/store/fake_disk.hpp"
#include "tests/broker/store/small_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lovage::broker::store {
namespace {

using testing::fake_disk;
using ::testing::HasSubstr;
using testing::small_broker;
using testing::small_options;

boost::system::error_code open_directory(fake_disk& disk, std::string& problem) {
    recovery reader{disk, {}};
    return reader.run(problem);
}

TEST(DataDirectory, MarkerComesBack) {
    const auto back = parse_marker(format_marker({1, 0xDEADBEEF}));

    ASSERT_TRUE(back);
    EXPECT_EQ(back->version, 1U);
    EXPECT_EQ(back->salt, 0xDEADBEEFU);
}

TEST(DataDirectory, OtherTextIsNoMarker) {
    for (const char* text :
         {"",
          "lovage-store",
          "lovage-store 1",
          "lovage-store 1 0000",
          "lovage-store x 0\n",
          "lovage-store 0 0000000000000001\n",
          "lovage-store 1 000000000000000g\n",
          "lovage-store 1 0000000000000000"}) {
        EXPECT_FALSE(parse_marker(text)) << text;
    }
}

TEST(DataDirectory, EmptyOneIsMarkedWithTheGivenSaltAndKeepsIt) {
    fake_disk disk;
    std::string problem;
    EXPECT_EQ(claim_directory(disk, 42, problem)->salt, 42U);

    disk.after_kill();

    EXPECT_EQ(claim_directory(disk, 43, problem)->salt, 42U);
    EXPECT_EQ(disk.content(marker_name), "lovage-store 2 000000000000002a\n");
}

TEST(DataDirectory, MarkerThatAKillLeftUnsyncedIsOnDiskBeforeLogsDependOnIt) {
    fake_disk disk;
    disk.power_off_at(2);  // created and written, neither it nor its name synced
    std::string problem;
    ASSERT_TRUE(claim_directory(disk, 42, problem).has_error());
    disk.after_kill();
    small_broker second{disk, small_options{}};
    ASSERT_TRUE(second.start()) << second.problem();
    const queue_id queue = second.declare("q");
    second.publish({queue}, "confirmed");
    ASSERT_TRUE(second.commit());

    const auto left = disk.after_power_loss([] { return false; });

    small_broker third{*left, small_options{}};
    ASSERT_TRUE(third.start()) << third.problem();
    EXPECT_EQ(third.state(), second.state());
}

TEST(DataDirectory, OneWithOtherFilesAndNoMarkerIsRefusedUntouched) {
    fake_disk disk;
    disk.set_content("passwd", "root");
    std::string problem;

    EXPECT_EQ(open_directory(disk, problem), errc::foreign_directory);

    EXPECT_THAT(problem, HasSubstr("not a lovage data directory"));
    EXPECT_THAT(problem, HasSubstr("passwd"));
    EXPECT_THAT(disk.names(), ::testing::ElementsAre("passwd"));
}

TEST(DataDirectory, OtherFilesBesideTheMarkerAreLeftAlone) {
    fake_disk disk;
    disk.set_content(marker_name, format_marker({1, 0}));
    disk.set_content("notes.txt", "mine");
    std::string problem;

    EXPECT_FALSE(open_directory(disk, problem)) << problem;

    EXPECT_EQ(disk.content("notes.txt"), "mine");
}

TEST(DataDirectory, NewerMarkerIsRefusedWithBothVersions) {
    fake_disk disk;
    disk.set_content(marker_name, format_marker({7, 0}));
    std::string problem;

    EXPECT_EQ(open_directory(disk, problem), errc::newer_version);

    EXPECT_THAT(problem, HasSubstr("version 7"));
    EXPECT_THAT(problem, HasSubstr("supports up to 2"));
}

TEST(DataDirectory, NewerLogHeaderIsRefusedWithItsFile) {
    fake_disk disk;
    disk.set_content(marker_name, format_marker({1, 0}));
    std::string header(header_bytes, '\0');
    put_file_header(header.data(), {9, 1, 0});
    disk.set_content(log_name(1), header);
    std::string problem;

    EXPECT_EQ(open_directory(disk, problem), errc::newer_version);

    EXPECT_THAT(problem, HasSubstr(log_name(1)));
    EXPECT_THAT(problem, HasSubstr("version 9"));
    EXPECT_EQ(disk.content(log_name(1)), header);
}

TEST(DataDirectory, LogOfAnotherDirectoryIsRefused) {
    fake_disk disk;
    disk.set_content(marker_name, format_marker({1, 0}));
    std::string header(header_bytes, '\0');
    put_file_header(header.data(), {1, 1, 0x1234});
    disk.set_content(log_name(1), header);
    std::string problem;

    EXPECT_EQ(open_directory(disk, problem), errc::damaged);

    EXPECT_THAT(problem, HasSubstr("another data directory"));
}

TEST(DataDirectory, SecondBrokerIsRefusedAndToldWhoHoldsIt) {
    fake_disk disk;
    std::string problem;
    ASSERT_FALSE(open_directory(disk, problem));

    EXPECT_EQ(open_directory(disk, problem), errc::locked);

    EXPECT_THAT(problem, HasSubstr("another broker (process 4711)"));
}

TEST(DataDirectory, LostMarkerIsAnErrorWhenThereAreLogs) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    ASSERT_TRUE(broker.start());
    broker.declare("q");
    ASSERT_TRUE(broker.commit());
    disk.after_kill();
    ASSERT_FALSE(disk.remove(marker_name));
    std::string problem;

    EXPECT_EQ(open_directory(disk, problem), errc::damaged);

    EXPECT_THAT(problem, HasSubstr("is missing"));
}

TEST(DataDirectory, MarkerCutByACrashBeforeAnyLogIsWrittenAgain) {
    fake_disk disk;
    disk.set_content(marker_name, "");
    disk.set_content(lock_name, "");
    std::string problem;

    EXPECT_FALSE(open_directory(disk, problem)) << problem;

    EXPECT_TRUE(parse_marker(disk.content(marker_name)));
}

TEST(DataDirectory, NamesThatOnlyResembleOursAreForeign) {
    const auto content = classify(
        {"log-0000000000000001", "log-1", "spare-0000000000000002", "log-000000000000000A"});

    EXPECT_THAT(content.logs, ::testing::ElementsAre(1U));
    EXPECT_THAT(content.spares, ::testing::ElementsAre("spare-0000000000000002"));
    EXPECT_FALSE(content.foreign.empty());
}

}  // namespace
}  // namespace lovage::broker::store
