// Defining tasks. A task is a constant: a name, a function and options, shared by the program that
// calls it and the worker that runs it:
//
//   inline constexpr auto add = lovage::task<"demo.add">([](int a, int b) { return a + b; });
//   inline constexpr auto charge = lovage::task<"shop.charge">(
//       [](lovage::context& ctx, double amount, std::string card) -> receipt { ... },
//       {.queue = "money", .retries = {.max = 5, .base = 1s, .cap = 10min}, .time_limit = 10s});
//   inline constexpr auto twice = lovage::remote_task<"py.twice", int(int)>(
//       {.queue = "pyq"});                     // runs elsewhere, e.g. in Python
//
//   add(2, 3)      runs the function here and now
//   add.s(2, 3)    a signature<int>, to be sent
//
// Arguments convert as in a function call, except that floating point is not cut to an integer and
// bool is no number (nor the reverse). An integer that does not fit the parameter throws
// encode_error. A call that does not fit does not compile; the message starts with "lovage:".
// Immutable; any thread.
#pragma once

#include <lovage/context.hpp>
#include <lovage/detail/callable.hpp>
#include <lovage/options.hpp>
#include <lovage/signature.hpp>

#include <concepts>
#include <exception>
#include <functional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace lovage {

namespace detail {
/// Not constexpr, so that a definition with too few or too many names does not compile; its name is
/// the error's text. Throws std::invalid_argument for tasks that are made at run time.
[[noreturn]] void names_must_cover_all_parameters();

/// What a definition with an error gives, so that the compiler does not complain a second time.
struct invalid_definition {};
}  // namespace detail

/// What local and remote tasks have in common: name, options, s().
template <detail::fixed_string Name, class Result, class Parameters>
class task_definition {
public:
    using result_type = std::remove_cvref_t<Result>;
    using parameters = Parameters;

    constexpr explicit task_definition(const task_options& options) : options_(options) {
        std::size_t count = 0;
        for (const std::string_view name : options.names) {
            count += name.empty() ? 0U : 1U;
        }
        if (count != 0 && count != Parameters::size) {
            detail::names_must_cover_all_parameters();
        }
    }

    [[nodiscard]] static constexpr std::string_view name() { return Name.view(); }
    [[nodiscard]] constexpr const task_options& options() const { return options_; }

    /// Whether s(args...) compiles.
    template <class... Arguments>
    static constexpr bool accepts = detail::arguments_pass<Parameters, Arguments...>;

    /// The call as a value. Throws encode_error for arguments that have no JSON form (NaN, text
    /// that is not UTF-8) or do not fit.
    template <class... Arguments>
    [[nodiscard]] signature<result_type> s(Arguments&&... arguments) const {
        check<Arguments...>();
        if constexpr (accepts<Arguments...>) {
            return signature<result_type>(
                name(),
                options_,
                detail::encode_arguments(Parameters{}, std::forward<Arguments>(arguments)...));
        } else {
            return signature<result_type>(name(), options_, {});
        }
    }

protected:
    template <class... Arguments>
    static constexpr void check() {
        constexpr bool count_fits = sizeof...(Arguments) == Parameters::size;
        static_assert(count_fits, "lovage: wrong number of arguments for this task");
        static_assert(
            !count_fits || accepts<Arguments...>,
            "lovage: an argument does not convert to the task's parameter "
            "(floating point does not become an integer, bool is no number)");
    }

private:
    task_options options_;
};

/// A task with its function.
template <detail::fixed_string Name, class F>
class local_task : public task_definition<
                       Name,
                       typename detail::shape_of<F>::type::result,
                       typename detail::shape_of<F>::type::parameters> {
public:
    using shape = typename detail::shape_of<F>::type;
    using base = task_definition<Name, typename shape::result, typename shape::parameters>;
    using function_type = F;

    constexpr local_task(F callable, const task_options& options)
        : base(options), function_(callable) {}

    /// Runs the function here and now, on this thread. A context may be passed first; without one
    /// the function sees an empty one.
    template <class... Arguments>
    decltype(auto) operator()(Arguments&&... arguments) const {
        context empty;
        return call(empty, std::forward<Arguments>(arguments)...);
    }
    template <class... Arguments>
    decltype(auto) operator()(context& ctx, Arguments&&... arguments) const {
        return call(ctx, std::forward<Arguments>(arguments)...);
    }

    [[nodiscard]] constexpr const F& function() const { return function_; }

private:
    template <class... Arguments>
    typename shape::result call(context& ctx, Arguments&&... arguments) const {
        this->template check<Arguments...>();
        if constexpr (base::template accepts<Arguments...>) {
            return call_converted(
                ctx, typename shape::parameters{}, std::forward<Arguments>(arguments)...);
        } else {
            std::terminate();  // never compiled to the end: check() has failed
        }
    }
    template <class... P, class... Arguments>
    typename shape::result call_converted(
        context& ctx,
        detail::type_list<P...>,
        Arguments&&... arguments) const {
        return call_numbered(
            ctx,
            detail::type_list<P...>{},
            std::index_sequence_for<P...>{},
            std::forward<Arguments>(arguments)...);
    }
    /// The numbers are for errors; the order in which arguments are converted is the compiler's.
    template <class... P, std::size_t... Positions, class... Arguments>
    typename shape::result call_numbered(
        context& ctx,
        detail::type_list<P...>,
        std::index_sequence<Positions...>,
        Arguments&&... arguments) const {
        if constexpr (shape::takes_context) {
            return std::invoke(
                function_, ctx, passed<P>(std::forward<Arguments>(arguments), Positions)...);
        } else {
            static_cast<void>(ctx);
            return std::invoke(
                function_, passed<P>(std::forward<Arguments>(arguments), Positions)...);
        }
    }
    /// The same object where the type is right, so that a direct call copies nothing.
    template <class P, class Argument>
    static decltype(auto) passed(Argument&& argument, [[maybe_unused]] std::size_t position) {
        if constexpr (std::same_as<std::remove_cvref_t<Argument>, std::remove_cvref_t<P>>) {
            return std::forward<Argument>(argument);
        } else if constexpr (std::same_as<std::remove_cvref_t<P>, std::string_view>) {
            return std::string_view(argument);
        } else {
            return detail::convert_argument<P>(std::forward<Argument>(argument), position);
        }
    }

    [[no_unique_address]] F function_;
};

/// A task whose function is elsewhere.
template <detail::fixed_string Name, class Signature>
class remote_task_definition;
template <detail::fixed_string Name, class R, class... P>
class remote_task_definition<Name, R(P...)>
    : public task_definition<Name, R, detail::type_list<P...>> {
public:
    using base = task_definition<Name, R, detail::type_list<P...>>;
    using base::base;

    template <class... Arguments>
    R operator()(Arguments&&...) const {
        static_assert(
            sizeof...(Arguments) == static_cast<std::size_t>(-1),
            "lovage: a remote task has no function to run here; send it with s()");
        std::terminate();
    }
};

namespace detail {

template <fixed_string Name, class... P>
consteval void check_parameters(type_list<P...>) {
    static_assert(
        valid_task_name(Name.view()),
        "lovage: a task name is 1 to 255 printable ASCII characters without spaces and quotes");
    static_assert(
        (readable_parameter<P> && ...),
        "lovage: a task takes its arguments by value or const reference (and lovage::context& "
        "first)");
    static_assert(
        (sendable_parameter<P> && ...),
        "lovage: a parameter type of this task has no JSON form "
        "(describe structs with BOOST_DESCRIBE_STRUCT; they need a default constructor)");
}

template <class R>
consteval void check_result() {
    static_assert(
        sendable_result<R>,
        "lovage: the result type of this task has no JSON form "
        "(describe structs with BOOST_DESCRIBE_STRUCT)");
}

template <class F>
consteval void check_function() {
    static_assert(
        has_shape<F>,
        "lovage: a task is a function or a lambda with one call operator, not a generic lambda");
    static_assert(
        std::is_pointer_v<F> || std::is_empty_v<F>,
        "lovage: a task's lambda captures nothing; the worker runs it in another process");
}

}  // namespace detail

/// Defines a task. `function` is a lambda without captures or a function; a first parameter
/// `lovage::context&` is filled by the worker and no argument of calls.
template <detail::fixed_string Name, class F>
[[nodiscard]] constexpr auto task(F function, const task_options& options = {}) {
    detail::check_function<F>();
    if constexpr (detail::has_shape<F> && (std::is_pointer_v<F> || std::is_empty_v<F>)) {
        using shape = typename detail::shape_of<F>::type;
        detail::check_parameters<Name>(typename shape::parameters{});
        detail::check_result<typename shape::result>();
        return local_task<Name, F>(function, options);
    } else {
        return detail::invalid_definition{};
    }
}

/// Defines a task that other programs run. Signature is a function type.
template <detail::fixed_string Name, class Signature>
[[nodiscard]] constexpr auto remote_task(const task_options& options = {}) {
    static_assert(
        std::is_function_v<Signature>,
        "lovage: a remote task is declared with a function type, e.g. double(std::string, int)");
    if constexpr (std::is_function_v<Signature>) {
        using definition = remote_task_definition<Name, Signature>;
        detail::check_parameters<Name>(typename definition::parameters{});
        detail::check_result<typename definition::result_type>();
        return definition(options);
    } else {
        return detail::invalid_definition{};
    }
}

}  // namespace lovage
