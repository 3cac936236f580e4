// How a call is to be sent, as a fluent builder:
//   app.send(charge.s(9.5, "visa"), lovage::how().after(5s).expires(1min).priority(3));
// A value without references; app.send() and framework/task/call.hpp read it. Not an aggregate on
// purpose: g++ 12 destroys aggregate temporaries in co_await expressions twice.
#pragma once

#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lovage {

/// Unix time in milliseconds, UTC.
using wall_time = std::chrono::sys_time<std::chrono::milliseconds>;

class how {
public:
    how() {}

    /// Not before that long after it is sent. The broker holds it, no worker does.
    how& after(std::chrono::milliseconds delay) {
        after_ = delay;
        eta_.reset();
        return *this;
    }
    /// Not before that time.
    how& eta(wall_time time) {
        eta_ = time;
        after_.reset();
        return *this;
    }
    /// Not any more when it has not started that long after it was sent.
    how& expires(std::chrono::milliseconds lifetime) {
        expires_after_ = lifetime;
        expires_at_.reset();
        return *this;
    }
    how& expires(wall_time time) {
        expires_at_ = time;
        expires_after_.reset();
        return *this;
    }
    /// 0 to 255, higher first; only queues declared with priorities look at it.
    how& priority(std::uint8_t level) {
        priority_ = level;
        return *this;
    }
    /// Instead of the task's own queue.
    how& queue(std::string name) {
        queue_ = std::move(name);
        return *this;
    }
    /// Instead of a random id; results go by it, so it must be unique among tasks in flight. Throws
    /// std::invalid_argument for one that is longer than 255 octets.
    how& id(std::string task_id);
    /// A name to show in monitors instead of the task's.
    how& shadow(std::string name) {
        shadow_ = std::move(name);
        return *this;
    }
    /// Hard limit of each attempt, instead of the task's.
    how& time_limit(std::chrono::milliseconds limit) {
        time_limit_ = limit;
        return *this;
    }
    /// No result message is wanted.
    how& ignore_result(bool ignore = true) {
        ignore_result_ = ignore;
        return *this;
    }
    /// A header that context::header() shows to the task. Throws std::invalid_argument for a name
    /// of the protocol's own (task, id, eta, ...), an empty one or one longer than 255 octets.
    how& header(std::string name, boost::json::value value);

    /// When it is due if it is sent at `now`; nothing: at once.
    [[nodiscard]] std::optional<wall_time> due(wall_time now) const;
    [[nodiscard]] std::optional<wall_time> expiry(wall_time now) const;
    [[nodiscard]] std::optional<std::uint8_t> priority() const { return priority_; }
    [[nodiscard]] const std::string& queue() const { return queue_; }
    [[nodiscard]] const std::string& id() const { return id_; }
    [[nodiscard]] const std::string& shadow() const { return shadow_; }
    [[nodiscard]] std::optional<std::chrono::milliseconds> time_limit() const {
        return time_limit_;
    }
    [[nodiscard]] std::optional<bool> ignores_result() const { return ignore_result_; }
    using header_list = std::vector<std::pair<std::string, boost::json::value>>;
    [[nodiscard]] const header_list& headers() const { return headers_; }

private:
    std::optional<std::chrono::milliseconds> after_;
    std::optional<wall_time> eta_;
    std::optional<std::chrono::milliseconds> expires_after_;
    std::optional<wall_time> expires_at_;
    std::optional<std::chrono::milliseconds> time_limit_;
    std::optional<std::uint8_t> priority_;
    std::optional<bool> ignore_result_;
    std::string queue_;
    std::string id_;
    std::string shadow_;
    header_list headers_;
};

}  // namespace lovage
