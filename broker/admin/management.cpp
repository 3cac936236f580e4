#include "broker/admin/management.hpp"

#include "broker/admin/http_session.hpp"
#include "broker/admin/resources.hpp"
#include "broker/server/listener.hpp"

#include <utility>

namespace lovage::broker {

management::management(
    boost::asio::io_context& io,
    const std::string& address,
    std::uint16_t port,
    management_backend& broker)
    : listener_(std::make_unique<listener>(
          io,
          address,
          port,
          nullptr,
          [&broker,
           routes = std::make_shared<const api_routes>(all_routes()),
           sessions = std::make_shared<std::size_t>(0)](net::stream accepted) {
              if (*sessions < http_session::sessions_max) {
                  auto& socket = accepted.socket();
                  std::make_shared<http_session>(std::move(socket), broker, routes, sessions)
                      ->read();
              }
          })) {}

management::~management() = default;

void management::start() {
    listener_->start();
}
void management::stop() {
    listener_->stop();
}
std::uint16_t management::port() const {
    return listener_->port();
}

}  // namespace lovage::broker
