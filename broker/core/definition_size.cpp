#include "broker/core/definition_size.hpp"

#include "broker/core/exchange.hpp"
#include "broker/core/queue.hpp"
#include "framework/amqp/table_codec.hpp"

#include <algorithm>

namespace lovage::broker {
namespace {

/// What the allocator and a hash map add to one entry.
constexpr std::uint64_t entry_overhead = 64;
/// What a queue or exchange allocates besides itself: router, lists, places in the engine's lists.
constexpr std::uint64_t parts_octets = 256;
/// One word of a topic pattern that no other pattern shares: a node of the trie in its parent.
constexpr std::uint64_t word_octets = 256;
/// A binding's target among the targets of its key.
constexpr std::uint64_t routed_octets = 96;

std::uint64_t footprint(const amqp::field_value& value) {
    return sizeof value + std::visit(
                              [](const auto& held) -> std::uint64_t {
                                  using type = std::remove_cvref_t<decltype(held)>;
                                  if constexpr (std::is_same_v<type, std::string>) {
                                      return held.size();
                                  } else if constexpr (std::is_same_v<type, amqp::byte_array>) {
                                      return held.octets.size();
                                  } else if constexpr (std::is_same_v<type, amqp::short_text>) {
                                      return held.text.size();
                                  } else if constexpr (std::is_same_v<type, amqp::table>) {
                                      return broker::footprint(held);
                                  } else if constexpr (std::is_same_v<type, amqp::field_array>) {
                                      std::uint64_t all = 0;
                                      for (const amqp::field_value& each : held) {
                                          all += footprint(each);
                                      }
                                      return all;
                                  } else {
                                      return 0;
                                  }
                              },
                              value.get());
}

}  // namespace

std::uint64_t footprint(const amqp::table& what) {
    std::uint64_t all = 0;
    for (const auto& [name, value] : what) {
        all += sizeof name + name.size() + footprint(value);
    }
    return all;
}

std::uint64_t definition_octets(const queue_settings& what) {
    // The name also stands in the vhost's map.
    return sizeof(queue) + parts_octets + entry_overhead + 2 * what.name.size() +
           footprint(what.arguments);
}

std::uint64_t definition_octets(const exchange_settings& what) {
    return sizeof(exchange) + parts_octets + entry_overhead + 2 * what.name.size() +
           footprint(what.arguments);
}

std::uint64_t definition_octets(
    const exchange& source,
    octets target_name,
    octets key,
    octets arguments) {
    // Key and arguments also stand in the identity that the exchange finds the binding by.
    std::uint64_t all = sizeof(binding) + entry_overhead + routed_octets + target_name.size() +
                        2 * (key.size() + arguments.size());
    switch (source.settings().type) {
        case exchange_type::fanout: break;
        case exchange_type::direct: all += entry_overhead + key.size(); break;
        case exchange_type::topic:
            all += key.size() +
                   word_octets * (1 + static_cast<std::uint64_t>(std::ranges::count(key, '.')));
            break;
        case exchange_type::headers: {
            amqp::wire_reader in(arguments);
            all += arguments.size() + footprint(amqp::read_table(in));
            break;
        }
    }
    return all;
}

}  // namespace lovage::broker
