#include "framework/app/io_thread.hpp"

#include "framework/base/log.hpp"

#include <atomic>
#include <exception>
#include <memory>
#include <pthread.h>
#include <signal.h>

namespace lovage {
namespace {

void run(boost::asio::io_context& context) {
    // Signals belong to the program's own threads.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    for (;;) {
        try {
            context.run();
            return;
        } catch (const std::exception& problem) {
            log_event(log_level::error, "handler_threw", {{"what", problem.what()}});
        } catch (...) {
            log_event(log_level::error, "handler_threw", {{"what", "not a std::exception"}});
        }
    }
}

std::atomic<unsigned> generation{0};

}  // namespace

io_thread::io_thread()
    : context_(std::make_shared<boost::asio::io_context>(1)),
      work_(context_->get_executor()),
      thread_([context = context_] { run(*context); }),
      id_(thread_.get_id()) {}

io_thread::~io_thread() {
    stop();
}

void io_thread::stop() {
    if (!thread_.joinable()) {
        return;
    }
    work_.reset();
    context_->stop();
    if (is_this_thread()) {
        thread_.detach();
    } else {
        thread_.join();
    }
}

unsigned fork_generation() {
    static const int registered = pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1); });
    static_cast<void>(registered);
    return generation.load(std::memory_order_relaxed);
}

}  // namespace lovage
