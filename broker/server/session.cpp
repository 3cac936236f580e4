#include "broker/server/session.hpp"

#include "broker/server/node.hpp"

namespace lovage::broker {

session::session(node& owner, net::stream connection)
    : owner_(owner), pump_(net::pump::create(std::move(connection))) {}

void session::start() {
    id_ = owner_.connected(*this);
    pump_->start(shared_from_this());
}

std::size_t session::received(octets input) {
    return owner_.received(*this, input);
}
void session::drained(std::size_t pending) {
    owner_.drained(*this, pending);
}
void session::closed(net::error_code) {
    owner_.disconnected(*this);
}

}  // namespace lovage::broker
