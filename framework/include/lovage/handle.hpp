// What send() returns: the way to a call's result. Copies refer to the same call; when the last one
// goes, the result is no longer waited for (the task runs all the same).
// Any thread. get() and wait() block and must not be called on the library's I/O thread (in
// completion handlers without an executor); async_get() may be used anywhere.
#pragma once

#include <lovage/detail/async.hpp>
#include <lovage/result.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace lovage {

namespace detail {

/// Where one result arrives; see framework/app/reply_slot.hpp.
class reply_slot;

[[nodiscard]] const std::string& slot_id(const reply_slot& slot);
/// Waits for a terminal result. Null if it did not come in time; throws broker_error when the app
/// was stopped, std::logic_error for a call whose result is ignored.
[[nodiscard]] std::shared_ptr<const task_result> slot_wait(
    const std::shared_ptr<reply_slot>& slot,
    std::chrono::milliseconds timeout);
/// The newest message about the call; null if none has come.
[[nodiscard]] std::shared_ptr<const task_result> slot_latest(const reply_slot& slot);
using result_completion = completion<std::shared_ptr<const task_result>>;
/// The handler gets a terminal result, or wait_timeout or broker_error.
void slot_async_wait(
    const std::shared_ptr<reply_slot>& slot,
    std::chrono::milliseconds timeout,
    result_completion handler);
[[nodiscard]] std::chrono::milliseconds slot_default_timeout(const reply_slot& slot);
[[noreturn]] void throw_wait_timeout(const std::string& id);

}  // namespace detail

class any_handle {
public:
    any_handle() = default;
    explicit any_handle(std::shared_ptr<detail::reply_slot> slot) : slot_(std::move(slot)) {}

    /// False for a default-constructed handle, with which nothing else can be done.
    [[nodiscard]] bool valid() const { return slot_ != nullptr; }
    /// The task's id.
    [[nodiscard]] const std::string& id() const { return detail::slot_id(*slot_); }
    /// True when the result is there: get() will not block.
    [[nodiscard]] bool ready() const {
        const auto latest = detail::slot_latest(*slot_);
        return latest != nullptr && terminal(latest->state);
    }
    /// The state last heard of; `unknown` until the first message.
    [[nodiscard]] task_state state() const {
        const auto latest = detail::slot_latest(*slot_);
        return latest == nullptr ? task_state::unknown : latest->state;
    }
    /// The newest message about the task, e.g. its progress.
    [[nodiscard]] std::optional<task_result> latest() const {
        const auto found = detail::slot_latest(*slot_);
        return found == nullptr ? std::nullopt : std::optional<task_result>(*found);
    }
    /// True as soon as the result is there, false if it did not come in time.
    [[nodiscard]] bool wait(std::chrono::milliseconds timeout) const {
        return detail::slot_wait(slot_, timeout) != nullptr;
    }

protected:
    std::shared_ptr<detail::reply_slot> slot_;
};

template <class Result>
class handle : public any_handle {
public:
    using result_type = Result;
    using any_handle::any_handle;

    /// The task's result; waits for it as long as app_options::result_timeout.
    /// Throws task_failed, task_revoked, wait_timeout, decode_error, broker_error (app stopped).
    Result get() const { return get(detail::slot_default_timeout(*slot_)); }
    Result get(std::chrono::milliseconds timeout) const {
        const auto result = detail::slot_wait(slot_, timeout);
        if (result == nullptr) {
            detail::throw_wait_timeout(id());
        }
        return value_of<Result>(*result);
    }

    /// Completes with (exception_ptr, Result), or (exception_ptr) if Result is void.
    template <class Token>
    auto async_get(std::chrono::milliseconds timeout, Token&& token) const {
        if constexpr (std::is_void_v<Result>) {
            return detail::initiate<>(
                std::forward<Token>(token), starter<detail::completion<>>(timeout));
        } else {
            return detail::initiate<Result>(
                std::forward<Token>(token), starter<detail::completion<Result>>(timeout));
        }
    }

private:
    template <class Completion>
    auto starter(std::chrono::milliseconds timeout) const {
        return [slot = slot_, timeout](Completion handler) {
            start_get(slot, timeout, std::move(handler));
        };
    }
    template <class Completion>
    static void start_get(
        const std::shared_ptr<detail::reply_slot>& slot,
        std::chrono::milliseconds timeout,
        Completion handler);
};

}  // namespace lovage

#include <lovage/detail/async_get.hpp>
