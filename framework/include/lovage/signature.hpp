// A call that has not been sent: the task's name, the encoded arguments and what its definition
// says about sending. A value: it may be kept, copied, sent many times and from any thread. Made by
// `task.s(args...)`; app.send() and the envelope code (framework/task/call.hpp) read it.
#pragma once

#include <lovage/json.hpp>
#include <lovage/options.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace lovage {

/// The part that does not depend on the result's type.
class any_signature {
public:
    /// `args` is the JSON list of the positional arguments, `kwargs` the JSON object of those with
    /// names; `name` and the text in `options` are literals or outlive the signature.
    any_signature(
        std::string_view name,
        const task_options& options,
        std::string args,
        std::string kwargs = "{}")
        : name_(name),
          queue_(options.queue),
          time_limit_(options.time_limit),
          ignore_result_(options.ignore_result),
          args_(std::move(args)),
          kwargs_(std::move(kwargs)) {}

    [[nodiscard]] std::string_view name() const { return name_; }
    /// Empty: the application's default queue.
    [[nodiscard]] std::string_view queue() const { return queue_; }
    /// 0: none.
    [[nodiscard]] std::chrono::milliseconds time_limit() const { return time_limit_; }
    [[nodiscard]] bool ignore_result() const { return ignore_result_; }
    /// JSON list, e.g. `[2,3]`.
    [[nodiscard]] const std::string& args() const { return args_; }
    /// JSON object; our own tasks are called with positional arguments only, so mostly `{}`.
    [[nodiscard]] const std::string& kwargs() const { return kwargs_; }

private:
    std::string_view name_;
    std::string_view queue_;
    std::chrono::milliseconds time_limit_;
    bool ignore_result_;
    std::string args_;
    std::string kwargs_;
};

template <class Result>
class signature : public any_signature {
public:
    using result_type = Result;
    using any_signature::any_signature;
};

/// A call by name, for tasks that this program has no definition of. `name` and the text in
/// `options` must outlive the signature. Throws encode_error for infinities.
[[nodiscard]] inline signature<boost::json::value> raw_call(
    std::string_view name,
    const boost::json::array& args,
    const boost::json::object& kwargs = {},
    const task_options& options = {}) {
    return {name, options, to_json_text(args), to_json_text(kwargs)};
}

}  // namespace lovage
