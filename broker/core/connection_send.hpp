// The templates by which connection and channel send methods; apart from connection.hpp, so that
// only the .cpp files that send compile the codec.
#pragma once

#include "broker/core/channel.hpp"
#include "broker/core/connection.hpp"
#include "broker/core/engine.hpp"
#include "framework/amqp/method_codec.hpp"

namespace lovage::broker {

template <class Method>
void connection::send(std::uint16_t channel, const Method& what) {
    amqp::write_method(output(), channel, what);
    written();
}

template <class Method>
void connection::send_past_gates(const Method& what) {
    amqp::write_method(output_, 0, what);
    note_output();
}

template <class Method>
void connection::send_when_durable(std::uint16_t channel, const Method& what) {
    if (owner_.definitions_durable()) {
        send(channel, what);
        return;
    }
    amqp::write_method(held_, channel, what);
    held_until_ = owner_.last_definition();
    owner_.wait_for_disk(*this);
}

template <class Method>
void connection::send_in_order(std::uint16_t channel, const Method& what) {
    if (held_until_ != 0) {
        amqp::write_method(held_, channel, what);
    } else {
        send(channel, what);
    }
}

template <class Method>
void channel::send(const Method& what) {
    owner_.send(number_, what);
}

}  // namespace lovage::broker
