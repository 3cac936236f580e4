// A worker for tests of the caller's side: takes task messages from a queue, runs them in this
// process, publishes results, acknowledges. On an I/O thread of its own.
#pragma once

#include "framework/app/amqp_client.hpp"
#include "framework/app/io_thread.hpp"

#include <lovage/registry.hpp>

#include <atomic>
#include <memory>
#include <string>

namespace lovage::test {

class test_worker {
public:
    test_worker(const std::string& url, registry tasks, std::string queue);
    ~test_worker();
    test_worker(const test_worker&) = delete;
    test_worker& operator=(const test_worker&) = delete;

    [[nodiscard]] int runs() const { return state_->runs; }

private:
    struct state : delivery_handler, std::enable_shared_from_this<state> {
        void delivered(const client::delivery& message) override;

        registry tasks;
        std::shared_ptr<amqp_client> consumer;
        std::shared_ptr<amqp_client> publisher;
        std::atomic<int> runs{0};
    };

    io_thread thread_;
    std::shared_ptr<state> state_;
};

}  // namespace lovage::test
