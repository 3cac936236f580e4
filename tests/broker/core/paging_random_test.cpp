#include "tests/broker/core/paging_fixture.hpp"

#include <map>
#include <random>

namespace lovage::broker::test {
namespace {

using ack = amqp::basic::ack;
using nack = amqp::basic::nack;

/// Everything at random against a list: order, counts, what a restart keeps.
TEST_F(Paging, RandomWorkAgreesWithAList) {
    for (unsigned seed = 1; seed <= 60; ++seed) {
        std::mt19937 random{seed};
        const auto one_of = [&](unsigned of) { return random() % of == 0; };
        const std::string name = "r" + std::to_string(seed);
        declare(*peer, name, durable);
        std::map<int, bool> ready;  // by number; redelivered?
        std::map<int, std::uint64_t> unacked;
        int next = 1;
        int highest = 0;  // ever delivered
        for (int step = 0; step < 300; ++step) {
            SCOPED_TRACE("seed " + std::to_string(seed) + " step " + std::to_string(step));
            broker.write_segments_at_once = !one_of(3);
            if (broker.write_segments_at_once && broker.pages.sealed()) {
                broker.write_segment(!one_of(4));
            }
            switch (random() % 8) {
                case 0:
                case 1:
                case 2:
                    if (!broker.pages.sealed()) {
                        ready[next] = false;
                        publish(next, next, name);
                        ++next;
                    }
                    break;
                case 3:
                case 4:
                    if (!ready.empty()) {
                        const auto got = get(name, false);
                        ASSERT_EQ(got.body, std::to_string(ready.begin()->first));
                        ASSERT_EQ(got.redelivered, ready.begin()->second);
                        unacked[ready.begin()->first] = got.delivery_tag;
                        highest = std::max(highest, ready.begin()->first);
                        ready.erase(ready.begin());
                    }
                    break;
                case 5:
                case 6:
                    if (!unacked.empty()) {
                        auto which = unacked.begin();
                        std::advance(which, random() % unacked.size());
                        if (one_of(2)) {
                            peer->send(1, ack{which->second, false});
                        } else {
                            peer->send(1, nack{which->second, false, true});
                            ready[which->first] = true;
                        }
                        unacked.erase(which);
                    }
                    break;
                default:
                    if (one_of(8)) {
                        if (broker.pages.sealed()) {
                            broker.write_segment(one_of(2));
                        }
                        broker.write_segments_at_once = true;
                        recover();
                        for (const auto& [number, tag] : unacked) {
                            ready[number] = true;
                        }
                        unacked.clear();
                        // Up to the last that was ever delivered nobody knows.
                        for (auto& [number, redelivered] : ready) {
                            redelivered = redelivered || number <= highest;
                        }
                    } else {
                        broker.advance(milliseconds{100});
                    }
            }
            ASSERT_EQ(broker.status(name).ready, ready.size());
        }
        broker.write_segments_at_once = true;
        if (broker.pages.sealed()) {
            broker.write_segment();
        }
        for (const auto& [number, tag] : unacked) {
            peer->send(1, nack{tag, false, true});
            ready[number] = true;
        }
        for (const auto& [number, redelivered] : ready) {
            ASSERT_EQ(get(name).body, std::to_string(number));
        }
    }
    EXPECT_EQ(pages(), 0U);
    EXPECT_EQ(broker.pages.segment_count(), 0U);
}

}  // namespace
}  // namespace lovage::broker::test
