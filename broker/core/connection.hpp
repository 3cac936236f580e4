// One connection: handshake and login, frames to channels, heartbeats, closing (behaviour as
// RabbitMQ 3.10's). Input comes by consume(), output goes to the buffer that the driver gave.
// Owned and called by the engine only.
#pragma once

#include "broker/core/channel.hpp"
#include "broker/core/fault.hpp"
#include "broker/core/ids.hpp"
#include "framework/amqp/frame.hpp"
#include "framework/amqp/methods.hpp"
#include "framework/base/bytes.hpp"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace lovage::broker {

class engine;
class vhost;

struct peer_address {
    std::string name;  ///< for the log, e.g. 127.0.0.1:41234
    bool loopback = false;
};

/// What the client's properties say it can do.
struct client_capabilities {
    bool consumer_cancel_notify = false;
    bool connection_blocked = false;
    bool authentication_failure_close = false;
};

class connection {
public:
    connection(engine& owner, connection_id id, peer_address peer, byte_buffer& output);
    ~connection();

    [[nodiscard]] connection_id id() const { return id_; }
    [[nodiscard]] engine& owner() const { return owner_; }
    [[nodiscard]] vhost& home() const { return *vhost_; }
    [[nodiscard]] const client_capabilities& capabilities() const { return capabilities_; }
    /// basic.qos without the global bit limits the channel, as AMQP 0-9-1 has it, and not each new
    /// consumer, as RabbitMQ has it.
    [[nodiscard]] bool standard_prefetch() const { return standard_prefetch_; }
    [[nodiscard]] const std::string& user_name() const { return user_name_; }
    [[nodiscard]] std::size_t frame_max() const { return frame_max_; }

    /// Uses complete frames at the front of `input`; returns the octets used.
    std::size_t consume(octets input);
    /// The socket is gone: what was outstanding goes back to its queues.
    void lost();
    void tick();
    void drained(std::size_t pending);
    /// Sends what has waited for that, and goes on if a reply was held; true if nothing waits any
    /// more.
    bool disk_reached(lsn reached);
    /// The alarm has stopped it.
    [[nodiscard]] bool blocked() const { return blocked_; }
    /// Something that was delivered here waits to be acknowledged.
    [[nodiscard]] bool holds_deliveries() const;
    /// The alarm is over.
    void unblock();
    void shut_down();
    /// What the driver says of the password that was given.
    void login_checked(bool fits);
    /// An operator ends it: connection.close with 320 and that text.
    void force_close(const std::string& text);
    /// Ends consumers of queues that the user may not read any more.
    void rights_changed();
    [[nodiscard]] bool running() const { return state_ == state::running; }
    [[nodiscard]] std::size_t channel_count() const { return channels_.size(); }

    /// For channels: where frames are written; call written() afterwards.
    [[nodiscard]] byte_buffer& output() { return gates_.empty() ? output_ : gated_; }
    /// Whatever is written from now on is not sent before the log is on disk up to there.
    void hold_output(lsn until);
    /// What waits like that now.
    [[nodiscard]] octets held_output() const { return gated_.view(); }
    /// All that is not in the socket, as far as the engine knows.
    [[nodiscard]] std::size_t output_octets() const { return output_.size() + gated_.size(); }
    void written();
    template <class Method>
    void send(std::uint16_t channel, const Method& what);
    /// Sends when all definitions logged so far are on disk; input waits meanwhile.
    template <class Method>
    void send_when_durable(std::uint16_t channel, const Method& what);
    /// Sends behind a reply that waits for the disk, if there is one.
    template <class Method>
    void send_in_order(std::uint16_t channel, const Method& what);
    /// Too much output is waiting; consumers get nothing until it is drained.
    [[nodiscard]] bool congested() const { return congested_; }
    /// Input is left unread until something happens: a reply waits for the disk, output has to be
    /// sent first, or the alarm is on.
    [[nodiscard]] bool stopped() const { return input_stopped_; }
    /// Is read from again; until now its silence was ours.
    void input_resumed();
    /// Octets of contents that are not complete, over all channels.
    std::size_t unfinished_octets = 0;
    bool waits_for_disk = false;  ///< is in the engine's list
    /// Some delivery of its channels may become late.
    bool times_deliveries = false;
    [[nodiscard]] const std::string& peer_name() const { return peer_.name; }

private:
    enum class state {
        protocol_header,
        start_ok,
        password,  ///< waits for password_checked()
        tune_ok,
        open,
        running,
        closing,   ///< connection.close was sent; waits for close-ok
        finished,  ///< nothing is read any more; the socket goes when the deadline comes
    };

    bool read_protocol_header(octets& input);
    /// False when the frame must wait.
    bool on_frame(const amqp::frame& in);
    fault on_handshake(const amqp::frame& in);
    fault on_start_ok(const amqp::connection::start_ok& in);
    void on_login(octets mechanism, octets name, octets password);
    fault login_refused(octets mechanism) const;
    fault on_tune_ok(const amqp::connection::tune_ok& in);
    fault on_open(const amqp::connection::open& in);
    fault may_enter(const vhost& home) const;
    fault on_running(const amqp::frame& in);
    fault on_connection_method(const amqp::frame& in);
    fault on_channel_method(const amqp::frame& in);
    fault on_channel_open(std::uint16_t number, amqp::method_id id);
    fault on_content(const amqp::frame& in);
    fault on_heartbeat(const amqp::frame& in) const;
    void on_closing(const amqp::frame& in);
    void send_start(bool as_8_0);
    void handle(const fault& what, std::uint16_t channel);
    void close_channel(channel& what);
    void open_gates(lsn reached);
    /// Of the connection itself, where it says nothing about what waits for the disk.
    template <class Method>
    void send_past_gates(const Method& what);
    void note_output();
    void close_all();
    void finish_in(std::chrono::seconds patience);
    [[nodiscard]] bool must_wait(const amqp::frame& in);
    [[nodiscard]] std::size_t payload_max() const;

    engine& owner_;
    connection_id id_;
    peer_address peer_;
    byte_buffer& output_;
    state state_ = state::protocol_header;
    client_capabilities capabilities_;
    bool standard_prefetch_ = false;
    std::string user_name_;
    struct pending_login {
        std::string mechanism;
        std::string verifier;         ///< that the password is checked with
        time_point::duration left{};  ///< of the client's time for the handshake
    };
    std::unique_ptr<pending_login> login_;
    vhost* vhost_ = nullptr;
    std::size_t frame_max_ = amqp::frame_size_min;
    std::uint16_t channel_max_ = 0;
    std::chrono::seconds heartbeat_{0};
    std::unordered_map<std::uint16_t, std::unique_ptr<channel>> channels_;
    channel* last_channel_ = nullptr;  // of the frame before; most frames go where that went
    amqp::method_id failing_;          // of the method being handled

    time_point last_received_;
    time_point last_sent_;
    std::optional<time_point> deadline_;  // of the handshake, or of closing
    bool congested_ = false;              // no deliveries until drained
    bool input_stopped_ = false;          // the frame at the front must wait
    bool blocked_ = false;
    bool told_blocked_ = false;
    bool output_noted_ = false;

    byte_buffer held_;  // a reply that waits for the disk
    lsn held_until_ = 0;
    /// Of `gated_`: from that octet on it waits for that position.
    struct gate {
        lsn until = 0;
        std::size_t begin = 0;
    };
    std::vector<gate> gates_;  // hardly more than two: of the batch at the disk and the open one
    byte_buffer gated_;        // output behind the first gate

    friend class administration;
    friend class engine;
};

}  // namespace lovage::broker
