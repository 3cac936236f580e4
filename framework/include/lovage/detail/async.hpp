// From blocking results to completion tokens: what the asynchronous forms of app, handle and
// connection have in common. An operation is started with one type-erased handler; where it is
// called back is the handler's associated executor, or the library's I/O thread without one.
#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>

#include <exception>
#include <utility>

namespace lovage::detail {

/// Completion handlers get a null pointer or what the blocking form would throw.
template <class... Values>
using completion = boost::asio::any_completion_handler<void(std::exception_ptr, Values...)>;

/// Starts `start(completion<Values...>)` the way the token wants it.
template <class... Values, class Token, class Start>
auto initiate(Token&& token, Start start) {
    return boost::asio::async_initiate<Token, void(std::exception_ptr, Values...)>(
        [start = std::move(start)](auto handler) mutable {
            std::move(start)(completion<Values...>(std::move(handler)));
        },
        token);
}

}  // namespace lovage::detail
