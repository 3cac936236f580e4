// A client's side of the wire: actions become AMQP frames, and what the broker sends becomes
// sightings. Bodies say whose they are and are the same octets again wherever they are seen.
// Used by the simulation's clients and by inspect(); knows nothing of what is right or wrong but
// for damaged octets, which it reports as such.
#pragma once

#include "framework/base/bytes.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace lovage::broker::simulation {

enum class verb : std::uint8_t {
    plumbing,  ///< handshake and the like
    open_channel,
    close_channel,
    confirm_closed,  ///< channel.close-ok
    close_connection,
    declare_queue,
    look_at_queue,  ///< a passive declaration
    delete_queue,
    purge,
    declare_exchange,
    look_at_exchange,
    delete_exchange,
    bind,
    unbind,
    select_confirms,
    select_tx,
    commit,
    roll_back,
    publish,
    qos,
    consume,
    cancel,
    get,
    ack,
    nack,
    reject,
    recover,
};

/// One method of a client, with its content. Which fields count depends on the verb.
struct action {
    verb what = verb::plumbing;
    std::uint16_t channel = 0;
    std::string queue{};
    std::string exchange{};
    std::string key{};
    std::string tag{};  ///< of a consumer
    bool no_ack = false;
    std::uint16_t prefetch = 0;
    std::uint64_t delivery = 0;  ///< tag
    bool multiple = false;
    bool requeue = false;
    // Of a publish.
    std::uint32_t message = 0;
    std::size_t size = 0;
    bool persistent = false;
    bool mandatory = false;
    std::uint8_t priority = 0;
    std::uint32_t expiration_ms = 0;  ///< 0: none
    std::uint32_t delay_ms = 0;       ///< likewise
};

[[nodiscard]] std::string to_string(const action& what);
/// The frames of it.
[[nodiscard]] std::string encoded(const action& what);
/// From the protocol header to connection.open.
[[nodiscard]] std::vector<std::string> login_octets();

enum class sight : std::uint8_t {
    reply,  ///< the answer to a method that has one, other than those below
    delivery,
    got,
    got_nothing,
    confirmed,
    refused,  ///< a confirm by basic.nack
    returned,
    declared,
    deleted,
    purged,
    committed,
    cancelled,  ///< by the broker
    channel_closed,
    connection_closed,
    blocked,
    damaged,  ///< frames or a body that nobody sent
};

struct sighting {
    sight what = sight::reply;
    std::uint16_t channel = 0;
    std::uint64_t tag = 0;  ///< of a delivery or confirm
    bool multiple = false;
    std::string consumer{};
    std::uint32_t count = 0;  ///< of a queue's messages
    // Of a message.
    std::uint32_t message = 0;
    std::size_t size = 0;
    bool redelivered = false;
    std::uint32_t delivery_count = 0;
    std::string died_in{};  ///< the queue that it was dead-lettered from; mostly none
    std::string text{};     ///< of an error
    /// It waits for the disk: the reader will tell that number when it is sent. 0: it is.
    std::uint64_t promise = 0;
};

[[nodiscard]] std::string to_string(const sighting& what);

/// Reads a connection's output and, because the broker counts it as delivered, what is held back
/// behind it until the disk has it. Both stay as they are.
class output_reader {
public:
    /// Only what is new. `sent`: the promises of what was held back and is no more.
    void read(
        octets output,
        octets held_back,
        std::vector<sighting>& into,
        std::vector<std::uint64_t>& sent);
    /// The client has taken all of the output.
    void output_taken() { seen_ = 0; }

private:
    void on_method(std::uint16_t channel, octets payload, std::vector<sighting>& into);
    void on_content(std::uint8_t type, octets payload, std::vector<sighting>& into);
    void finish_content(std::vector<sighting>& into);

    struct promised {
        std::uint64_t end = 0;  // in all that the connection ever sends
        std::uint64_t number = 0;
    };

    std::size_t seen_ = 0;    // of the output
    std::uint64_t sent_ = 0;  // octets so far, but for what goes past the gates
    std::string peeked_;      // of what is held back
    std::deque<promised> promises_;
    std::uint64_t last_promise_ = 0;
    std::optional<sighting> open_;  // whose content is still to come
    std::uint64_t body_size_ = 0;
    bool has_header_ = false;
    std::string message_id_;
    std::string body_;
};

/// Bodies of probes, which only inspect() publishes, have numbers from here on.
inline constexpr std::uint32_t first_probe = 0x80000000U;

inline constexpr std::size_t body_head = 8;  ///< octets of a body: number and checksum
/// Of `size` octets at least; the message's number and octets that follow from both.
[[nodiscard]] std::string body_of(std::uint32_t message, std::size_t size);

}  // namespace lovage::broker::simulation
