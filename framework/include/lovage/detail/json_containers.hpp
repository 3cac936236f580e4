// JSON forms of containers: sequences and sets as lists, maps with text keys as objects, array,
// pair and tuple as lists of exactly their length. Included through lovage/json.hpp.
#pragma once

#include <lovage/detail/json_codec.hpp>

#include <array>
#include <concepts>
#include <deque>
#include <list>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace lovage {

namespace detail {

template <class T>
inline constexpr bool is_sequence = false;
template <class T, class A>
inline constexpr bool is_sequence<std::vector<T, A>> = true;
template <class T, class A>
inline constexpr bool is_sequence<std::deque<T, A>> = true;
template <class T, class A>
inline constexpr bool is_sequence<std::list<T, A>> = true;

template <class T>
inline constexpr bool is_set = false;
template <class T, class C, class A>
inline constexpr bool is_set<std::set<T, C, A>> = true;
template <class T, class H, class E, class A>
inline constexpr bool is_set<std::unordered_set<T, H, E, A>> = true;

template <class T>
inline constexpr bool is_map = false;
template <class K, class T, class C, class A>
inline constexpr bool is_map<std::map<K, T, C, A>> = true;
template <class K, class T, class H, class E, class A>
inline constexpr bool is_map<std::unordered_map<K, T, H, E, A>> = true;

template <class T>
inline constexpr bool is_fixed = false;
template <class T, std::size_t N>
inline constexpr bool is_fixed<std::array<T, N>> = true;
template <class A, class B>
inline constexpr bool is_fixed<std::pair<A, B>> = true;
template <class... T>
inline constexpr bool is_fixed<std::tuple<T...>> = true;

[[nodiscard]] inline json_path item(const json_path* parent, std::size_t index) {
    return {parent, json_path::step::index, {}, index};
}
[[nodiscard]] inline json_path member(const json_path* parent, std::string_view name) {
    return {parent, json_path::step::member, name, 0};
}

template <class T, std::size_t... I>
consteval bool all_supported(std::index_sequence<I...>) {
    return (json_value<std::tuple_element_t<I, T>> && ...);
}

}  // namespace detail

template <class T>
    requires detail::is_sequence<T> || detail::is_set<T>
struct json_codec<T> {
    using element = typename T::value_type;
    static constexpr bool supported = json_value<element>;

    static void write(std::string& out, const T& values, const detail::json_path* path) {
        out += '[';
        std::size_t index = 0;
        for (const auto& value : values) {
            if (index != 0) {
                out += ',';
            }
            const auto here = detail::item(path, index++);
            json_codec<element>::write(out, value, &here);
        }
        out += ']';
    }
    static bool read(
        const boost::json::value& json,
        T& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        if (!json.is_array()) {
            return reader.expected("list", json, path);
        }
        std::size_t index = 0;
        for (const boost::json::value& part : json.get_array()) {
            const auto here = detail::item(path, index++);
            element value{};
            if (!json_codec<element>::read(part, value, reader, &here)) {
                return false;
            }
            if constexpr (detail::is_set<T>) {
                out.insert(std::move(value));
            } else {
                out.push_back(std::move(value));
            }
        }
        return true;
    }
    static bool blank(const T& values) { return values.empty(); }
};

template <class T>
    requires detail::is_map<T>
struct json_codec<T> {
    using mapped = typename T::mapped_type;
    static constexpr bool supported =
        std::same_as<typename T::key_type, std::string> && json_value<mapped>;

    static void write(std::string& out, const T& values, const detail::json_path* path) {
        out += '{';
        bool first = true;
        for (const auto& [key, value] : values) {
            if (!first) {
                out += ',';
            }
            first = false;
            const auto here = detail::member(path, key);
            detail::append_text(out, key, &here);
            out += ':';
            json_codec<mapped>::write(out, value, &here);
        }
        out += '}';
    }
    static bool read(
        const boost::json::value& json,
        T& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        if (!json.is_object()) {
            return reader.expected("object", json, path);
        }
        for (const auto& entry : json.get_object()) {
            const std::string_view key(entry.key().data(), entry.key().size());
            const auto here = detail::member(path, key);
            if (!json_codec<mapped>::read(entry.value(), out[std::string(key)], reader, &here)) {
                return false;
            }
        }
        return true;
    }
    static bool blank(const T& values) { return values.empty(); }
};

template <class T>
    requires detail::is_fixed<T>
struct json_codec<T> {
    static constexpr std::size_t size = std::tuple_size_v<T>;
    using indices = std::make_index_sequence<size>;
    static constexpr bool supported = detail::all_supported<T>(indices{});

    static void write(std::string& out, const T& values, const detail::json_path* path) {
        out += '[';
        write_all(out, values, path, indices{});
        out += ']';
    }
    static bool read(
        const boost::json::value& json,
        T& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        if (!json.is_array() || json.get_array().size() != size) {
            return reader.expected("list of " + std::to_string(size), json, path);
        }
        return read_all(json.get_array(), out, reader, path, indices{});
    }
    static bool blank(const T& values) { return all_blank(values, indices{}); }

private:
    template <std::size_t I>
    using part = std::tuple_element_t<I, T>;

    template <std::size_t... I>
    static void write_all(
        [[maybe_unused]] std::string& out,
        [[maybe_unused]] const T& values,
        [[maybe_unused]] const detail::json_path* path,
        std::index_sequence<I...>) {
        (write_one<I>(out, std::get<I>(values), path), ...);
    }
    template <std::size_t I>
    static void write_one(std::string& out, const part<I>& value, const detail::json_path* path) {
        if constexpr (I != 0) {
            out += ',';
        }
        const auto here = detail::item(path, I);
        json_codec<part<I>>::write(out, value, &here);
    }
    template <std::size_t... I>
    static bool read_all(
        [[maybe_unused]] const boost::json::array& list,
        [[maybe_unused]] T& out,
        [[maybe_unused]] detail::json_reader& reader,
        [[maybe_unused]] const detail::json_path* path,
        std::index_sequence<I...>) {
        return (read_one<I>(list[I], std::get<I>(out), reader, path) && ...);
    }
    template <std::size_t I>
    static bool read_one(
        const boost::json::value& json,
        part<I>& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        const auto here = detail::item(path, I);
        return json_codec<part<I>>::read(json, out, reader, &here);
    }
    template <std::size_t... I>
    static bool all_blank([[maybe_unused]] const T& values, std::index_sequence<I...>) {
        return (json_codec<part<I>>::blank(std::get<I>(values)) && ...);
    }
};

}  // namespace lovage
