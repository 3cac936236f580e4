// What a task knows about its own execution: take `lovage::context&` as the first parameter.
// Made by the worker for one execution (or empty, for a direct call) and valid until the function
// returns; used on the thread that runs the task. Does not reach the broker itself: progress goes
// through an interface that the worker implements.
#pragma once

#include <lovage/json.hpp>

#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace lovage {

namespace amqp {
class table;
}

/// Where progress goes. Called on the task's thread.
class progress_sink {
public:
    virtual ~progress_sink() = default;
    /// `json` is one JSON value, valid during the call.
    virtual void progress(std::string_view json) = 0;
};

/// The facts a context is made of. Views and pointers must outlive the context.
struct context_facts {
    std::string_view task_id = {};
    std::string_view task_name = {};
    std::int64_t retries = 0;         ///< retries before this attempt
    std::int64_t delivery_count = 0;  ///< earlier deliveries of this very message, 0 for the first
    std::int64_t crashes = 0;         ///< worker processes that died running this message
    bool redelivered = false;
    std::optional<std::chrono::steady_clock::time_point> deadline = {};
    std::stop_token stop = {};
    const amqp::table* headers = nullptr;  ///< the application's headers; may be null
    progress_sink* progress = nullptr;     ///< may be null: progress is dropped
};

class context {
public:
    /// For calling a task's function directly: no id, first attempt, no deadline.
    context() = default;
    explicit context(const context_facts& facts) : facts_(facts) {}
    context(const context&) = delete;
    context& operator=(const context&) = delete;

    [[nodiscard]] std::string_view id() const { return facts_.task_id; }
    [[nodiscard]] std::string_view name() const { return facts_.task_name; }
    /// 1 for the first attempt, one more with each retry.
    [[nodiscard]] std::int64_t attempt() const { return facts_.retries + 1; }
    [[nodiscard]] std::int64_t retries() const { return facts_.retries; }
    [[nodiscard]] std::int64_t delivery_count() const { return facts_.delivery_count; }
    [[nodiscard]] std::int64_t crashes() const { return facts_.crashes; }
    /// True if the message may have been run, wholly or partly, before.
    [[nodiscard]] bool redelivered() const { return facts_.redelivered; }
    /// When the hard time limit strikes; nothing without a limit.
    [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> deadline() const {
        return facts_.deadline;
    }
    /// Asked to stop when the time limit has struck or the worker ends without waiting for the
    /// task. In the threads pool alone: processes of the prefork pool are killed and hear nothing,
    /// so look at deadline() there. Never asked in a direct call.
    [[nodiscard]] const std::stop_token& stop() const { return facts_.stop; }
    [[nodiscard]] bool stop_requested() const { return facts_.stop.stop_requested(); }
    /// A header that the caller added with how().header(); nothing if there is none of that name.
    [[nodiscard]] std::optional<boost::json::value> header(std::string_view name) const;

    /// Publishes an intermediate result, state PROGRESS. Throws encode_error for what has no JSON
    /// form; does nothing in a direct call.
    template <class T>
    void progress(const T& value) {
        if (facts_.progress != nullptr) {
            facts_.progress->progress(to_json_text(value));
        }
    }

private:
    context_facts facts_;
};

}  // namespace lovage
