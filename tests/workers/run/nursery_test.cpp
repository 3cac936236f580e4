// The nursery by itself: this process is the worker, its children do what a test says.
#include "workers/run/nursery.hpp"

#include "tests/workers/run/process.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lovage::workers::test {
namespace {

/// The next news; waits for it.
nursery_news next_news(nursery& source) {
    while (true) {
        if (auto news = source.next()) {
            return std::move(*news);
        }
        pollfd wait{source.socket(), POLLIN, 0};
        ::poll(&wait, 1, -1);
    }
}

/// A child that waits for the end of its socket.
int idle(int socket) {
    char octet = 0;
    while (::read(socket, &octet, 1) > 0) {
    }
    return 0;
}

TEST(Nursery, AsksForMoreChildrenThanTheSocketHoldsWithoutWaiting) {
    auto source = nursery::open(idle);
    ASSERT_TRUE(source.has_value());
    constexpr child_serial wanted = 700;
    for (child_serial serial = 1; serial <= wanted; ++serial) {
        source->bear(serial);
    }

    std::map<child_serial, int> born;
    while (born.size() < wanted) {
        source->flush();
        const nursery_news news = next_news(*source);
        ASSERT_EQ(news.what, nursery_news::kind::born) << news.how;
        EXPECT_TRUE(born.emplace(news.serial, news.socket).second);
    }

    EXPECT_TRUE(source->flush());
    for (const auto& [serial, socket] : born) {
        ::close(socket);
    }
}

TEST(Nursery, KillEndsWhatTheTaskHasStarted) {
    auto source = nursery::open([](int socket) {
        const pid_t started = ::fork();
        if (started == 0) {
            while (true) {
                ::pause();
            }
        }
        EXPECT_EQ(::write(socket, &started, sizeof started), ssize_t{sizeof started});
        return idle(socket);
    });
    ASSERT_TRUE(source.has_value());
    source->bear(1);
    const nursery_news news = next_news(*source);
    ASSERT_EQ(news.what, nursery_news::kind::born);
    pid_t started = 0;
    ASSERT_EQ(::recv(news.socket, &started, sizeof started, MSG_WAITALL), ssize_t{sizeof started});
    ASSERT_TRUE(alive(started));

    source->kill(1);

    EXPECT_EQ(next_news(*source).what, nursery_news::kind::ended);
    EXPECT_TRUE(eventually([&] { return !alive(started); }));
    ::close(news.socket);
}

TEST(Nursery, TellsOfEndsThoughItsParentIgnoresThem) {
    const auto before = ::signal(SIGCHLD, SIG_IGN);
    auto source = nursery::open([](int) { return 3; });
    ::signal(SIGCHLD, before);
    ASSERT_TRUE(source.has_value());

    source->bear(1);

    const nursery_news born = next_news(*source);
    ASSERT_EQ(born.what, nursery_news::kind::born);
    const nursery_news ended = next_news(*source);
    EXPECT_EQ(ended.what, nursery_news::kind::ended);
    EXPECT_EQ(ended.how, "exit status 3");
    ::close(born.socket);
}

}  // namespace
}  // namespace lovage::workers::test
