// The same script again and again, the connection cut one octet later each time: whatever is lost
// on the way, everything that was asked for is done in the end, and told exactly once.
#include "tests/framework/client/world.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace lovage::client {
namespace {

using std::chrono::minutes;
using test::seen;
using test::world;

constexpr std::uint64_t messages = 5;

/// Declares, consumes, publishes, acknowledges; a program in small. Cuts after `octets`; false if
/// the script ends before that.
bool run_script(std::size_t octets, world& w) {
    w.cut_after(octets);
    std::set<std::string> handled;
    w.on_event = [&](const seen& one) {
        if (one.kind == event_kind::delivered) {
            handled.insert(one.body);
            w.session.ack(one.ref, false);
        }
    };
    declare_queue work;
    work.name = "work";
    w.session.ask(work, 1, w.now + minutes(5));
    declare_queue mine;
    mine.name = "mine";
    mine.exclusive = true;
    w.session.ask(mine, 2, w.now + minutes(5));
    w.session.ask(bind_queue{"work", "amq.direct", "work", {}}, 3, w.now + minutes(5));
    w.session.consume({"work", "", 2, false, false, {}});
    w.run();
    for (std::uint64_t i = 0; i < messages; ++i) {
        w.publish("work", "message " + std::to_string(i), 100 + i);
        w.run();
    }
    for (int i = 0; i < 10; ++i) {
        w.wait(milliseconds(500));
    }
    w.on_event = nullptr;
    EXPECT_EQ(handled.size(), messages) << "cut after " << octets;
    return w.was_cut();
}

void check_outcome(const world& w, std::size_t octets) {
    SCOPED_TRACE("cut after " + std::to_string(octets));
    for (std::uint64_t token = 1; token <= 3; ++token) {
        ASSERT_NE(w.answer_to(token), nullptr);
        EXPECT_FALSE(w.answer_to(token)->failed) << w.answer_to(token)->error.text;
    }
    std::multiset<std::uint64_t> confirmed;
    for (const seen& one : w.of(event_kind::published)) {
        EXPECT_FALSE(one.failed) << one.error.text;
        confirmed.insert(one.token);
    }
    EXPECT_EQ(confirmed.size(), messages);
    EXPECT_EQ(w.of(event_kind::answered).size(), 3U);
    EXPECT_TRUE(w.broker.queues.contains("mine"));
    EXPECT_TRUE(w.broker.queues.at("work").empty());
    EXPECT_EQ(w.broker.unacked(), 0U);
    EXPECT_EQ(w.broker.consumers(), 1U);
    EXPECT_TRUE(w.session.is_up());
}

TEST(SessionCut, EverythingIsDoneOnceInTheEndWhereverTheConnectionIsCut) {
    std::size_t octets = 0;
    for (;; ++octets) {
        world w;
        if (!run_script(octets, w)) {
            break;
        }
        check_outcome(w, octets);
        if (HasFailure()) {
            return;
        }
    }

    EXPECT_GT(octets, 500U);  // the script has that many octets at least
}

TEST(SessionCut, NothingIsStoredTwiceWithoutACut) {
    world w;

    run_script(1'000'000, w);

    EXPECT_EQ(w.broker.stored_bodies.size(), messages);
    check_outcome(w, 0);
}

}  // namespace
}  // namespace lovage::client
