#include "broker/core/message.hpp"

#include <cstdlib>
#include <cstring>
#include <new>

namespace lovage::broker {

message* message::create(message_id id, const parts& from, std::uint64_t& account) {
    const std::size_t size = sizeof(message) + from.exchange.size() + from.routing_key.size() +
                             from.properties.size() + from.body.size();
    void* block = std::malloc(size);
    if (block == nullptr) {
        throw std::bad_alloc{};
    }
    auto* made = new (block) message;
    made->id_ = id;
    made->exchange_octets_ = static_cast<std::uint8_t>(from.exchange.size());
    made->routing_key_octets_ = static_cast<std::uint8_t>(from.routing_key.size());
    made->properties_octets_ = static_cast<std::uint32_t>(from.properties.size());
    made->body_octets_ = static_cast<std::uint32_t>(from.body.size());
    made->account_ = &account;
    account += size;
    char* to = reinterpret_cast<char*>(made + 1);
    for (const octets part : {from.exchange, from.routing_key, from.properties, from.body}) {
        if (!part.empty()) {
            std::memcpy(to, part.data(), part.size());
            to += part.size();
        }
    }
    return made;
}

void message::destroy(message* dead) {
    *dead->account_ -= dead->footprint();
    dead->~message();
    std::free(dead);
}

}  // namespace lovage::broker
