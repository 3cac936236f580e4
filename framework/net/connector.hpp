// Opening a connection to a broker: name resolution, every address in turn, TLS handshake, all
// under one deadline. Used by clients only. One attempt; when to try again is client/session's
// business. Runs on the given executor; cancel() and the handler's call there, too.
#pragma once

#include "framework/net/stream.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lovage::net {

struct uri;

struct connect_result {
    error_code error;
    std::string problem;  ///< what failed and where, e.g. "cannot connect to broker:5672: ..."
    stream connection;    ///< open if there is no error
};

/// An attempt under way. Dropping it does not stop it.
class connect_attempt {
public:
    virtual ~connect_attempt() = default;
    /// The handler is not called any more.
    virtual void cancel() = 0;
};

struct connect_options {
    std::chrono::milliseconds timeout = std::chrono::seconds(30);  ///< for everything together
    /// Names other than localhost are looked up on a thread of Asio's, so that a slow name server
    /// does not stop the loop. With false the loop waits: for processes that fork.
    bool may_use_threads = true;
    /// Tried in this order instead of what the host's name stands for, if there are any; the name
    /// still counts for TLS and messages.
    std::vector<asio::ip::address> addresses;
};

/// Connects to where `target` says; calls `handler` once, never from within this function.
std::shared_ptr<connect_attempt> async_connect(
    const asio::any_io_executor& executor,
    const uri& target,
    const connect_options& options,
    std::function<void(connect_result)> handler);

}  // namespace lovage::net
