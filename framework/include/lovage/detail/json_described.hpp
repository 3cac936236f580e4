// JSON forms of described types: structs as objects, read tolerantly; enums as the names of their
// enumerators. Included through lovage/json.hpp, which states the rules for missing members.
#pragma once

#include <lovage/detail/json_codec.hpp>
#include <lovage/detail/json_containers.hpp>

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/describe/modifiers.hpp>
#include <boost/mp11/algorithm.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace lovage {

namespace detail {

template <class T>
concept described_enum = std::is_enum_v<T> && boost::describe::has_describe_enumerators<T>::value;
template <class T>
concept described_struct = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;

template <class T>
using members_of = boost::describe::
    describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

}  // namespace detail

template <detail::described_enum T>
struct json_codec<T> {
    using enumerators = boost::describe::describe_enumerators<T>;
    static constexpr bool supported = true;

    static void write(std::string& out, T value, const detail::json_path* path) {
        std::string_view name;
        boost::mp11::mp_for_each<enumerators>([&](auto enumerator) {
            if (enumerator.value == value) {
                name = enumerator.name;
            }
        });
        if (name.empty()) {
            detail::fail_encode(path, "a value of the enumeration that has no name");
        }
        detail::append_text(out, name, path);
    }
    static bool read(
        const boost::json::value& json,
        T& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        bool found = false;
        if (json.is_string()) {
            const std::string_view text(json.get_string().data(), json.get_string().size());
            boost::mp11::mp_for_each<enumerators>([&](auto enumerator) {
                if (!found && text == enumerator.name) {
                    out = enumerator.value;
                    found = true;
                }
            });
        }
        return found || reader.expected(choices(), json, path);
    }
    static bool blank(T value) { return value == T{}; }

private:
    static std::string choices() {
        std::string text = "one of";
        boost::mp11::mp_for_each<enumerators>([&](auto enumerator) {
            text += text == "one of" ? " " : ", ";
            text += enumerator.name;
        });
        return text;
    }
};

template <detail::described_struct T>
struct json_codec<T> {
    // Members are looked at only where they are written or read, so that a struct may contain a
    // list of itself.
    static constexpr bool supported = true;

    static void write(std::string& out, const T& value, const detail::json_path* path) {
        out += '{';
        bool first = true;
        boost::mp11::mp_for_each<detail::members_of<T>>([&](auto described) {
            using type = std::remove_cvref_t<decltype(value.*described.pointer)>;
            static_assert(
                json_value<type>,
                "lovage: a member of this struct has no JSON form "
                "(describe structs with BOOST_DESCRIBE_STRUCT)");
            if constexpr (json_value<type>) {
                const auto here = detail::member(path, described.name);
                if (!first) {
                    out += ',';
                }
                first = false;
                detail::append_text(out, described.name, &here);
                out += ':';
                json_codec<type>::write(out, value.*described.pointer, &here);
            }
        });
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
        const boost::json::object& object = json.get_object();
        bool good = true;
        boost::mp11::mp_for_each<detail::members_of<T>>([&](auto described) {
            good =
                good && read_member(object, described.name, out.*described.pointer, reader, path);
        });
        return good;
    }
    static bool blank(const T& value) {
        bool all = true;
        boost::mp11::mp_for_each<detail::members_of<T>>([&](auto described) {
            using type = std::remove_cvref_t<decltype(value.*described.pointer)>;
            all = all && json_codec<type>::blank(value.*described.pointer);
        });
        return all;
    }

private:
    template <class Member>
    static bool read_member(
        const boost::json::object& object,
        const char* name,
        Member& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        static_assert(
            json_value<Member>,
            "lovage: a member of this struct has no JSON form "
            "(describe structs with BOOST_DESCRIBE_STRUCT)");
        if constexpr (json_value<Member>) {
            const auto here = detail::member(path, name);
            const boost::json::value* part = object.if_contains(name);
            if (part == nullptr) {
                const bool may_miss =
                    tolerant<T> || detail::is_optional<Member> || !json_codec<Member>::blank(out);
                return may_miss || reader.fail("missing", &here);
            }
            if (!json_codec<Member>::blank(out)) {
                out = Member{};  // a list does not grow behind its default
            }
            return json_codec<Member>::read(*part, out, reader, &here);
        } else {
            return false;
        }
    }
};

}  // namespace lovage
