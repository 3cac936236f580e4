// Requests as AMQP methods: writing them, checking their names, describing them in error texts,
// reading their answers. Used by session alone; pure.
#pragma once

#include "framework/client/connection.hpp"
#include "framework/client/types.hpp"

#include <optional>
#include <string>

namespace lovage::client {

/// Longest name of a queue, an exchange, a routing key or a consumer tag.
inline constexpr std::size_t name_octets_max = amqp::short_string_max;

/// Sends the request; its answer comes with `token`. False, and nothing is sent, if it does not fit
/// into a frame.
[[nodiscard]] bool send_request(
    connection& wire,
    byte_buffer& out,
    std::uint16_t channel,
    const request& what,
    std::uint64_t token);
/// What is wrong with it before it is sent; nothing: fine.
[[nodiscard]] std::optional<problem> check(const request& what);
[[nodiscard]] std::optional<problem> check(const publication& what);
[[nodiscard]] std::optional<problem> check(const subscription& what);
/// "declaring queue \"orders\"", for error texts.
[[nodiscard]] std::string describe(const request& what);
/// The method that send_request writes.
[[nodiscard]] amqp::method_id method_of(const request& what);
/// The answer's facts. `from` is an `answered` event; the result's views live as long as its.
[[nodiscard]] answer read_answer(const wire_event& from);

}  // namespace lovage::client
