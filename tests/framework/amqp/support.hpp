// What the codec's tests share: text of hex digits, seeded random input, and a way to fill and
// visit every method without naming it. Used by the tests of this folder and by tests/fuzz's seeds.
// Everything random comes from a seed that the failing test prints.
#pragma once

#include "framework/amqp/method_codec.hpp"

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace lovage::amqp::testing {

/// "0a ff" -> two octets; blanks are ignored.
std::string from_hex(std::string_view text);
std::string to_hex(octets bytes);

/// The same numbers on every platform, unlike the standard's distributions.
class random_source {
public:
    explicit random_source(std::uint64_t seed) : engine_(seed) {}
    std::uint64_t bits() { return engine_(); }
    std::size_t below(std::size_t limit) { return static_cast<std::size_t>(engine_() % limit); }
    bool one_in(std::size_t count) { return below(count) == 0; }
    std::string text(std::size_t most);  ///< UTF-8 with one to four octets a character
    std::string octet_string(std::size_t most);
    table any_table(dialect as, int depth = 0);
    field_value any_value(dialect as, int depth = 0);
    /// One to three octets changed, inserted, removed, or the end cut off.
    std::string corrupted(std::string bytes);

private:
    std::mt19937_64 engine_;
};

/// Keeps the octets that a method's views point into; a deque does not move them.
using arena = std::deque<std::string>;

struct field_filler {
    random_source& random;
    arena& kept;
    dialect as;

    void operator()(bool& field) const { field = random.one_in(2); }
    template <std::unsigned_integral Number>
        requires(!std::same_as<Number, bool>)
    void operator()(Number& field) const {
        field = static_cast<Number>(random.one_in(4) ? ~std::uint64_t{0} : random.bits());
    }
    void operator()(octets& field) const {
        field = kept.emplace_back(random.one_in(4) ? std::string(255, 'a') : random.text(60));
    }
    void operator()(long_string& field) const {
        field.value = kept.emplace_back(random.octet_string(600));
    }
    void operator()(table& field) const { field = random.any_table(as); }
};

template <class Method, class Visitor>
void visit_fields(Method& of, Visitor&& visitor) {
    std::apply([&](auto... field) { (visitor(of.*field), ...); }, Method::fields());
}

template <class Method>
Method any_method(random_source& random, arena& kept, dialect as = dialect::rabbitmq) {
    Method result;
    visit_fields(result, field_filler{random, kept, as});
    return result;
}

/// The payload of a method frame.
template <class Method>
std::string payload_of(const Method& from, dialect as = dialect::rabbitmq) {
    byte_buffer out;
    write_number(out, Method::id.class_id);
    write_number(out, Method::id.method);
    write_arguments(out, from, as);
    return std::string(out.view());
}

/// Calls `visitor.template operator()<Method>()` for every alternative of `method` but none.
template <class Visitor>
void for_each_method(Visitor visitor) {
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
        (visitor.template operator()<std::variant_alternative_t<Index + 1, method>>(), ...);
    }(std::make_index_sequence<std::variant_size_v<method> - 1>{});
}

inline std::string name_of(method_id id) {
    return std::to_string(id.class_id) + "." + std::to_string(id.method);
}

}  // namespace lovage::amqp::testing
