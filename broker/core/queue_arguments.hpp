// The x-arguments of queue.declare: which are known, which values they take, and which must be the
// same when a queue is declared again (rows 103 to 127 of RabbitMQ's behaviour).
#pragma once

#include "broker/core/fault.hpp"
#include "broker/core/queue.hpp"

namespace lovage::broker {

/// Reads the arguments into `into`, which has its name and flags already; refuses wrong values in
/// RabbitMQ's words.
fault read_queue_arguments(const amqp::table& arguments, octets vhost, queue_settings& into);

/// Compares the arguments of a second declaration with those of the first.
fault compare_queue_arguments(
    const amqp::table& received,
    const queue_settings& current,
    octets vhost);

}  // namespace lovage::broker
