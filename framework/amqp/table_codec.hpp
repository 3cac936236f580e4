// Encoding of field tables (specification 4.2.5.5). Two dialects exist on the wire: RabbitMQ's,
// in which `s` is a 16-bit integer, and the specification's own, in which `s` is a short string
// and `U` a 16-bit integer. Peers do not announce theirs; RabbitMQ's is what clients speak.
#pragma once

#include "framework/amqp/table.hpp"
#include "framework/amqp/wire.hpp"

namespace lovage::amqp {

enum class dialect { rabbitmq, specification };

/// Reads a table with its four octets of length. Fails the reader on an unknown type letter, on
/// lengths that do not fit, beyond table_depth_max and beyond table_values_max.
table read_table(wire_reader& in, dialect as = dialect::rabbitmq);
/// The same without the length in front: AMQPLAIN's response is such a table.
table read_table_content(octets content, bool& ok, dialect as = dialect::rabbitmq);
/// Walks over a table without building it, with the same checks as read_table.
void skip_table(wire_reader& in, dialect as = dialect::rabbitmq);
void write_table(byte_buffer& out, const table& value, dialect as = dialect::rabbitmq);

}  // namespace lovage::amqp
