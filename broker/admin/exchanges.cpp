// GET /api/exchanges and /api/exchanges/{vhost}.
#include "broker/admin/resources.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace lovage::broker {
namespace {

boost::json::object exchange_json(const exchange_status& exchange) {
    boost::json::object shown{
        {"name", exchange.name},
        {"vhost", exchange.vhost},
        {"type", exchange.type},
        {"durable", exchange.durable},
        {"auto_delete", exchange.auto_delete},
        {"internal", exchange.internal}};
    if (exchange.delayed) {
        shown["messages_delayed"] = *exchange.delayed;
    }
    return shown;
}

api_reply list(const api_call& call) {
    boost::json::array all;
    for (const auto& exchange : call.broker.management_snapshot().exchanges) {
        if (call.names.empty() || exchange.vhost == call.names.front()) {
            all.push_back(exchange_json(exchange));
        }
    }
    return {boost::beast::http::status::ok, boost::json::serialize(all), false};
}

}  // namespace

void add_exchange_routes(api_routes& to) {
    using boost::beast::http::verb;
    to.add_plain(verb::get, "/api/exchanges", api_level::management, &list);
    to.add_plain(verb::get, "/api/exchanges/{}", api_level::management, &list);
}

}  // namespace lovage::broker
