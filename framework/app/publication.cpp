#include "framework/app/publication.hpp"

#include <utility>

namespace lovage {

std::string encode_properties(const amqp::basic_properties& properties) {
    byte_buffer encoded;
    amqp::write_properties(encoded, properties);
    return std::string(encoded.view());
}

client::publication make_publication(outgoing_message&& message, std::string queue) {
    message.properties.delivery_mode = amqp::delivery_mode_persistent;
    client::publication out;
    out.routing_key = std::move(queue);
    out.properties = encode_properties(message.properties);
    out.body = std::move(message.body);
    return out;
}

}  // namespace lovage
