// The tasks that a program can run: type-erased entries, made from task definitions, in a registry
// that is built once from an explicit list. The application builds it, the worker looks names up in
// it. Immutable after construction, hence safe to share; entries point into it.
#pragma once

#include <lovage/task.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace lovage {

enum class run_status {
    done,           ///< the text is the result as JSON
    bad_arguments,  ///< the function was not called; the text says why
    bad_result,     ///< the function returned what has no JSON form; the text says why
};

namespace detail {

/// Finds the JSON of each parameter in positional and keyword arguments. `out[i]` stays null for an
/// optional parameter without argument. Returns false with a reason like Python's TypeError.
bool bind_arguments(
    const boost::json::array& args,
    const boost::json::object& kwargs,
    std::span<const std::string_view> names,
    std::span<const bool> may_miss,
    std::span<const boost::json::value*> out,
    std::string& reason);

template <class P>
bool read_argument(
    const boost::json::value* json,
    stored<P>& out,
    std::size_t index,
    json_reader& reader) {
    const json_path path{nullptr, json_path::step::argument, {}, index};
    return json == nullptr || json_codec<stored<P>>::read(*json, out, reader, &path);
}

/// The decoded argument as the parameter takes it: moved unless it is taken by const reference.
template <class P>
decltype(auto) hand_over(stored<P>& value) {
    if constexpr (
        std::is_lvalue_reference_v<P> && std::same_as<std::remove_cvref_t<P>, stored<P>>) {
        return std::as_const(value);
    } else if constexpr (std::same_as<std::remove_cvref_t<P>, stored<P>>) {
        return std::move(value);
    } else {
        return std::remove_cvref_t<P>(value);
    }
}

template <class R, bool TakesContext, class F, class... P, std::size_t... I>
run_status run_function(
    const F& function,
    context& ctx,
    std::tuple<stored<P>...>& values,
    std::string& text,
    type_list<P...>,
    std::index_sequence<I...>) {
    const auto call = [&]() -> R {
        if constexpr (TakesContext) {
            return std::invoke(function, ctx, hand_over<P>(std::get<I>(values))...);
        } else {
            static_cast<void>(ctx);
            return std::invoke(function, hand_over<P>(std::get<I>(values))...);
        }
    };
    if constexpr (std::is_void_v<R>) {
        call();
        text = "null";
    } else {
        const auto& result = call();
        try {
            text.clear();
            append_json(text, result);
        } catch (const encode_error& problem) {
            text = problem.what();
            return run_status::bad_result;
        }
    }
    return run_status::done;
}

template <class Shape, class F, class... P, std::size_t... I>
run_status decode_and_run(
    const F& function,
    std::span<const std::string_view> names,
    const boost::json::array& args,
    const boost::json::object& kwargs,
    context& ctx,
    std::string& text,
    type_list<P...> parameters,
    std::index_sequence<I...> indices) {
    static constexpr std::array<bool, sizeof...(P)> may_miss{is_optional<stored<P>>...};
    std::array<const boost::json::value*, sizeof...(P)> json{};
    if (!bind_arguments(args, kwargs, names, may_miss, json, text)) {
        return run_status::bad_arguments;
    }
    std::tuple<stored<P>...> values{};
    [[maybe_unused]] json_reader reader;
    if (!(read_argument<P>(json[I], std::get<I>(values), I, reader) && ...)) {
        text = std::move(reader.error);
        return run_status::bad_arguments;
    }
    return run_function<typename Shape::result, Shape::takes_context>(
        function, ctx, values, text, parameters, indices);
}

}  // namespace detail

/// One task that can be run: name, options and the function behind JSON.
class task_entry {
public:
    using runner = std::function<run_status(
        const boost::json::array& args,
        const boost::json::object& kwargs,
        context& ctx,
        std::string& text)>;

    /// For tasks that are made at run time; `runner` does what run() says.
    task_entry(std::string name, const task_options& options, runner run)
        : name_(std::move(name)), options_(options), run_(std::move(run)) {}

    template <detail::fixed_string Name, class F>
    task_entry(const local_task<Name, F>& task)
        : name_(task.name()),
          options_(task.options()),
          run_([function = task.function(), options = task.options()](
                   const boost::json::array& args,
                   const boost::json::object& kwargs,
                   context& ctx,
                   std::string& text) {
              using shape = typename detail::shape_of<F>::type;
              using parameters = typename shape::parameters;
              return detail::decode_and_run<shape>(
                  function,
                  options.names,
                  args,
                  kwargs,
                  ctx,
                  text,
                  parameters{},
                  std::make_index_sequence<parameters::size>{});
          }) {}

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const task_options& options() const { return options_; }

    /// Decodes the arguments, calls the function on this thread, encodes its result into `text`.
    /// What the function throws passes through.
    [[nodiscard]] run_status run(
        const boost::json::array& args,
        const boost::json::object& kwargs,
        context& ctx,
        std::string& text) const {
        return run_(args, kwargs, ctx, text);
    }

private:
    std::string name_;
    task_options options_;
    runner run_;
};

class registry {
public:
    registry() = default;
    /// Throws registration_error for names that are invalid or appear twice, retry policies and
    /// time limits that make no sense.
    explicit registry(std::vector<task_entry> entries);

    /// Null if there is no task of that name. Valid as long as the registry.
    [[nodiscard]] const task_entry* find(std::string_view name) const;
    /// In the order of their names.
    [[nodiscard]] std::span<const task_entry> entries() const { return entries_; }

private:
    std::vector<task_entry> entries_;
};

}  // namespace lovage
