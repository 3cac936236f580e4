// A scripted client of the simulation: one connection with what it has sent and not sent yet, and
// what it knows of its channels. Chooses its next action by chance; the simulation carries octets
// to the broker and back.
#pragma once

#include "broker/core/engine.hpp"
#include "tests/broker/simulation/dice.hpp"
#include "tests/broker/simulation/model.hpp"

#include <array>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace lovage::broker::simulation {

/// What the clients of one seed are like; chosen once for each, so that seeds differ.
struct manners {
    unsigned large_percent = 5;
    unsigned transient_percent = 15;
    unsigned expiring_percent = 10;
    unsigned requeue_percent = 25;
    unsigned no_ack_percent = 15;
    unsigned publish_weight = 40;
    unsigned settle_weight = 30;
    unsigned define_weight = 4;
    unsigned transactions_percent = 20;       ///< of channels
    unsigned confirms_percent = 60;           ///< likewise
    std::size_t queues = queue_kinds.size();  ///< that are mostly published to
};

class actor {
public:
    actor(client_number number, const manners& style) : number_(number), manners_(style) {}

    [[nodiscard]] client_number number() const { return number_; }
    /// Sends the handshake and opens a channel.
    void log_in();
    /// Nothing follows the end of the connection.
    void send(action what) {
        if (!std::exchange(leaving_, leaving_ || what.what == verb::close_connection)) {
            unsent.push_back(std::move(what));
        }
    }
    /// Something that this client may do now.
    void act(dice& chance, const model& world, std::uint32_t& next_message);
    /// Ends what it has begun: commits, acknowledges, takes nothing new.
    void finish();
    /// Consumes from everything that is there.
    void consume_all();
    [[nodiscard]] bool consumes_all() const { return channels_[1].open; }
    /// The broker has taken it in.
    void applied(const action& what);
    /// It has read that.
    void saw(const sighting& what);

    connection_id id{};
    byte_buffer output;
    output_reader reader;
    std::deque<action> unsent;
    std::deque<std::string> handshake;  ///< comes before `unsent`
    std::string input;                  ///< octets of the first of them that are left
    bool input_begun = false;           ///< `input` belongs to the first one
    bool input_decided = false;         ///< it has been refused already
    bool reads = true;
    bool half_sent = false;     ///< the rest of its input comes later
    bool acknowledges = false;  ///< at once whatever it gets

private:
    enum class mode : std::uint8_t { plain, confirms, transactions };
    struct channel {
        bool open = false;
        bool live = false;        ///< the broker knows that it is open
        unsigned recovering = 0;  ///< recovers under way: what it holds will be taken back
        mode how = mode::plain;
        std::vector<std::uint64_t> held;
        std::vector<std::uint64_t> answered;  ///< in the transaction that is open
        std::vector<std::string> consumers;
        std::vector<std::string> without_ack;
        bool gets_without_ack = false;
    };
    static constexpr std::uint16_t channels_max = 2;

    void open(dice& chance, std::uint16_t number);
    void publish(dice& chance, action what, std::uint32_t& next_message);
    void settle(dice& chance, channel& on, action what);
    void define(dice& chance, const model& world, action what);
    void consume(dice& chance, channel& on, action what);

    client_number number_;
    manners manners_;
    std::array<channel, channels_max + 1> channels_;
    unsigned next_tag_ = 1;
    bool leaving_ = false;
};

}  // namespace lovage::broker::simulation
