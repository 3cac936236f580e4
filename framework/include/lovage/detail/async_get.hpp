// handle::async_get's other half: decodes the result where the caller's handler runs.
#pragma once

#include <lovage/handle.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace lovage::detail {

/// A handler for the raw result that passes the decoded one on, with the same associations.
template <class Result, class Completion>
class decoding_handler {
public:
    using executor_type = boost::asio::associated_executor_t<Completion>;
    using allocator_type = boost::asio::associated_allocator_t<Completion>;

    explicit decoding_handler(Completion handler) : handler_(std::move(handler)) {}

    [[nodiscard]] executor_type get_executor() const noexcept {
        return boost::asio::get_associated_executor(handler_);
    }
    [[nodiscard]] allocator_type get_allocator() const noexcept {
        return boost::asio::get_associated_allocator(handler_);
    }

    void operator()(std::exception_ptr error, std::shared_ptr<const task_result> result) {
        if constexpr (std::is_void_v<Result>) {
            try {
                if (error == nullptr) {
                    value_of<void>(*result);
                }
            } catch (...) {
                error = std::current_exception();
            }
            std::move(handler_)(error);
        } else {
            Result value{};
            try {
                if (error == nullptr) {
                    value = value_of<Result>(*result);
                }
            } catch (...) {
                error = std::current_exception();
            }
            std::move(handler_)(error, std::move(value));
        }
    }

private:
    Completion handler_;
};

}  // namespace lovage::detail

namespace lovage {

template <class Result>
template <class Completion>
void handle<Result>::start_get(
    const std::shared_ptr<detail::reply_slot>& slot,
    std::chrono::milliseconds timeout,
    Completion handler) {
    detail::slot_async_wait(
        slot,
        timeout,
        detail::result_completion(
            detail::decoding_handler<Result, Completion>(std::move(handler))));
}

}  // namespace lovage
