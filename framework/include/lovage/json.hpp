// The JSON form of C++ values: what arguments and results look like on the wire.
//
//   bool, integers, floating point      true, 2, 2.5 (integers are exact and range-checked)
//   std::string                         text, UTF-8 only
//   std::optional, std::monostate       null when empty
//   vector, deque, list, set            list
//   array, pair, tuple                  list of exactly that length
//   map<std::string, T>                 object
//   enum of BOOST_DESCRIBE_ENUM         its enumerator's name
//   struct of BOOST_DESCRIBE_STRUCT     object
//   std::chrono::duration               seconds as a number
//   std::chrono::sys_time               ISO 8601 text, UTC, six digits of a second
//   boost::json::value, array, object   as they are (integers beyond 64 bits become floating point)
//
// Structs are read tolerantly, so that old and new programs understand each other: unknown members
// are ignored; a missing member keeps its value if it is a std::optional, if its default in the
// struct is not empty or zero (`int size = 10;`), or if the struct is declared tolerant:
//   template <> inline constexpr bool lovage::tolerant<order> = true;
// Any other missing member is an error, because zero is rarely what the caller meant.
// Other types: specialise lovage::json_codec (detail/json_codec.hpp shows its three functions).
// Pure functions; any thread.
#pragma once

#include <lovage/detail/json_codec.hpp>
#include <lovage/detail/json_containers.hpp>
#include <lovage/detail/json_described.hpp>
#include <lovage/detail/json_scalars.hpp>
#include <lovage/error.hpp>

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace lovage {

/// Appends the JSON text of `value`. Throws encode_error, which names the path.
template <class T>
void append_json(std::string& out, const T& value) {
    static_assert(
        json_value<T>,
        "lovage: this type has no JSON form (describe structs with BOOST_DESCRIBE_STRUCT)");
    if constexpr (json_value<T>) {
        json_codec<T>::write(out, value, nullptr);
    }
}

template <class T>
[[nodiscard]] std::string to_json_text(const T& value) {
    std::string text;
    append_json(text, value);
    return text;
}

/// Parses strict JSON: no NaN, no Infinity, at most 64 levels. Throws decode_error.
[[nodiscard]] boost::json::value parse_json(std::string_view text);

template <class T>
[[nodiscard]] boost::json::value to_json(const T& value) {
    return parse_json(to_json_text(value));
}

/// Reads `json` as a T. Throws decode_error, which names the path.
template <class T>
[[nodiscard]] T from_json(const boost::json::value& json) {
    static_assert(
        json_value<T>,
        "lovage: this type has no JSON form (describe structs with BOOST_DESCRIBE_STRUCT)");
    T value{};
    if constexpr (json_value<T>) {
        detail::json_reader reader;
        if (!json_codec<T>::read(json, value, reader, nullptr)) {
            throw decode_error(reader.error);
        }
    }
    return value;
}

}  // namespace lovage
