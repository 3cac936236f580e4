// AMQP messages and deliveries as lovage::connection's users see them. Values; any thread.
// Not aggregates on purpose: g++ 12 destroys aggregate temporaries in co_await expressions twice.
#pragma once

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace lovage {

/// A message's body and properties (class basic of AMQP 0-9-1). Empty text: property not set.
class message {
public:
    message() {}
    explicit message(std::string text) : body(std::move(text)) {}
    message(std::string text, std::string mime_type)
        : body(std::move(text)), content_type(std::move(mime_type)) {}

    std::string body;
    std::string content_type;
    std::string content_encoding;
    boost::json::object headers;
    bool persistent = true;  ///< survives a restart of the broker, in a durable queue
    std::optional<std::uint8_t> priority;
    std::string correlation_id;
    std::string reply_to;
    std::optional<std::chrono::milliseconds> expiration;
    std::string message_id;
    std::optional<std::uint64_t> timestamp;  ///< seconds since 1970
    std::string type;
    std::string user_id;
    std::string app_id;
};

namespace detail {
/// Where acknowledgements go; made by the connection.
class acknowledger {
public:
    virtual ~acknowledger() = default;
    virtual void acknowledge(std::uint64_t consumer, std::uint64_t epoch, std::uint64_t tag) = 0;
    virtual void refuse(
        std::uint64_t consumer,
        std::uint64_t epoch,
        std::uint64_t tag,
        bool requeue) = 0;
};
}  // namespace detail

/// A message from a queue. Acknowledge each exactly once unless it was taken with no_ack; further
/// calls, and calls after the connection was lost, do nothing: the broker delivers it again.
/// Copies share the acknowledgement. ack(), nack() and reject() from any thread.
class delivery {
public:
    delivery() {}

    lovage::message message;
    std::string exchange;
    std::string routing_key;
    bool redelivered = false;
    std::uint32_t left_in_queue = 0;  ///< connection::get only

    /// Done; the broker forgets the message.
    void ack() {
        finish([](auto& to, auto& at) { to.acknowledge(at.consumer, at.epoch, at.tag); });
    }
    /// Not done; with `requeue` it is delivered again, else dropped or dead-lettered.
    void nack(bool requeue = true) {
        finish([&](auto& to, auto& at) { to.refuse(at.consumer, at.epoch, at.tag, requeue); });
    }
    /// nack without requeue.
    void reject() { nack(false); }

    struct place {
        std::weak_ptr<detail::acknowledger> to;
        std::uint64_t consumer = 0;
        std::uint64_t epoch = 0;
        std::uint64_t tag = 0;
    };
    /// For the connection that makes deliveries.
    explicit delivery(place from) : place_(std::move(from)) {}

private:
    template <class Action>
    void finish(Action action) {
        if (const auto to = std::exchange(place_.to, {}).lock()) {
            action(*to, place_);
        }
    }

    place place_;
};

}  // namespace lovage
