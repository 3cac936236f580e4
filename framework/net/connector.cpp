#include "framework/net/connector.hpp"

#include "framework/base/deadline.hpp"
#include "framework/net/uri.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace lovage::net {
namespace {

using asio::ip::tcp;
using steady = std::chrono::steady_clock;

class attempt : public connect_attempt, public std::enable_shared_from_this<attempt> {
public:
    attempt(
        const asio::any_io_executor& executor,
        const uri& target,
        const connect_options& options,
        std::function<void(connect_result)> handler)
        : target_(target),
          options_(options),
          handler_(std::move(handler)),
          resolver_(executor),
          socket_(executor),
          stream_(executor),
          all_(executor),
          one_(executor) {}

    void start() {
        deadline_ = deadline_after(steady::now(), options_.timeout);
        all_.expires_at(deadline_);
        all_.async_wait([self = shared_from_this()](error_code error) {
            if (!error) {
                self->finish(asio::error::timed_out, "no connection in time");
            }
        });
        if (!make_tls()) {
            return;
        }
        find_addresses();
    }

    void cancel() override {
        done_ = true;
        handler_ = nullptr;
        stop();
    }

private:
    /// False when it failed; the failure is reported later.
    bool make_tls() {
        if (!target_.tls) {
            return true;
        }
        const tls_client_files files{
            target_.ca_file, target_.certificate_file, target_.key_file, target_.verify_peer};
        std::string problem;
        context_ = make_client_context(files, problem);
        if (!context_) {
            post_failure(asio::error::invalid_argument, problem);
        }
        return context_ != nullptr;
    }

    void find_addresses() {
        error_code error;
        const auto address = asio::ip::make_address(target_.host, error);
        if (!options_.addresses.empty()) {
            for (const auto& given : options_.addresses) {
                endpoints_.emplace_back(given, target_.port);
            }
        } else if (!error) {
            endpoints_.emplace_back(address, target_.port);
        } else if (target_.host == "localhost") {
            // RFC 6761: the name never needs a name server. Brokers listen on IPv4 at least.
            endpoints_.emplace_back(asio::ip::address_v4::loopback(), target_.port);
            endpoints_.emplace_back(asio::ip::address_v6::loopback(), target_.port);
        } else if (options_.may_use_threads) {
            resolver_.async_resolve(
                target_.host,
                std::to_string(target_.port),
                [self = shared_from_this()](error_code failed, tcp::resolver::results_type found) {
                    self->resolved(failed, found);
                });
            return;
        } else {
            const auto found = resolver_.resolve(target_.host, std::to_string(target_.port), error);
            asio::post(socket_.get_executor(), [self = shared_from_this(), error, found] {
                self->resolved(error, found);
            });
            return;
        }
        asio::post(socket_.get_executor(), [self = shared_from_this()] { self->try_next(); });
    }

    void resolved(error_code error, const tcp::resolver::results_type& found) {
        if (error) {
            finish(error, "cannot look up the name");
            return;
        }
        for (const auto& entry : found) {
            endpoints_.push_back(entry.endpoint());
        }
        try_next();
    }

    void try_next() {
        if (done_) {
            return;
        }
        if (next_ == endpoints_.size()) {
            finish(last_error_, "cannot connect");
            return;
        }
        // An address that swallows packets must not use up the time of those behind it.
        const auto left = std::max(deadline_ - steady::now(), steady::duration::zero());
        const auto share = left / static_cast<int>(endpoints_.size() - next_);
        const tcp::endpoint endpoint = endpoints_[next_++];
        error_code ignored;
        socket_.close(ignored);
        one_.expires_after(share);
        one_.async_wait([self = shared_from_this(), tried = next_](error_code error) {
            if (!error && tried == self->next_) {
                error_code closing;
                self->socket_.close(closing);
            }
        });
        socket_.async_connect(endpoint, [self = shared_from_this()](error_code error) {
            self->one_.cancel();
            self->connected(error);
        });
    }

    void connected(error_code error) {
        if (done_) {
            return;
        }
        if (error) {
            last_error_ = error == asio::error::operation_aborted ? asio::error::timed_out : error;
            try_next();
        } else if (!context_) {
            stream_ = stream(std::move(socket_));
            finish({}, {});
        } else {
            stream_ = stream(std::move(socket_), context_);
            const std::string& name =
                target_.server_name.empty() ? target_.host : target_.server_name;
            stream_.async_connect_handshake(
                name, target_.verify_peer, [self = shared_from_this()](error_code failed) {
                    self->finish(failed, failed ? "TLS handshake failed" : "");
                });
        }
    }

    void post_failure(error_code error, std::string what) {
        asio::post(
            socket_.get_executor(), [self = shared_from_this(), error, what = std::move(what)] {
                self->finish(error, what);
            });
    }

    void finish(error_code error, const std::string& what) {
        if (done_) {
            return;
        }
        done_ = true;
        std::string problem;
        if (error) {
            problem = what + " (" + target_.display() + "): " + error.message();
            stream_.close();
        }
        connect_result result{error, std::move(problem), std::move(stream_)};
        stream_ = stream(all_.get_executor());
        stop();
        std::exchange(handler_, nullptr)(std::move(result));
    }

    void stop() {
        error_code ignored;
        socket_.close(ignored);
        stream_.close();
        resolver_.cancel();
        all_.cancel();
        one_.cancel();
    }

    uri target_;
    connect_options options_;
    std::function<void(connect_result)> handler_;
    tcp::resolver resolver_;
    tcp::socket socket_;
    stream stream_;
    asio::steady_timer all_;  ///< the deadline of the attempt
    asio::steady_timer one_;  ///< the share of the address that is being tried
    tls_context context_;
    std::vector<tcp::endpoint> endpoints_;
    std::size_t next_ = 0;
    steady::time_point deadline_;
    error_code last_error_ = asio::error::host_not_found;
    bool done_ = false;
};

}  // namespace

std::shared_ptr<connect_attempt> async_connect(
    const asio::any_io_executor& executor,
    const uri& target,
    const connect_options& options,
    std::function<void(connect_result)> handler) {
    auto started = std::make_shared<attempt>(executor, target, options, std::move(handler));
    started->start();
    return started;
}

}  // namespace lovage::net
