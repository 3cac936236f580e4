// One client's socket: brings octets from the pump to the engine and tells the node what came of
// it. Holds no protocol state. On the node's thread.
#pragma once

#include "broker/core/ids.hpp"
#include "framework/net/pump.hpp"

#include <memory>

namespace lovage::broker {

class node;

class session final : public net::pump_owner, public std::enable_shared_from_this<session> {
public:
    session(node& owner, net::stream connection);

    /// Registers with the engine and begins to read.
    void start();
    [[nodiscard]] connection_id id() const { return id_; }
    [[nodiscard]] net::pump& pump() { return *pump_; }

    std::size_t received(octets input) override;
    void drained(std::size_t pending) override;
    void closed(net::error_code error) override;

private:
    node& owner_;
    std::shared_ptr<net::pump> pump_;
    connection_id id_{};
};

}  // namespace lovage::broker
