// What a client asks of a broker and hears from it, as plain values: used by session (pure), by the
// drivers in framework/app and by workers. Names are checked where they enter session.
#pragma once

#include "framework/amqp/methods.hpp"
#include "framework/amqp/table.hpp"
#include "framework/base/bytes.hpp"

#include <lovage/broker_error.hpp>

#include <cstdint>
#include <string>
#include <variant>

namespace lovage::client {

/// An error as a value. `text` is whole: what, where, why.
struct problem {
    broker_errc code = broker_errc::connection_lost;
    std::uint16_t reply_code = 0;  ///< AMQP's, 0 if the broker sent none
    std::string text;
};

/// A message to be published. `properties` are encoded (amqp::write_properties).
struct publication {
    std::string exchange;
    std::string routing_key;
    std::string properties;
    std::string body;
    bool mandatory = true;

    [[nodiscard]] std::size_t octets() const { return properties.size() + body.size(); }
};

struct declare_queue {
    std::string name;  ///< never empty: clients choose names, see session.hpp
    bool passive = false;
    bool durable = true;
    bool exclusive = false;
    bool auto_delete = false;
    amqp::table arguments;
};
struct declare_exchange {
    std::string name;
    std::string type = "direct";
    bool passive = false;
    bool durable = true;
    bool auto_delete = false;
    bool internal = false;
    amqp::table arguments;
};
struct bind_queue {
    std::string queue;
    std::string exchange;
    std::string routing_key;
    amqp::table arguments;
};
struct unbind_queue {
    std::string queue;
    std::string exchange;
    std::string routing_key;
    amqp::table arguments;
};
struct bind_exchange {
    std::string destination;
    std::string source;
    std::string routing_key;
    amqp::table arguments;
};
struct unbind_exchange {
    std::string destination;
    std::string source;
    std::string routing_key;
    amqp::table arguments;
};
struct purge_queue {
    std::string queue;
};
struct delete_queue {
    std::string queue;
    bool if_unused = false;
    bool if_empty = false;
};
struct delete_exchange {
    std::string exchange;
    bool if_unused = false;
};
struct get_message {
    std::string queue;
    bool no_ack = false;
};

/// One request with one answer.
using request = std::variant<
    declare_queue,
    declare_exchange,
    bind_queue,
    unbind_queue,
    bind_exchange,
    unbind_exchange,
    purge_queue,
    delete_queue,
    delete_exchange,
    get_message>;

/// A consumer; each has a channel of its own, so that prefetch and errors are its own, too.
struct subscription {
    std::string queue;
    std::string tag;             ///< must be unique in the connection; empty: session makes one
    std::uint16_t prefetch = 1;  ///< 0: no limit
    bool no_ack = false;
    bool exclusive = false;
    amqp::table arguments;
};

using consumer_id = std::uint64_t;

/// Which delivery an ack is for. The epoch tells a lost channel's tags from the present one's: acks
/// of deliveries from a lost channel are dropped, the broker has put those messages back.
struct delivery_ref {
    consumer_id consumer = 0;
    std::uint64_t epoch = 0;
    std::uint64_t tag = 0;
};

/// A delivered message; views, valid during the call or until the next event.
struct delivery {
    delivery_ref ref;
    bool redelivered = false;
    octets exchange;
    octets routing_key;
    octets properties;  ///< encoded
    octets body;
};

/// The answer to a request.
struct answer {
    std::string queue;                 ///< declare_queue: its name
    std::uint32_t message_count = 0;   ///< declare_queue, purge, delete; get: left in the queue
    std::uint32_t consumer_count = 0;  ///< declare_queue
    bool found = false;                ///< get_message: message says more
    delivery message;                  ///< get_message; valid during the call
};

}  // namespace lovage::client
