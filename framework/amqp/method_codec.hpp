// Reading and writing the argument octets of any method from its list of fields. Bits that stand
// next to each other share an octet, the first in the lowest bit (specification 4.2.5.2).
#pragma once

#include "framework/amqp/methods.hpp"
#include "framework/amqp/table_codec.hpp"
#include "framework/amqp/wire.hpp"

namespace lovage::amqp {

enum class method_error {
    none,
    unknown,    ///< no such class or method id
    malformed,  ///< arguments cut short, octets left over, a bad table
    not_utf8    ///< a short string that is not UTF-8, where it must be; see names_are_text
};

/// What messages travel with, from their publisher to their consumers, is not looked at: RabbitMQ
/// takes any octets for the names in basic.publish, and its clients send what is no UTF-8.
template <class Method>
inline constexpr bool names_are_text =
    !std::same_as<Method, basic::publish> && !std::same_as<Method, basic::return_> &&
    !std::same_as<Method, basic::deliver> && !std::same_as<Method, basic::get_ok>;

class method_reader {
public:
    method_reader(octets arguments, dialect as, bool names_are_text)
        : in_(arguments), dialect_(as), names_are_text_(names_are_text) {}

    void operator()(bool& field) {
        if (bit_ == 8) {
            bits_ = in_.number<std::uint8_t>();
            bit_ = 0;
        }
        field = (static_cast<unsigned>(bits_ >> bit_) & 1U) != 0;
        ++bit_;
    }
    template <std::unsigned_integral Number>
        requires(!std::same_as<Number, bool>)
    void operator()(Number& field) {
        field = start().number<Number>();
    }
    void operator()(octets& field) {
        field = start().short_string();
        utf8_ = utf8_ && (!names_are_text_ || is_utf8(field));
    }
    void operator()(long_string& field) { field.value = start().long_string(); }
    void operator()(table& field) { field = read_table(start(), dialect_); }

    [[nodiscard]] method_error result() const {
        if (!in_.ok() || !in_.at_end()) {
            return method_error::malformed;
        }
        return utf8_ ? method_error::none : method_error::not_utf8;
    }

private:
    wire_reader& start() {
        bit_ = 8;
        return in_;
    }

    wire_reader in_;
    dialect dialect_;
    bool names_are_text_;
    std::uint8_t bits_ = 0;
    int bit_ = 8;
    bool utf8_ = true;
};

class method_writer {
public:
    method_writer(byte_buffer& out, dialect as) : out_(out), dialect_(as) {}

    void operator()(bool field) {
        if (bit_ == 8) {
            bits_at_ = out_.size();
            write_number(out_, std::uint8_t{0});
            bit_ = 0;
        }
        if (field) {
            char* bits = out_.at(bits_at_);
            *bits = static_cast<char>(static_cast<unsigned char>(*bits) | (1U << bit_));
        }
        ++bit_;
    }
    template <std::unsigned_integral Number>
        requires(!std::same_as<Number, bool>)
    void operator()(Number field) {
        write_number(start(), field);
    }
    void operator()(octets field) { write_short_string(start(), field); }
    void operator()(const long_string& field) { write_long_string(start(), field.value); }
    void operator()(const table& field) { write_table(start(), field, dialect_); }

private:
    byte_buffer& start() {
        bit_ = 8;
        return out_;
    }

    byte_buffer& out_;
    dialect dialect_;
    std::size_t bits_at_ = 0;
    int bit_ = 8;
};

template <class Method>
method_error read_arguments(octets arguments, Method& into, dialect as = dialect::rabbitmq) {
    method_reader reader{arguments, as, names_are_text<Method>};
    std::apply([&](auto... field) { (reader(into.*field), ...); }, Method::fields());
    return reader.result();
}

template <class Method>
void write_arguments(byte_buffer& out, const Method& from, dialect as = dialect::rabbitmq) {
    method_writer writer{out, as};
    std::apply([&](auto... field) { (writer(from.*field), ...); }, Method::fields());
}

/// Writes a whole method frame.
template <class Method>
void write_method(byte_buffer& out, std::uint16_t channel, const Method& from) {
    write_number(out, static_cast<std::uint8_t>(frame_type::method));
    write_number(out, channel);
    write_number(out, std::uint32_t{0});
    const std::size_t start = out.size();
    write_number(out, Method::id.class_id);
    write_number(out, Method::id.method);
    write_arguments(out, from);
    patch_size(out, start - 4, out.size() - start);
    write_number(out, frame_end);
}

/// Reads the payload of a method frame: two ids, then arguments. `id` is set when the payload has
/// at least the ids, also on error. The result's views point into `payload`.
[[nodiscard]] method_error read_method(
    octets payload,
    method_id& id,
    method& into,
    dialect as = dialect::rabbitmq);

}  // namespace lovage::amqp
