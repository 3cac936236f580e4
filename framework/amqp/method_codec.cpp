#include "framework/amqp/method_codec.hpp"

#include <utility>

namespace lovage::amqp {
namespace {

constexpr std::uint32_t key(method_id id) {
    return (std::uint32_t{id.class_id} << 16) | id.method;
}

/// Tries alternative after alternative; compilers make a comparison tree of the constants.
template <std::size_t... Index>
method_error read_any(
    method_id id,
    octets arguments,
    method& into,
    dialect as,
    std::index_sequence<Index...>) {
    method_error result = method_error::unknown;
    const auto try_one = [&]<std::size_t I>() {
        using type = std::variant_alternative_t<I + 1, method>;
        if (key(type::id) != key(id)) {
            return false;
        }
        result = read_arguments(arguments, into.emplace<type>(), as);
        return true;
    };
    (try_one.template operator()<Index>() || ...);
    return result;
}

}  // namespace

method_error read_method(octets payload, method_id& id, method& into, dialect as) {
    wire_reader in{payload};
    id.class_id = in.number<std::uint16_t>();
    id.method = in.number<std::uint16_t>();
    if (!in.ok()) {
        return method_error::malformed;
    }
    // The two methods of the fast path, before the search through all of them.
    if (id == basic::publish::id) {
        return read_arguments(in.rest(), into.emplace<basic::publish>(), as);
    }
    if (id == basic::ack::id) {
        return read_arguments(in.rest(), into.emplace<basic::ack>(), as);
    }
    constexpr auto count = std::variant_size_v<method> - 1;
    return read_any(id, in.rest(), into, as, std::make_index_sequence<count>{});
}

}  // namespace lovage::amqp
