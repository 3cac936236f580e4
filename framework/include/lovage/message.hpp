// AMQP messages and deliveries as lovage::connection's users see them. Values; any thread.
// Not aggregates on purpose: g++ 12 destroys aggregate temporaries in co_await expressions twice.
#pragma once

#include <boost/json/object.hpp>

#include <atomic>
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
    /// Nobody can acknowledge it any more.
    virtual void dropped(std::uint64_t consumer, std::uint64_t epoch) = 0;
};
}  // namespace detail

/// A message from a queue. Acknowledge each once; further calls, calls for messages that were taken
/// with no_ack, and calls after the connection was lost do nothing (the broker delivers it again).
/// Copies are the same delivery. ack(), nack() and reject() from any thread.
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
        finish([](auto& to, const auto& at) { to.acknowledge(at.consumer, at.epoch, at.tag); });
    }
    /// Not done; with `requeue` it is delivered again, else dropped or dead-lettered.
    void nack(bool requeue = true) {
        finish(
            [&](auto& to, const auto& at) { to.refuse(at.consumer, at.epoch, at.tag, requeue); });
    }
    /// nack without requeue.
    void reject() { nack(false); }

    /// What an acknowledgement needs; for the connection that makes deliveries.
    struct place {
        place() = default;
        place(const place&) = delete;
        place& operator=(const place&) = delete;
        ~place() {
            if (!settled) {
                if (const auto whom = to.lock()) {
                    whom->dropped(consumer, epoch);
                }
            }
        }

        std::weak_ptr<detail::acknowledger> to;
        std::uint64_t consumer = 0;
        std::uint64_t epoch = 0;
        std::uint64_t tag = 0;
        std::atomic<bool> settled{false};
    };
    /// Null: nothing to acknowledge.
    explicit delivery(std::shared_ptr<place> from) : place_(std::move(from)) {}

private:
    template <class Action>
    void finish(Action action) {
        if (place_ == nullptr || place_->settled.exchange(true)) {
            return;
        }
        if (const auto to = place_->to.lock()) {
            action(*to, *place_);
        }
    }

    std::shared_ptr<place> place_;
};

}  // namespace lovage
