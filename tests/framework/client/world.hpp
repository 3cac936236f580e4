// A session and a scripted broker, joined by buffers instead of sockets, with a clock that the test
// moves. Can cut the connection after a number of octets, in either direction.
#pragma once

#include "framework/client/session.hpp"
#include "tests/framework/client/scripted_broker.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lovage::client::test {

/// An event with its text kept.
struct seen {
    event_kind kind = event_kind::up;
    std::uint64_t token = 0;
    consumer_id consumer = 0;
    bool failed = false;
    bool final = false;
    problem error;
    answer reply;
    delivery_ref ref;
    std::string body;
};

class world {
public:
    explicit world(session_settings settings = {});

    /// Exchanges octets until nothing moves; connects when the session wants to and its time has
    /// come.
    void run();
    /// Moves the clock to the session's next deadline, or by `step` if that is sooner.
    void wait(milliseconds step);
    /// The connection is gone for both sides.
    void cut();
    /// Cuts once, when so many octets have been exchanged from now on.
    void cut_after(std::size_t octets) { cut_at_ = octets; }
    [[nodiscard]] bool was_cut() const { return !cut_at_.has_value(); }
    /// Octets exchanged since the start.
    [[nodiscard]] std::size_t exchanged() const { return exchanged_; }

    void publish(const std::string& queue, const std::string& body, std::uint64_t token);

    [[nodiscard]] std::vector<seen> of(event_kind kind) const;
    [[nodiscard]] const seen* answer_to(std::uint64_t token) const;
    [[nodiscard]] const seen* publish_of(std::uint64_t token) const;
    [[nodiscard]] std::size_t count(const std::string& line) const;

    time_point now{std::chrono::hours(1)};
    std::uint64_t random = 50;  ///< makes every pause but the first one longer than nothing
    bool reachable = true;      ///< false: connecting fails
    scripted_broker broker;
    client::session session;
    std::vector<seen> events;
    byte_buffer to_client;
    /// Called with each event, to react as a program would.
    std::function<void(const seen&)> on_event;

private:
    bool connect();
    bool take_events();
    bool step(octets from, bool to_broker);

    bool linked_ = false;
    std::size_t exchanged_ = 0;
    std::optional<std::size_t> cut_at_;
};

}  // namespace lovage::client::test
