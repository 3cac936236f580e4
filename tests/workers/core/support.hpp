// A pool with a registry of two tasks, fed with messages as the app makes them, and its effects in
// a form that tests can look at. Time moves only when a test says so.
#pragma once

#include "framework/amqp/properties.hpp"
#include "framework/task/call.hpp"
#include "workers/core/pool.hpp"

#include <lovage/registry.hpp>
#include <lovage/task.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace lovage::workers::test {

inline constexpr wall_time epoch{std::chrono::seconds(1'800'000'000)};

/// A call as it would arrive.
struct sent_message {
    amqp::basic_properties properties;
    std::string body;

    void header(std::string_view name, amqp::field_value value) {
        properties.headers->set(name, std::move(value));
    }
};
[[nodiscard]] sent_message make_call(
    std::string_view task,
    const std::string& id = "t1",
    const how& way = how(),
    std::string args = "[]");

[[nodiscard]] registry test_tasks();

class pool_fixture : public ::testing::Test {
protected:
    explicit pool_fixture(std::size_t executors = 1);

    /// Starts all executors.
    void start();
    /// Delivers `message` with the next tag of `consumer`; returns the tag.
    std::uint64_t deliver(
        const sent_message& message,
        bool redelivered = false,
        client::consumer_id consumer = 1);
    /// Of the next messages: the broker tells what was lost from what was given back.
    bool losses_counted_ = true;
    void answer_success(executor_id executor, std::string value = "7");
    void answer_outcome(executor_id executor, outcome result);
    /// Confirms every publication that was asked for since the last call.
    void confirm_all();
    void advance(milliseconds time);

    /// Moves the effects that came since the last call to the end of `seen`.
    void collect();
    /// Effects since the last clear(), of one type.
    template <class Effect>
    std::vector<Effect> all() {
        collect();
        std::vector<Effect> out;
        for (const effect& one : seen_) {
            if (const auto* found = std::get_if<Effect>(&one)) {
                out.push_back(*found);
            }
        }
        return out;
    }
    template <class Effect>
    std::size_t count() {
        return all<Effect>().size();
    }
    /// The event names of all notes.
    std::vector<std::string> notes();
    void clear() {
        collect();
        seen_.clear();
    }
    [[nodiscard]] moment now() const { return {now_, wall_}; }
    /// The text of the last result message that was asked for.
    [[nodiscard]] const std::string& last_result() const { return last_result_; }

    registry tasks_ = test_tasks();
    worker_rules rules_{"w1@host", std::nullopt, milliseconds(0), true};
    pool pool_;
    std::vector<effect> seen_;
    time_point now_{};
    wall_time wall_ = epoch;

private:
    std::uint64_t next_tag_ = 1;
    std::size_t confirmed_ = 0;
    std::string last_result_;
    std::vector<std::function<void()>> unconfirmed_;
};

/// The value of a header of encoded properties as text; "-" if there is none.
[[nodiscard]] std::string header_text(const std::string& properties, std::string_view name);

}  // namespace lovage::workers::test
