// The moving parts of lovage::app, made when it is first used: an I/O thread, one client that
// publishes and one that consumes replies, and the router from correlation ids to slots.
// Public members from any thread; everything behind the mailbox runs on the I/O thread, which the
// destructor ends before anything else: handlers there may use `this`.
//
// Replies: one durable, shared queue lovage.reply.<uuid> for each engine, kept by the broker for
// reply_queue_expires while we are away. Not exclusive, because an exclusive queue dies with its
// connection and takes with it the results that arrive until we are back.
#pragma once

#include "framework/app/amqp_client.hpp"
#include "framework/app/deadline_table.hpp"
#include "framework/app/io_thread.hpp"
#include "framework/app/mailbox.hpp"
#include "framework/app/reply_slot.hpp"
#include "framework/app/task_queues.hpp"
#include "framework/client/reply_router.hpp"
#include "framework/net/uri.hpp"

#include <lovage/app.hpp>

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace lovage {

/// A call on its way to the I/O thread.
struct outgoing_call {
    std::string queue;
    client::publication message;
    milliseconds delay{0};
    std::shared_ptr<detail::reply_slot> slot;
    std::optional<pending_completion<std::shared_ptr<detail::reply_slot>>> handler;
};

class app_engine : public std::enable_shared_from_this<app_engine> {
public:
    using slot_ptr = std::shared_ptr<detail::reply_slot>;

    app_engine(const app_options& options, const net::uri& address, std::string reply_queue);
    /// Connections are cut without a goodbye if stop() was not called.
    ~app_engine();
    app_engine(const app_engine&) = delete;
    app_engine& operator=(const app_engine&) = delete;

    [[nodiscard]] const std::string& reply_queue() const { return reply_queue_; }
    [[nodiscard]] bool is_io_thread() const { return thread_.is_this_thread(); }
    [[nodiscard]] boost::asio::any_io_executor executor() {
        return thread_.context().get_executor();
    }
    /// The fork generation that it was made in.
    [[nodiscard]] unsigned generation() const { return generation_; }

    /// Takes the call; its slot hears of confirm and result.
    void send(outgoing_call call);
    /// The handler gets the slot's terminal result, or an error when the time is over.
    static void wait_for_result(
        const slot_ptr& slot,
        milliseconds timeout,
        detail::result_completion handler);
    /// Fails what is outstanding, deletes the reply queue, closes. Waits for it unless called on
    /// the I/O thread. Twice is fine.
    void stop();

private:
    class reply_handler;
    class confirm_waiter;

    void send_now(outgoing_call& call);
    void listen();
    void on_reply(const client::delivery& message);
    void on_result(const slot_ptr& slot, task_result&& result);
    void on_replies_lost(const client::problem& why);
    void add_deadline(time_point at, const slot_ptr& slot, std::uint64_t waiter);
    void arm_deadline();
    void stop_now();
    void stop_clients();

    const app_options options_;
    const std::string where_;
    const std::string reply_queue_;
    const unsigned generation_;
    io_thread thread_;
    std::shared_ptr<mailbox> mailbox_;
    std::shared_ptr<amqp_client> publisher_;
    std::shared_ptr<amqp_client> listener_;
    task_queues queues_;
    std::shared_ptr<reply_handler> replies_;
    client::reply_router<std::weak_ptr<detail::reply_slot>> router_;
    deadline_table<detail::reply_slot> deadlines_;
    boost::asio::steady_timer deadline_timer_;
    /// No reply can come any more, for the rest of the engine's life.
    std::optional<client::problem> replies_lost_;
    bool listening_ = false;
    bool stopping_ = false;
    int clients_left_ = 0;

    std::mutex stop_mutex_;
    std::condition_variable stop_done_;
    bool stop_asked_ = false;
    bool stopped_ = false;
};

}  // namespace lovage
