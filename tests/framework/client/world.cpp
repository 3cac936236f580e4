#include "tests/framework/client/world.hpp"

#include <algorithm>

namespace lovage::client::test {
namespace {

session_settings named(session_settings settings) {
    settings.connection.where = "broker:5672";
    return settings;
}

}  // namespace

world::world(session_settings settings) : session(named(std::move(settings))) {}

bool world::connect() {
    if (linked_ || !session.wants_connection() || session.connect_at() > now) {
        return false;
    }
    session.connecting();
    if (!reachable) {
        session.disconnected({broker_errc::connect_failed, 0, "connection refused"}, now, random);
        return true;
    }
    linked_ = true;
    to_client.clear();
    session.connected(now);
    return true;
}

bool world::take_events() {
    octets input = linked_ ? to_client.view() : octets{};
    const std::size_t offered = input.size();
    bool any = false;
    event what;
    while (session.next(input, what, now, random)) {
        any = true;
        seen copy{
            what.kind,
            what.token,
            what.consumer,
            what.failed,
            what.final,
            what.error,
            what.reply,
            what.message.ref,
            std::string(what.message.body)};
        if (what.kind == event_kind::answered && !what.failed && what.reply.found) {
            copy.body = what.reply.message.body;
            copy.ref = what.reply.message.ref;
        }
        copy.reply.message = {};
        events.push_back(copy);
        if (what.kind == event_kind::down && linked_) {
            linked_ = false;
            broker.disconnect();
            session.out().clear();
        }
        if (on_event) {
            on_event(copy);
        }
    }
    if (linked_) {
        to_client.consume(offered - input.size());
        any = any || offered != input.size();
    }
    return any;
}

void world::run() {
    for (int round = 0; round < 100'000; ++round) {
        bool moved = take_events();
        moved = connect() || moved;
        if (linked_ && !session.out().empty()) {
            moved = true;
            std::string sent(session.out().view());
            session.out().clear();
            if (cut_at_ && exchanged_ + sent.size() >= *cut_at_) {
                broker.feed(octets(sent).substr(0, *cut_at_ - exchanged_), to_client);
                cut();
                continue;
            }
            exchanged_ += sent.size();
            const std::size_t before = to_client.size();
            broker.feed(sent, to_client);
            const std::size_t answered = to_client.size() - before;
            if (cut_at_ && exchanged_ + answered >= *cut_at_) {
                to_client.truncate(before + (*cut_at_ - exchanged_));
                take_events();
                cut();
                continue;
            }
            exchanged_ += answered;
        }
        if (!moved) {
            return;
        }
    }
    throw std::logic_error("the world does not come to rest");
}

void world::wait(milliseconds step) {
    now += step;
    session.tick(now, random);
    run();
}

void world::cut() {
    cut_at_.reset();
    if (!linked_) {
        return;
    }
    linked_ = false;
    broker.disconnect();
    to_client.clear();
    session.disconnected({broker_errc::connection_lost, 0, "cut"}, now, random);
}

void world::publish(const std::string& queue, const std::string& body, std::uint64_t token) {
    publication message;
    message.routing_key = queue;
    message.properties = std::string(2, '\0');
    message.body = body;
    session.publish(std::move(message), token, now + std::chrono::minutes(1));
}

std::vector<seen> world::of(event_kind kind) const {
    std::vector<seen> found;
    std::copy_if(events.begin(), events.end(), std::back_inserter(found), [&](const seen& one) {
        return one.kind == kind;
    });
    return found;
}

const seen* world::answer_to(std::uint64_t token) const {
    for (const seen& one : events) {
        if (one.kind == event_kind::answered && one.token == token) {
            return &one;
        }
    }
    return nullptr;
}

const seen* world::publish_of(std::uint64_t token) const {
    for (const seen& one : events) {
        if (one.kind == event_kind::published && one.token == token) {
            return &one;
        }
    }
    return nullptr;
}

std::size_t world::count(const std::string& line) const {
    return static_cast<std::size_t>(std::count(broker.log.begin(), broker.log.end(), line));
}

}  // namespace lovage::client::test
