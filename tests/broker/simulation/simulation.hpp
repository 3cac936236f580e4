// One seed's play: clients, a broker on a disk that fails, crashes, and the model that watches; at
// the end everything is well again and has to come out. A seed plays the same everywhere.
// Called by the tests; single-threaded, no clock, files or sockets of the machine.
#pragma once

#include "tests/broker/simulation/actor.hpp"
#include "tests/broker/simulation/inspect.hpp"
#include "tests/broker/simulation/model.hpp"
#include "tests/broker/simulation/sim_node.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lovage::broker::simulation {

struct play_options {
    std::uint64_t seed = 1;
    sabotage broken = sabotage::none;
    bool traced = false;  ///< keeps what happened last, for the report
};

struct play_result {
    std::string violated;  ///< empty: all is well
    std::string report;    ///< what happened before it, if traced
    std::size_t steps = 0;
    std::size_t crashes = 0;
    std::size_t refused_starts = 0;
    std::size_t segments = 0;  ///< written before the last crash
    std::size_t blobs = 0;     ///< likewise
    std::size_t messages = 0;  ///< seen by clients
    std::size_t published = 0;
};

class simulation {
public:
    explicit simulation(const play_options& options);
    ~simulation();
    [[nodiscard]] play_result play();

private:
    void set_up();
    void step();
    void faults();
    // events.cpp
    void advance(milliseconds by);
    void connect();
    void cut(actor& gone);
    void work();
    void carry();
    bool feed(actor& from);
    void drop_closed();
    void take_output(actor& of);
    /// One event of the broker: what the model knows before, `what` happens, what is seen after.
    /// `what` gives the action that the broker has taken in by it, or null.
    void event(actor* by, const std::function<const action*()>& what);
    void look(actor* by, const action* done);
    // crash.cpp
    void crash();
    void stop();
    void go_down(bool power_fails);
    void start_again();
    void note(const std::string& text);
    // liveness.cpp
    void drain();
    bool drained();
    [[nodiscard]] std::string what_is_left() const;
    void check_end();
    [[nodiscard]] node_options options_of_node();
    [[nodiscard]] actor* find(connection_id id);

    play_options options_;
    dice chance_;
    manners manners_;
    node_options node_options_;
    clock_reading clock_;
    std::unique_ptr<fake_disk> disk_;
    std::vector<std::unique_ptr<actor>> actors_;
    std::unique_ptr<sim_node> node_;     // before the actors, whose output it writes to, ends it
    std::vector<connection_id> closed_;  // by the broker; their clients are to go
    model model_;
    event_number event_ = 0;
    client_number next_client_ = 1;
    std::uint32_t next_message_ = 1;
    std::size_t connections_max_ = 4;
    unsigned crash_permille_ = 8;
    unsigned disk_fault_permille_ = 4;
    std::size_t space_left_for_ = 0;  // steps until a full disk has room again
    bool was_full_ = false;
    play_result result_;
    std::deque<std::string> trace_;
};

/// Plays it; after a violation once more, traced, so that the report says what happened.
[[nodiscard]] play_result play(const play_options& options);

}  // namespace lovage::broker::simulation
