#include "tests/framework/net/socket_pair.hpp"

namespace lovage::net {
namespace {

using test::recorder;
using test::socket_pair;

TEST(Pump, OctetsArriveInOrder) {
    socket_pair p;
    p.start();

    p.left->out().append("hello ");
    p.left->out().append("world");
    p.left->flush();
    p.until([&] { return p.right_owner->text.size() == 11; });

    EXPECT_EQ(p.right_owner->text, "hello world");
    EXPECT_EQ(p.left->octets_sent(), 11U);
    EXPECT_EQ(p.right->octets_received(), 11U);
}

TEST(Pump, UnusedOctetsComeAgainWithMoreBehindThem) {
    socket_pair p;
    p.right_owner->on_received = [](octets input) { return input.size() / 4 * 4; };
    p.start();

    p.left->out().append("abcde");
    p.left->flush();
    p.until([&] { return p.right_owner->text.size() == 4; });
    p.left->out().append("fgh");
    p.left->flush();
    p.until([&] { return p.right_owner->text.size() == 8; });

    EXPECT_EQ(p.right_owner->text, "abcdefgh");
    EXPECT_EQ(p.right_owner->calls.back(), "efgh");
}

TEST(Pump, LargeAmountsArriveWholeAndDrainIsReported) {
    socket_pair p;
    p.start();
    std::string large(30'000'000, 'x');
    for (std::size_t i = 0; i < large.size(); i += 1000) {
        large[i] = static_cast<char>('a' + i / 1000 % 26);
    }

    p.left->out().append(large);
    p.left->flush();
    EXPECT_GT(p.left->pending(), 0U);
    p.until([&] { return p.right_owner->text.size() == large.size(); });

    EXPECT_EQ(p.right_owner->text, large);
    p.until([&] { return p.left->pending() == 0 && !p.left_owner->drains.empty(); });
    EXPECT_EQ(p.left_owner->drains.back(), 0U);
}

TEST(Pump, FramesLargerThanTheSharedBufferArriveWhole) {
    socket_pair p;
    const std::size_t size = shared_read_octets * 3;
    p.right_owner->on_received = [&](octets input) { return input.size() >= size ? size : 0; };
    p.start();
    const std::string large(size, 'y');

    p.left->out().append(large);
    p.left->flush();
    p.until([&] { return p.right_owner->text.size() == size; });

    EXPECT_EQ(p.right_owner->text, large);
}

TEST(Pump, ReadsNoMoreAtATimeThanItsLimit) {
    constexpr std::size_t limit = 1000;
    socket_pair p;
    p.right->limit_reads(limit);
    p.right_owner->on_received = [](octets input) { return input.size() / 3 * 3; };
    p.start();

    const std::string large(shared_read_octets, 'x');
    p.left->out().append(large + "xx");  // three times something
    p.left->flush();
    p.until([&] { return p.right_owner->text.size() >= large.size(); });

    EXPECT_EQ(p.right_owner->text, large + "xx");
    for (const std::string& call : p.right_owner->calls) {
        EXPECT_LE(call.size(), limit + 2);
    }
}

TEST(Pump, OutputOfOneRoundGoesOutWithFlushSoon) {
    socket_pair p;
    p.start();

    p.left->out().append("a");
    p.left->flush_soon();
    p.left->out().append("b");
    p.left->flush_soon();
    EXPECT_EQ(p.left->pending(), 2U);
    p.until([&] { return p.right_owner->text == "ab"; });

    EXPECT_EQ(p.right_owner->calls.size(), 1U);
}

TEST(Pump, PausedReaderGetsNothingUntilItResumes) {
    socket_pair p;
    p.right_owner->on_received = [&](octets input) {
        p.right->pause_reading();
        return input.size() - 1;
    };
    p.start();

    p.left->out().append("abc");
    p.left->flush();
    p.until([&] { return p.right_owner->calls.size() == 1; });
    p.left->out().append("def");
    p.left->flush();
    p.context.restart();
    p.context.poll();
    EXPECT_EQ(p.right_owner->calls.size(), 1U);
    p.right_owner->on_received = nullptr;
    p.right->resume_reading();
    p.until([&] { return p.right_owner->text == "abcdef"; });

    EXPECT_EQ(p.right_owner->calls[1], "c");  // what was left over comes first
}

TEST(Pump, CloseAfterFlushDeliversEverythingBeforeTheEnd) {
    socket_pair p;
    p.start();
    const std::string large(5'000'000, 'x');

    p.left->out().append(large);
    p.left->close_after_flush();
    p.until([&] { return p.right_owner->closes == 1 && p.left_owner->closes == 1; });

    EXPECT_EQ(p.right_owner->text.size(), large.size());
    EXPECT_EQ(p.right_owner->close_error, asio::error::eof);
    EXPECT_FALSE(p.left_owner->close_error);
}

TEST(Pump, LastOctetsArriveAlthoughThePeerKeepsSending) {
    socket_pair p;
    p.start();

    p.right->out().append(std::string(100'000, 'z'));
    p.right->flush();
    p.left->out().append("goodbye");
    p.left->close_after_flush();
    p.until([&] { return p.right_owner->closes == 1; });

    EXPECT_EQ(p.right_owner->text, "goodbye");
}

TEST(Pump, PeerThatDoesNotReadIsNotWaitedForLonger) {
    socket_pair p;
    p.start();
    p.right->pause_reading();

    p.left->out().append(std::string(50'000'000, 'x'));
    p.left->close_after_flush(std::chrono::milliseconds(50));
    p.until([&] { return p.left_owner->closes == 1; });

    EXPECT_FALSE(p.left_owner->close_error);
}

TEST(Pump, CloseNowEndsBothSidesOnce) {
    socket_pair p;
    p.start();

    p.left->close_now();
    p.left->close_now();
    EXPECT_EQ(p.left_owner->closes, 0);  // never from within a call
    p.until([&] { return p.right_owner->closes == 1 && p.left_owner->closes == 1; });

    EXPECT_FALSE(p.left_owner->close_error);
    EXPECT_TRUE(p.right_owner->close_error);
}

TEST(Pump, DetachedOwnerIsLetGoAndNotCalled) {
    socket_pair p;
    p.start();
    const std::weak_ptr<recorder> owner = p.left_owner;

    p.left->detach();
    p.left_owner = nullptr;
    p.until([&] { return p.right_owner->closes == 1; });

    EXPECT_TRUE(owner.expired());
}

TEST(Pump, OwnerAndPumpAreFreedWhenTheConnectionEnds) {
    socket_pair p;
    p.start();
    const std::weak_ptr<pump> watched = p.right;
    const std::weak_ptr<recorder> owner = p.right_owner;
    p.right = nullptr;
    int* closes = &p.right_owner->closes;
    p.left->close_now();
    p.until([&] { return *closes == 1; });

    p.right_owner = nullptr;
    p.context.restart();
    p.context.poll();

    EXPECT_TRUE(watched.expired());
    EXPECT_TRUE(owner.expired());
}

TEST(Pump, DetachFromWithinReceivedIsSafe) {
    socket_pair p;
    p.right_owner->on_received = [&](octets input) {
        p.right->detach();
        return input.size();
    };
    p.start();
    p.left->out().append("x");
    p.left->flush();

    p.until([&] { return p.left_owner->closes == 1; });

    EXPECT_EQ(p.right_owner->closes, 0);
}

}  // namespace
}  // namespace lovage::net
