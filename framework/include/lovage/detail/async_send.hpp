// app::async_send's other half: makes the typed handle where the caller's handler runs.
#pragma once

#include <lovage/app.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_executor.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace lovage::detail {

template <class Result>
class handle_maker {
public:
    using completion_type = completion<handle<Result>>;
    using executor_type = boost::asio::associated_executor_t<completion_type>;
    using allocator_type = boost::asio::associated_allocator_t<completion_type>;

    explicit handle_maker(completion_type handler) : handler_(std::move(handler)) {}

    [[nodiscard]] executor_type get_executor() const noexcept {
        return boost::asio::get_associated_executor(handler_);
    }
    [[nodiscard]] allocator_type get_allocator() const noexcept {
        return boost::asio::get_associated_allocator(handler_);
    }
    void operator()(std::exception_ptr error, std::shared_ptr<reply_slot> slot) {
        std::move(handler_)(error, handle<Result>(std::move(slot)));
    }

private:
    completion_type handler_;
};

}  // namespace lovage::detail

namespace lovage {

template <class Result>
void app::start_async_send(
    const core_ptr& core,
    const any_signature& call,
    const how& way,
    detail::completion<handle<Result>> handler) {
    async_send_slot(core, call, way, sent(detail::handle_maker<Result>(std::move(handler))));
}

}  // namespace lovage
