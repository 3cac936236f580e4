// Two pumps joined by a loopback connection, on one io_context that the test drives.
#pragma once

#include "framework/net/pump.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lovage::net::test {

/// Takes what comes, remembers it.
class recorder : public pump_owner {
public:
    std::size_t received(octets input) override {
        calls.emplace_back(input);
        const std::size_t used = on_received ? on_received(input) : input.size();
        text += input.substr(0, used);
        return used;
    }
    void drained(std::size_t pending) override { drains.push_back(pending); }
    void closed(error_code error) override {
        ++closes;
        close_error = error;
    }

    std::function<std::size_t(octets)> on_received;
    std::vector<std::string> calls;
    std::vector<std::size_t> drains;
    std::string text;
    int closes = 0;
    error_code close_error;
};

/// Runs until `done()` is true; fails the test after some seconds.
inline void run_until(asio::io_context& context, const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done()) {
        context.restart();
        context.run_one_for(std::chrono::milliseconds(100));
        if (std::chrono::steady_clock::now() > end) {
            FAIL() << "did not happen in time";
        }
    }
}

class socket_pair {
public:
    socket_pair() {
        using asio::ip::tcp;
        tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        tcp::socket one(context);
        one.connect(acceptor.local_endpoint());
        left = pump::create(stream(std::move(one)));
        right = pump::create(stream(acceptor.accept()));
    }
    void start() {
        left->start(left_owner);
        right->start(right_owner);
    }
    void until(const std::function<bool()>& done) { run_until(context, done); }

    asio::io_context context{1};
    std::shared_ptr<pump> left;
    std::shared_ptr<pump> right;
    std::shared_ptr<recorder> left_owner = std::make_shared<recorder>();
    std::shared_ptr<recorder> right_owner = std::make_shared<recorder>();
};

}  // namespace lovage::net::test
