#include "broker/store/posix_disk.hpp"

#include "tests/broker/store/small_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace lovage::broker::store {
namespace {

using ::testing::HasSubstr;
using testing::recover_snapshot;
using testing::small_broker;
using testing::small_options;
using testing::snapshot;

class PosixDisk : public ::testing::Test {
protected:
    PosixDisk() {
        std::string pattern = (std::filesystem::temp_directory_path() / "lovage-store-XXXXXX");
        base_ = ::mkdtemp(pattern.data());
        path_ = base_ / "data";
    }
    ~PosixDisk() override { std::filesystem::remove_all(base_); }

    std::unique_ptr<posix_disk> open() {
        auto opened = posix_disk::open_directory(path_.string(), problem_);
        EXPECT_TRUE(opened) << problem_;
        return opened ? std::move(*opened) : nullptr;
    }

    std::filesystem::path base_;
    std::filesystem::path path_;
    std::string problem_;
};

TEST_F(PosixDisk, WritesPiecesInOrderAndReadsThemBack) {
    const auto disk = open();
    const auto file = disk->open("f", disk::open_mode::create);
    ASSERT_TRUE(file);
    // More pieces than one system call takes, some empty.
    std::vector<std::string> texts;
    std::string all;
    for (int i = 0; i < 3000; ++i) {
        texts.push_back(
            std::string(static_cast<std::size_t>(i % 7), static_cast<char>('a' + i % 26)));
        all += texts.back();
    }
    const std::vector<octets> pieces(texts.begin(), texts.end());

    ASSERT_FALSE(disk->write(*file, 100, pieces));
    ASSERT_FALSE(disk->sync(*file));

    EXPECT_EQ(*disk->size(*file), 100 + all.size());
    std::string back(all.size() + 50, '\0');
    EXPECT_EQ(*disk->read(*file, 100, back.data(), back.size()), all.size());
    back.resize(all.size());
    EXPECT_EQ(back, all);
    disk->close(*file);
}

TEST_F(PosixDisk, ListsRenamesAndRemoves) {
    const auto disk = open();
    disk->close(*disk->open("a", disk::open_mode::create));
    ASSERT_FALSE(disk->rename("a", "b"));
    EXPECT_THAT(*disk->list(), ::testing::ElementsAre("b"));
    ASSERT_FALSE(disk->remove("b"));
    ASSERT_FALSE(disk->sync_directory());

    EXPECT_TRUE(disk->list()->empty());
    EXPECT_TRUE(disk->open("b", disk::open_mode::existing).has_error());
}

TEST_F(PosixDisk, MissingParentIsAnErrorWithThePath) {
    path_ = base_ / "no" / "data";

    EXPECT_TRUE(posix_disk::open_directory(path_.string(), problem_).has_error());

    EXPECT_THAT(problem_, HasSubstr("cannot create data directory " + path_.string()));
}

TEST_F(PosixDisk, FileInPlaceOfTheDirectoryIsAnError) {
    std::ofstream{path_} << "x";

    EXPECT_TRUE(posix_disk::open_directory(path_.string(), problem_).has_error());

    EXPECT_THAT(problem_, HasSubstr("cannot open data directory"));
}

/// Root may write everywhere; as long as this lives, the process is nobody.
class without_root_rights {
public:
    without_root_rights() {
        if (was_ == 0) {
            EXPECT_EQ(::seteuid(nobody), 0);
        }
    }
    without_root_rights(const without_root_rights&) = delete;
    without_root_rights& operator=(const without_root_rights&) = delete;
    ~without_root_rights() {
        if (was_ == 0) {
            EXPECT_EQ(::seteuid(was_), 0);
        }
    }

private:
    static constexpr uid_t nobody = 65534;
    const uid_t was_ = ::geteuid();
};

TEST_F(PosixDisk, DirectoryWithoutWritePermissionIsAnError) {
    std::filesystem::create_directory(path_);
    constexpr auto no_writing = static_cast<std::filesystem::perms>(0555);
    std::filesystem::permissions(base_, no_writing | std::filesystem::perms::owner_write);
    std::filesystem::permissions(path_, no_writing);
    const without_root_rights nobody;

    EXPECT_TRUE(posix_disk::open_directory(path_.string(), problem_).has_error());

    EXPECT_THAT(problem_, HasSubstr("cannot write to data directory"));
}

TEST_F(PosixDisk, LockKeepsASecondBrokerOutAndNamesTheFirst) {
    const auto first = open();
    small_broker broker{*first, small_options{}};
    ASSERT_TRUE(broker.start()) << broker.problem();
    const auto second = open();
    small_broker late{*second, small_options{}};

    EXPECT_FALSE(late.start());

    EXPECT_EQ(late.error(), errc::locked);
    EXPECT_THAT(late.problem(), HasSubstr("process " + std::to_string(::getpid())));
}

TEST_F(PosixDisk, ReadOnlyOneChangesNothing) {
    std::string problem;
    {
        auto writing = posix_disk::open_directory(path_, problem);
        ASSERT_TRUE(writing) << problem;
        ASSERT_TRUE((*writing)->open("file", disk::open_mode::create));
    }
    const auto looking = posix_disk::open_read_only(path_, problem);
    ASSERT_TRUE(looking) << problem;
    posix_disk& disk = **looking;
    const octets piece = "text";

    const auto file = disk.open("file", disk::open_mode::existing);
    ASSERT_TRUE(file);
    EXPECT_TRUE(disk.write(*file, 0, {&piece, 1}));
    EXPECT_FALSE(disk.open("other", disk::open_mode::create));
    EXPECT_TRUE(disk.sync(*file));
    EXPECT_TRUE(disk.sync_directory());
    EXPECT_TRUE(disk.rename("file", "other"));
    EXPECT_TRUE(disk.remove("file"));
    EXPECT_FALSE(disk.lock("lock", problem)) << "there is none, so nobody has it";

    EXPECT_EQ(disk.list().value(), std::vector<std::string>{"file"});
    EXPECT_EQ(disk.size(*file).value(), 0U);
    disk.close(*file);
}

TEST_F(PosixDisk, ReadOnlyOneIsKeptOutByABrokerAndKeepsOneOut) {
    std::string problem;
    std::string holder;
    auto running = posix_disk::open_directory(path_, problem);
    ASSERT_TRUE(running) << problem;
    ASSERT_FALSE((*running)->lock("lock", holder));
    const auto looking = posix_disk::open_read_only(path_, problem);
    ASSERT_TRUE(looking) << problem;

    EXPECT_TRUE((*looking)->lock("lock", holder));
    running->reset();
    EXPECT_FALSE((*looking)->lock("lock", holder));
    running = posix_disk::open_directory(path_, problem);
    ASSERT_TRUE(running) << problem;
    EXPECT_TRUE((*running)->lock("lock", holder));
}

TEST_F(PosixDisk, ReadOnlyOneThatIsMissingIsNotMade) {
    std::string problem;

    EXPECT_FALSE(posix_disk::open_read_only((path_ / "missing").string(), problem));

    EXPECT_NE(problem.find("/missing"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(path_ / "missing"));
}

TEST_F(PosixDisk, LockEndsWithTheDisk) {
    for (int i = 0; i < 2; ++i) {
        const auto disk = open();
        small_broker broker{*disk, small_options{}};
        EXPECT_TRUE(broker.start()) << broker.problem();
    }
}

TEST_F(PosixDisk, ForeignDirectoryIsRefusedAndNothingIsAddedToIt) {
    std::filesystem::create_directory(path_);
    std::ofstream{path_ / "photo.jpg"} << "x";
    const auto disk = open();
    small_broker broker{*disk, small_options{}};

    EXPECT_FALSE(broker.start());

    EXPECT_EQ(broker.error(), errc::foreign_directory);
    EXPECT_THAT(*disk->list(), ::testing::ElementsAre("photo.jpg"));
}

TEST_F(PosixDisk, StoreComesBackAfterRestartsWithRecycledFiles) {
    snapshot expected;
    for (int round = 0; round < 4; ++round) {
        const auto disk = open();
        small_broker broker{*disk, small_options{}};
        ASSERT_TRUE(broker.start()) << broker.problem();
        EXPECT_EQ(broker.state(), expected);
        const queue_id queue = broker.declare("q" + std::to_string(round));
        for (int i = 0; i < 100; ++i) {
            const message_id id = broker.publish({queue}, std::string(100, 'x'));
            if (i % 9 != 0) {
                broker.ack(queue, id);
            }
            broker.rewrite_if_wanted();
            ASSERT_TRUE(broker.commit()) << broker.problem();
        }
        EXPECT_GT(broker.writer().counters().files_recycled, 0U);
        expected = broker.state();
    }
}

TEST_F(PosixDisk, FullSizedFilesAreWrittenAheadAndReadBack) {
    small_options options;
    options.log = {};
    options.writer = {};
    options.recovery = {1, 1U << 20U, 4};
    snapshot expected;
    {
        const auto disk = open();
        small_broker broker{*disk, options};
        ASSERT_TRUE(broker.start()) << broker.problem();
        const queue_id queue = broker.declare("q");
        broker.publish({queue}, std::string(3U << 20U, 'x'));
        ASSERT_TRUE(broker.commit()) << broker.problem();
        broker.publish({queue}, "y");
        ASSERT_TRUE(broker.commit()) << broker.problem();
        expected = broker.state();
    }
    const auto disk = open();
    small_broker broker{*disk, options};

    ASSERT_TRUE(broker.start()) << broker.problem();

    EXPECT_EQ(broker.state(), expected);
}

}  // namespace
}  // namespace lovage::broker::store
