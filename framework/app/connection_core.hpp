// What is behind lovage::connection: a mailbox, one client that publishes and one that does the
// rest, on an I/O thread of its own or on the caller's executor.
// start functions from any thread; the rest on the executor.
#pragma once

#include "framework/app/amqp_client.hpp"
#include "framework/app/completion.hpp"
#include "framework/app/io_thread.hpp"
#include "framework/app/mailbox.hpp"

#include <lovage/connection.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace lovage {

class connection_core : public detail::acknowledger,
                        public std::enable_shared_from_this<connection_core> {
public:
    /// Without an executor it makes an I/O thread when it is first used.
    connection_core(
        std::optional<boost::asio::any_io_executor> executor,
        connection_options options);
    ~connection_core() override;

    template <class... Values>
    using pending = pending_completion<Values...>;

    /// Runs `work(core)` on the executor; completes `handler` with an error if that is over.
    template <class Work, class... Values>
    void run(Work work, detail::completion<Values...> handler) {
        const auto to = start();
        pending<Values...> waiting(std::move(handler), executor());
        if (to == nullptr) {
            waiting(stopped_error(), Values{}...);
            return;
        }
        to->push([self = shared_from_this(),
                  work = std::move(work),
                  waiting = std::move(waiting)]() mutable { work(*self, std::move(waiting)); });
    }

    void open(pending<> handler);
    void close(detail::completion<> handler);
    void ask(
        client::request what,
        std::function<void(const client::problem*, const client::answer*)> done);
    void publish(client::publication message, pending<> handler);
    void consume(
        client::subscription what,
        connection::delivery_function function,
        pending<consumer> handler);
    void cancel(std::uint64_t consumer);
    [[nodiscard]] delivery make_delivery(const client::delivery& from, bool no_ack);

    /// In a handler on the executor: waiting for something that happens there would never end.
    [[nodiscard]] bool is_on_executor() const;
    /// An I/O thread was started.
    [[nodiscard]] bool has_own_thread() const;
    [[nodiscard]] const connection_options& options() const { return options_; }
    [[nodiscard]] boost::asio::any_io_executor executor();
    [[nodiscard]] std::string new_name();

    // detail::acknowledger; any thread
    void acknowledge(std::uint64_t consumer, std::uint64_t epoch, std::uint64_t tag) override;
    void refuse(std::uint64_t consumer, std::uint64_t epoch, std::uint64_t tag, bool requeue)
        override;
    void dropped(std::uint64_t consumer, std::uint64_t epoch) override;

    [[nodiscard]] static std::exception_ptr stopped_error();

private:
    class consumer_handler;

    /// The mailbox; null when closed.
    std::shared_ptr<mailbox> start();
    void close_clients(std::function<void()> done);
    /// One delivery less that may be acknowledged.
    void settled(std::uint64_t consumer, std::uint64_t epoch);
    /// Closes the channel of a cancelled consumer when none of its deliveries needs it any more.
    void forget_if_done(std::uint64_t consumer);

    const connection_options options_;
    net::uri address_;
    std::mutex mutex_;
    std::optional<boost::asio::any_io_executor> executor_;
    /// Of the caller's executor; handlers of ours run one at a time.
    std::optional<boost::asio::strand<boost::asio::any_io_executor>> strand_;
    std::unique_ptr<io_thread> thread_;
    std::atomic<const io_thread*> started_thread_{nullptr};  ///< thread_, for any thread to look at
    std::shared_ptr<mailbox> mailbox_;
    std::shared_ptr<amqp_client> publisher_;
    std::shared_ptr<amqp_client> worker_;  ///< everything but publishing
    /// On the executor alone. The client owns the handlers.
    std::unordered_map<client::consumer_id, std::weak_ptr<consumer_handler>> consumers_;
    bool closed_ = false;
};

}  // namespace lovage
