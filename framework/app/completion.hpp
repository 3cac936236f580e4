// A user's completion handler that waits on an I/O thread of ours: keeps the user's executor busy
// (so that its run() does not return) until it is called, and calls it there, never in place.
// The call takes a post to our executor first: what throws or takes long does so in a round of its
// own, not amid a connection's work.
#pragma once

#include <lovage/detail/async.hpp>

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <exception>
#include <utility>

namespace lovage {

template <class... Values>
class pending_completion {
public:
    pending_completion(
        detail::completion<Values...> handler,
        const boost::asio::any_io_executor& fallback)
        : handler_(std::move(handler)),
          ours_(fallback),
          executor_(boost::asio::prefer(
              boost::asio::any_completion_executor(boost::asio::get_associated_executor(
                  handler_,
                  boost::asio::any_completion_executor(fallback))),
              boost::asio::execution::outstanding_work.tracked)) {}

    /// Once.
    void operator()(std::exception_ptr error, Values... values) {
        boost::asio::post(
            ours_,
            [executor = std::move(executor_),
             call = boost::asio::append(
                 std::move(handler_), std::move(error), std::move(values)...)]() mutable {
                boost::asio::dispatch(executor, std::move(call));
            });
    }

private:
    detail::completion<Values...> handler_;
    boost::asio::any_io_executor ours_;
    boost::asio::any_completion_executor executor_;
};

}  // namespace lovage
