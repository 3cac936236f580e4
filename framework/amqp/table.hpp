// Field tables: the values of AMQP 0-9-1 section 4.2.5.5, with the type letters that RabbitMQ and
// its clients use (t b B s u I i l L f d D S x A F T V) and, for peers that follow the letter of
// the specification, its own reading (s a short string, U a 16-bit integer).
// A value keeps its type letter, so that a table that is read and written again is unchanged.
// Pure; the owned form, for declarations and clients. A broker passes message headers on as octets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace lovage::amqp {

class field_value;

/// Letter A.
using field_array = std::vector<field_value>;

/// Letter D: `value` / 10^`scale`.
struct decimal {
    std::uint8_t scale = 0;
    std::int32_t value = 0;
    bool operator==(const decimal&) const = default;
};
/// Letter T: seconds since 1970, UTC.
struct timestamp {
    std::uint64_t seconds = 0;
    bool operator==(const timestamp&) const = default;
};
/// Letter x: octets that are not text.
struct byte_array {
    std::string octets;
    bool operator==(const byte_array&) const = default;
};
/// Letter s of the specification's dialect: text of at most 255 octets.
struct short_text {
    std::string text;
    bool operator==(const short_text&) const = default;
};
/// Letter L: 64 bits whose sign peers do not agree on. RabbitMQ reads them as signed.
struct unsigned_long {
    std::uint64_t value = 0;
    bool operator==(const unsigned_long&) const = default;
};

/// Letter F: names and values in the order in which they came; names may repeat.
class table {
public:
    using entry = std::pair<std::string, field_value>;

    table() = default;
    table(std::initializer_list<entry> entries);

    // Defined below field_value: clang refuses members of a vector of an incomplete type.
    [[nodiscard]] bool empty() const;
    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] const entry* begin() const;
    [[nodiscard]] const entry* end() const;
    /// The first value of that name, or null. Valid until the table changes.
    [[nodiscard]] const field_value* find(std::string_view name) const;
    /// Replaces the first value of that name or adds one at the end.
    void set(std::string_view name, field_value value);
    /// Adds at the end without looking for the name.
    void add(std::string name, field_value value);
    /// Removes every value of that name.
    void erase(std::string_view name);
    bool operator==(const table&) const;

private:
    std::vector<entry> entries_;
};

template <class T, class Variant>
struct is_alternative;
template <class T, class... Alternatives>
struct is_alternative<T, std::variant<Alternatives...>>
    : std::disjunction<std::is_same<T, Alternatives>...> {};

/// One value with its type. std::monostate is V, the void.
class field_value {
public:
    using variant = std::variant<
        std::monostate,
        bool,
        std::int8_t,
        std::uint8_t,
        std::int16_t,
        std::uint16_t,
        std::int32_t,
        std::uint32_t,
        std::int64_t,
        unsigned_long,
        float,
        double,
        decimal,
        std::string,
        byte_array,
        short_text,
        timestamp,
        field_array,
        table>;

    field_value() = default;
    field_value(const char* text) : value_(std::string(text)) {}
    field_value(std::string_view text) : value_(std::string(text)) {}
    /// Exactly the alternatives, so that no number changes its letter on the way in.
    template <class T>
        requires is_alternative<std::remove_cvref_t<T>, variant>::value
    field_value(T&& value)
        : value_(std::in_place_type<std::remove_cvref_t<T>>, std::forward<T>(value)) {}

    [[nodiscard]] const variant& get() const { return value_; }
    template <class T>
    [[nodiscard]] const T* as() const {
        return std::get_if<T>(&value_);
    }
    /// The text of a long or short string, else nothing. Valid until the value changes.
    [[nodiscard]] std::optional<std::string_view> text() const;
    /// Any of the integer letters as a 64-bit number (L as RabbitMQ reads it), else nothing.
    [[nodiscard]] std::optional<std::int64_t> integer() const;
    [[nodiscard]] bool is_void() const { return value_.index() == 0; }
    /// RabbitMQ's name of the type in its error texts: "longstr", "signedint", ...
    [[nodiscard]] std::string_view type_name() const;
    bool operator==(const field_value&) const;

private:
    variant value_;
};

inline bool table::empty() const {
    return entries_.empty();
}
inline std::size_t table::size() const {
    return entries_.size();
}
inline const table::entry* table::begin() const {
    return entries_.data();
}
inline const table::entry* table::end() const {
    return entries_.data() + entries_.size();
}

}  // namespace lovage::amqp
