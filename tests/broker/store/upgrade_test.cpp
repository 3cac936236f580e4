// Data directories that earlier versions of the format have left: data/v1 and so on, each made by
// the broker of that version with data/make.py. What is in them is checked by
// tests/interop/test_upgrade.py through the running broker; here, how they become ours.
#include "broker/store/directory.hpp"
#include "broker/store/recovery.hpp"
#include "broker/store/verification.hpp"
#include "tests/broker/store/fake_disk.hpp"
#include "tests/broker/store/small_broker.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace lovage::broker::store {
namespace {

using testing::fake_disk;
using testing::recover_snapshot;
using testing::small_broker;
using testing::small_options;
using testing::snapshot;

/// One line for each version that is not the present one.
constexpr std::array older_versions{1U};

std::unique_ptr<fake_disk> stored(unsigned version) {
    const std::filesystem::path folder{
        std::string{LOVAGE_STORE_DATA} + "/v" + std::to_string(version)};
    auto disk = std::make_unique<fake_disk>();
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        std::ifstream in{entry.path(), std::ios::binary};
        disk->set_content(
            entry.path().filename().string(), std::string{std::istreambuf_iterator<char>{in}, {}});
    }
    return disk;
}

std::uint64_t marked_version(const fake_disk& disk) {
    const auto found = parse_marker(disk.content(marker_name));
    return found ? found->version : 0;
}

snapshot recovered(fake_disk& disk) {
    snapshot found;
    std::string problem;
    EXPECT_TRUE(recover_snapshot(disk, found, problem)) << problem;
    disk.after_kill();
    return found;
}

class StoredDirectory : public ::testing::TestWithParam<unsigned> {};

TEST_P(StoredDirectory, OpensAndIsMarkedAsOfThisVersion) {
    const auto disk = stored(GetParam());
    ASSERT_EQ(marked_version(*disk), GetParam());

    const snapshot found = recovered(*disk);

    EXPECT_EQ(marked_version(*disk), format_version);
    EXPECT_EQ(found.queues.size(), 7U) << "six with names, one delay line";
    EXPECT_EQ(found.entries.size(), 13U);
    EXPECT_EQ(recovered(*disk), found);
}

TEST_P(StoredDirectory, OpensAfterACrashAtAnyCallOfItsFirstStart) {
    const snapshot expected = recovered(*stored(GetParam()));
    std::mt19937 random{GetParam()};
    bool through = false;
    for (std::size_t call = 0; !through; ++call) {
        for (int subset = 0; subset < 20; ++subset) {
            const auto disk = stored(GetParam());
            disk->power_off_at(call);
            recovery first{*disk, small_options{}.recovery};
            std::string problem;
            through = !first.run(problem);

            const auto left = disk->after_power_loss(
                [&] { return subset == 0 || (subset != 1 && random() % 2 == 0); });

            ASSERT_NE(marked_version(*left), 0U) << call;
            EXPECT_EQ(recovered(*left), expected) << call;
            EXPECT_EQ(marked_version(*left), format_version);
        }
    }
}

TEST_P(StoredDirectory, IsMarkedBeforeAnythingOfThisVersionIsWritten) {
    const auto disk = stored(GetParam());
    small_broker broker{*disk, small_options{}};
    ASSERT_TRUE(broker.start()) << broker.problem();
    // What a power loss leaves: the marker is never older than the log.
    const auto left = disk->after_power_loss([] { return false; });

    EXPECT_EQ(marked_version(*left), format_version);
}

TEST_P(StoredDirectory, ThatIsDamagedKeepsItsMarkerForTheVersionThatWroteIt) {
    const auto disk = stored(GetParam());
    std::string log = disk->content(log_name(1));
    log[200] = static_cast<char>(~log[200]);
    disk->set_content(log_name(1), log);
    recovery reader{*disk, small_options{}.recovery};
    std::string problem;

    EXPECT_EQ(reader.run(problem), errc::damaged) << problem;

    EXPECT_EQ(marked_version(*disk), GetParam());
    EXPECT_EQ(disk->content(log_name(1)), log);
}

TEST_P(StoredDirectory, IsVerifiedAndNotChanged) {
    const auto disk = stored(GetParam());
    verification check{*disk};
    std::string problem;

    ASSERT_FALSE(check.run(problem)) << problem;

    EXPECT_TRUE(check.report().whole()) << check.report().faults.front();
    EXPECT_EQ(check.report().queues, 6U);
    EXPECT_EQ(check.report().delay_lines, 1U);
    EXPECT_EQ(check.report().settings.at("user"), 2U);
    EXPECT_EQ(marked_version(*disk), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Versions,
    StoredDirectory,
    ::testing::ValuesIn(older_versions),
    [](const auto& version) { return "V" + std::to_string(version.param); });

}  // namespace
}  // namespace lovage::broker::store
