// Connections that break under a program: a relay between app and broker cuts them again and again.
#include "framework/app/address.hpp"
#include "framework/app/io_thread.hpp"
#include "framework/net/pump.hpp"
#include "tests/framework/app/broker_fixture.hpp"
#include "tests/framework/app/shop_tasks.hpp"
#include "tests/framework/app/test_worker.hpp"

#include <lovage/app.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <future>
#include <set>

namespace lovage {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using test::add;

/// Passes octets between clients and the broker, and cuts all connections when told to.
class relay {
public:
    explicit relay(const std::string& url) : target_(parse_address(url)) {
        acceptor_.emplace(
            thread_.context(), tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
        boost::asio::post(thread_.context(), [this] { accept(); });
    }
    ~relay() { thread_.stop(); }
    relay(const relay&) = delete;
    relay& operator=(const relay&) = delete;

    [[nodiscard]] std::string url() const {
        return "amqp://guest:guest@127.0.0.1:" + std::to_string(acceptor_->local_endpoint().port());
    }
    /// Returns when the connections are cut.
    std::size_t cut() {
        std::promise<std::size_t> count;
        boost::asio::post(thread_.context(), [&] {
            count.set_value(pumps_.size());
            for (const auto& one : pumps_) {
                one->detach();
            }
            pumps_.clear();
        });
        return count.get_future().get();
    }

private:
    struct half : net::pump_owner {
        std::size_t received(octets input) override {
            if (const auto to = other.lock()) {
                to->out().append(input);
                to->flush_soon();
            }
            return input.size();
        }
        void drained(std::size_t) override {}
        void closed(net::error_code) override {
            if (const auto to = other.lock()) {
                to->close_after_flush();
            }
        }
        std::weak_ptr<net::pump> other;
    };

    void accept() {
        acceptor_->async_accept([this](net::error_code error, tcp::socket socket) {
            if (error) {
                return;
            }
            tcp::socket onward(thread_.context());
            onward.connect(
                tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), target_.port), error);
            if (!error) {
                join(
                    net::pump::create(net::stream(std::move(socket))),
                    net::pump::create(net::stream(std::move(onward))));
            }
            accept();
        });
    }
    void join(const std::shared_ptr<net::pump>& a, const std::shared_ptr<net::pump>& b) {
        const auto from_a = std::make_shared<half>();
        const auto from_b = std::make_shared<half>();
        from_a->other = b;
        from_b->other = a;
        a->start(from_a);
        b->start(from_b);
        pumps_.push_back(a);
        pumps_.push_back(b);
    }

    io_thread thread_;
    net::uri target_;
    std::vector<std::shared_ptr<net::pump>> pumps_;
    std::optional<tcp::acceptor> acceptor_;
};

class Reconnect : public ::testing::Test {};

TEST_F(Reconnect, EveryCallGetsItsResultThoughConnectionsBreakAgainAndAgain) {
    relay between(test::broker_url());
    app_options options(between.url());
    options.default_queue = test::unique_name("reconnect");
    test::test_worker worker(between.url(), registry({task_entry(add)}), options.default_queue);
    app app{options, add};
    std::vector<handle<int>> calls;
    std::size_t cuts = 0;

    for (int i = 0; i < 300; ++i) {
        calls.push_back(app.delay(add, i, 1));
        if (i % 30 == 29) {
            cuts += between.cut();
        }
    }

    for (int i = 0; i < 300; ++i) {
        ASSERT_EQ(calls[static_cast<std::size_t>(i)].get(60s), i + 1);
    }
    EXPECT_GT(cuts, 10U);
}

}  // namespace
}  // namespace lovage
