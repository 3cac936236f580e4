// What the compiler finds out about a task: the name as a template argument, the parameters and the
// result of a callable, and which arguments a call may pass. Included through lovage/task.hpp.
// Compile time only.
#pragma once

#include <lovage/context.hpp>
#include <lovage/json.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace lovage::detail {

/// Longest task name, as RabbitMQ's short strings and monitors take it without cutting.
inline constexpr std::size_t task_name_bytes_max = 255;

/// A string literal as a template argument.
template <std::size_t N>
struct fixed_string {
    char text[N]{};
    consteval fixed_string(const char (&literal)[N]) { std::copy_n(literal, N, text); }
    [[nodiscard]] constexpr std::string_view view() const { return {text, N - 1}; }
};

/// Printable ASCII without spaces and quotes: names appear in logs, URLs and command lines.
[[nodiscard]] constexpr bool valid_task_name(std::string_view name) {
    return !name.empty() && name.size() <= task_name_bytes_max &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return c > ' ' && c < '\x7f' && c != '"' && c != '\'' && c != '\\';
           });
}

template <class... T>
struct type_list {
    static constexpr std::size_t size = sizeof...(T);
};

/// Result and parameters of a function type; a leading context& is taken off.
template <class R, bool TakesContext, class... P>
struct function_shape {
    using result = R;
    using parameters = type_list<P...>;
    static constexpr bool takes_context = TakesContext;
};

template <class R, class... P>
struct shape_of_function {
    using type = function_shape<R, false, P...>;
};
template <class R, class... P>
struct shape_of_function<R, context&, P...> {
    using type = function_shape<R, true, P...>;
};

template <class F>
struct shape_of_member;
template <class C, class R, class... P>
struct shape_of_member<R (C::*)(P...) const> : shape_of_function<R, P...> {};
template <class C, class R, class... P>
struct shape_of_member<R (C::*)(P...) const noexcept> : shape_of_function<R, P...> {};

template <class F>
struct shape_of {};
template <class R, class... P>
struct shape_of<R (*)(P...)> : shape_of_function<R, P...> {};
template <class R, class... P>
struct shape_of<R (*)(P...) noexcept> : shape_of_function<R, P...> {};
template <class F>
    requires requires { typename shape_of_member<decltype(&F::operator())>::type; }
struct shape_of<F> : shape_of_member<decltype(&F::operator())> {};

template <class F>
concept has_shape = requires { typename shape_of<F>::type; };

/// How an argument is kept between decoding and the call.
template <class P>
using stored = std::conditional_t<
    std::same_as<std::remove_cvref_t<P>, std::string_view>,
    std::string,
    std::remove_cvref_t<P>>;

/// By value, by const reference or by rvalue reference; there is nobody to see a change.
template <class P>
concept readable_parameter =
    !std::is_lvalue_reference_v<P> || std::is_const_v<std::remove_reference_t<P>>;

template <class P>
concept sendable_parameter =
    json_value<stored<P>> && std::default_initializable<stored<P>> && std::movable<stored<P>>;

template <class R>
concept sendable_result = std::is_void_v<R> || json_value<std::remove_cvref_t<R>>;

/// Which arguments a parameter takes. As the language converts, but: no floating point to an
/// integer, nothing but bool to bool, and bool to no number. Integers convert among each other and
/// are checked for their range when the call is made.
template <class Argument, class P>
consteval bool passes() {
    using from = std::remove_cvref_t<Argument>;
    using to = stored<P>;
    if constexpr (std::same_as<from, to>) {
        return true;
    } else if constexpr (std::same_as<to, bool>) {
        return false;
    } else if constexpr (std::is_arithmetic_v<from> && std::is_arithmetic_v<to>) {
        return !std::same_as<from, bool> && !character<from> &&
               (std::floating_point<to> || std::integral<from>);
    } else if constexpr (std::same_as<to, std::string>) {
        return std::convertible_to<Argument, std::string> ||
               std::convertible_to<Argument, std::string_view>;
    } else {
        return std::convertible_to<Argument, to>;
    }
}

template <class Parameters, class... Arguments>
inline constexpr bool arguments_pass = false;
template <class... P, class... Arguments>
    requires(sizeof...(P) == sizeof...(Arguments))
inline constexpr bool arguments_pass<type_list<P...>, Arguments...> =
    (passes<Arguments, P>() && ...);

/// The argument as the parameter's stored type. Throws encode_error if an integer does not fit.
template <class P, class Argument>
[[nodiscard]] stored<P> convert_argument(Argument&& argument, std::size_t index) {
    using from = std::remove_cvref_t<Argument>;
    using to = stored<P>;
    if constexpr (whole_number<from> && whole_number<to>) {
        if (!std::in_range<to>(argument)) {
            const json_path path{nullptr, json_path::step::argument, {}, index};
            fail_encode(&path, std::to_string(argument) + " does not fit the parameter's type");
        }
        return static_cast<to>(argument);
    } else if constexpr (std::is_arithmetic_v<from> && std::is_arithmetic_v<to>) {
        return static_cast<to>(argument);
    } else if constexpr (
        std::same_as<to, std::string> && !std::convertible_to<Argument, std::string>) {
        return std::string(std::string_view(std::forward<Argument>(argument)));
    } else {
        return std::forward<Argument>(argument);
    }
}

template <class P, class Argument>
void append_argument(std::string& out, Argument&& argument, std::size_t index) {
    const json_path path{nullptr, json_path::step::argument, {}, index};
    if constexpr (std::same_as<std::remove_cvref_t<Argument>, stored<P>>) {
        json_codec<stored<P>>::write(out, argument, &path);
    } else {
        json_codec<stored<P>>::write(
            out, convert_argument<P>(std::forward<Argument>(argument), index), &path);
    }
}

/// `[a,b]`, the positional arguments of a message.
template <class... P, class... Arguments>
[[nodiscard]] std::string encode_arguments(type_list<P...>, Arguments&&... arguments) {
    std::string out;
    out.reserve(8 + 12 * sizeof...(P));
    out += '[';
    [[maybe_unused]] std::size_t index = 0;
    ((out += index == 0 ? "" : ",",
      append_argument<P>(out, std::forward<Arguments>(arguments), index++)),
     ...);
    out += ']';
    return out;
}

}  // namespace lovage::detail
