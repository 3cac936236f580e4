#include "framework/app/reply_slot.hpp"

#include "framework/app/app_engine.hpp"

#include <stdexcept>
#include <utility>

namespace lovage::detail {

std::exception_ptr exception_of(const client::problem& what) {
    return std::make_exception_ptr(broker_error(what.code, what.reply_code, what.text));
}

void reply_slot::confirm(const client::problem* failed) {
    const std::scoped_lock lock(mutex_);
    sending_ = failed == nullptr ? sending::confirmed : sending::failed;
    if (failed != nullptr) {
        send_problem_ = *failed;
    }
    changed_.notify_all();
}

void reply_slot::deliver(result_ptr result) {
    std::vector<waiter> ready;
    {
        const std::scoped_lock lock(mutex_);
        if (done()) {
            return;  // a duplicate: tasks run at least once
        }
        latest_ = result;
        if (!done()) {
            return;
        }
        ready.swap(waiters_);
        changed_.notify_all();
    }
    call(ready, nullptr, result);
}

void reply_slot::stop(const client::problem& why) {
    std::vector<waiter> left;
    {
        const std::scoped_lock lock(mutex_);
        if (stopped_ || done()) {
            return;
        }
        stopped_ = why;
        left.swap(waiters_);
        changed_.notify_all();
    }
    call(left, exception_of(why), nullptr);
}

void reply_slot::call(
    std::vector<waiter>& waiters,
    const std::exception_ptr& error,
    const result_ptr& result) {
    for (waiter& one : waiters) {
        one.handler(error, result);
    }
}

std::uint64_t reply_slot::add_waiter(pending_completion<result_ptr> handler) {
    std::exception_ptr error;
    result_ptr result;
    {
        const std::scoped_lock lock(mutex_);
        if (done()) {
            result = latest_;
        } else if (stopped_) {
            error = exception_of(*stopped_);
        } else {
            waiters_.push_back({++last_waiter_, std::move(handler)});
            return last_waiter_;
        }
    }
    handler(error, result);
    return 0;
}

void reply_slot::give_up(std::uint64_t number) {
    std::vector<waiter> late;
    {
        const std::scoped_lock lock(mutex_);
        for (auto one = waiters_.begin(); one != waiters_.end(); ++one) {
            if (one->number == number) {
                late.push_back(std::move(*one));
                waiters_.erase(one);
                break;
            }
        }
    }
    call(late, std::make_exception_ptr(wait_timeout(id_)), nullptr);
}

reply_slot::result_ptr reply_slot::latest() const {
    const std::scoped_lock lock(mutex_);
    return latest_;
}

void reply_slot::wait_confirmed() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return sending_ != sending::under_way; });
    if (sending_ == sending::failed) {
        throw broker_error(send_problem_.code, send_problem_.reply_code, send_problem_.text);
    }
}

reply_slot::result_ptr reply_slot::wait(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    const auto over = [&] { return done() || stopped_.has_value(); };
    // Far deadlines are cut: adding them to the clock would overflow.
    constexpr std::chrono::hours longest{24 * 365};
    const auto bounded = timeout < longest ? timeout : std::chrono::milliseconds(longest);
    changed_.wait_until(lock, std::chrono::steady_clock::now() + bounded, over);
    if (done()) {
        return latest_;
    }
    if (stopped_) {
        throw broker_error(stopped_->code, stopped_->reply_code, stopped_->text);
    }
    return nullptr;
}

// What <lovage/handle.hpp> calls.

const std::string& slot_id(const reply_slot& slot) {
    return slot.id();
}

std::chrono::milliseconds slot_default_timeout(const reply_slot& slot) {
    return slot.default_timeout();
}

std::shared_ptr<const task_result> slot_latest(const reply_slot& slot) {
    return slot.latest();
}

void throw_wait_timeout(const std::string& id) {
    throw wait_timeout(id);
}

namespace {
void check_awaitable(const reply_slot& slot) {
    if (slot.ignored()) {
        throw std::logic_error(
            "lovage: the result of task " + slot.id() +
            " is ignored (ignore_result); no result "
            "will come");
    }
}
}  // namespace

std::shared_ptr<const task_result> slot_wait(
    const std::shared_ptr<reply_slot>& slot,
    std::chrono::milliseconds timeout) {
    check_awaitable(*slot);
    if (const auto engine = slot->engine().lock(); engine && engine->is_io_thread()) {
        throw std::logic_error(
            "lovage: waiting on the I/O thread would never end; use async_get, or give the "
            "handler an executor of its own");
    }
    return slot->wait(timeout);
}

void slot_async_wait(
    const std::shared_ptr<reply_slot>& slot,
    std::chrono::milliseconds timeout,
    result_completion handler) {
    check_awaitable(*slot);
    app_engine::wait_for_result(slot, timeout, std::move(handler));
}

}  // namespace lovage::detail
