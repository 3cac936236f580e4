// The load generator's connection: blocking socket, one channel, frames written from buffers that
// were encoded beforehand, deliveries and confirms read without building anything. It is not the
// framework's client, so that both brokers are driven by the same, cheap code.
// Used by one thread at a time. Throws std::runtime_error when the broker closes or stalls.
#pragma once

#include "framework/amqp/frame.hpp"
#include "framework/amqp/method_codec.hpp"
#include "framework/base/bytes.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lovage::bench {

inline constexpr std::uint16_t bench_channel = 1;

/// What next() found. Content arrives as `deliver` when its last body frame is there.
enum class event_kind { none, deliver, confirm, refused, reply };

struct event {
    event_kind kind = event_kind::none;
    std::uint64_t tag = 0;   ///< delivery tag, or the tag of a confirm
    bool multiple = false;   ///< of a confirm
    amqp::method_id method;  ///< of a reply
    /// Behind the two ids; of a deliver the encoded properties. Valid until receive().
    octets payload;
    std::uint64_t body_size = 0;
    std::uint64_t number = 0;  ///< of a deliver: the first eight octets of its body
};

class wire_client {
public:
    /// Connects to 127.0.0.1, logs in as guest, opens vhost / and channel 1.
    explicit wire_client(std::uint16_t port);
    ~wire_client();
    wire_client(const wire_client&) = delete;
    wire_client& operator=(const wire_client&) = delete;

    /// Product and version as the broker says them.
    [[nodiscard]] const std::string& product() const { return product_; }
    [[nodiscard]] int socket() const { return socket_; }

    /// Adds a method to what flush() sends.
    template <class Method>
    void add(const Method& method) {
        amqp::write_method(out_, bench_channel, method);
    }
    void add_octets(octets frames) { out_.append(frames); }
    void flush();
    /// Sends octets at once, past what add() collected.
    void send(octets frames);

    /// Sends `method` and waits for the method `Reply`; its arguments' octets are returned.
    template <class Reply, class Method>
    octets call(const Method& method) {
        add(method);
        flush();
        return await_reply(Reply::id);
    }
    /// Waits for a reply. Deliveries and confirms that come before it are dropped.
    octets await_reply(amqp::method_id id);

    enum class wait { no, briefly, until_stalled };
    /// Reads what is there. False when nothing came: at once, after about 50 ms, or, for
    /// until_stalled, never (it throws and names what was expected).
    bool receive(wait how, std::string_view expected = "a delivery");
    /// The next event of what was received; `none` when the rest is incomplete.
    event next();

    /// What every workload needs of queues. The queue is durable, without arguments.
    void declare_queue(octets name);
    void delete_queue(octets name);
    [[nodiscard]] std::uint32_t queue_length(octets name);
    void select_confirms();
    void consume(octets queue, std::uint16_t prefetch, bool no_ack = false);
    /// Adds basic.ack.
    void add_ack(std::uint64_t tag, bool multiple);
    /// Returns when the broker has handled everything sent before on this channel.
    void barrier();

private:
    void handshake();
    event read_frame(const amqp::frame& frame);
    event read_method(octets payload);
    event finish_content();

    int socket_ = -1;
    std::string product_;
    byte_buffer out_;
    std::unique_ptr<char[]> in_;
    octets unread_;  // of in_; moved to its front by receive()
    // The content that is coming: set by basic.deliver, filled by header and body frames.
    std::uint64_t content_tag_ = 0;
    std::uint64_t content_size_ = 0;
    std::uint64_t content_missing_ = 0;
    std::uint64_t content_number_ = 0;
    std::string content_properties_;
};

/// One message as frames: publish, header, body of `size` octets.
struct message_shape {
    octets exchange = {};
    octets queue;  ///< or routing key
    std::uint32_t size = 100;
    std::uint8_t delivery_mode = amqp::delivery_mode_persistent;
    octets correlation_id = {};  ///< left out if empty
    octets reply_to = {};        ///< left out if empty
};
void encode_message(byte_buffer& out, const message_shape& shape);

}  // namespace lovage::bench
