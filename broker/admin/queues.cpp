// GET /api/queues and /api/queues/{vhost}.
#include "broker/admin/resources.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace lovage::broker {
namespace {

boost::json::object queue_json(const queue_status& queue) {
    return {
        {"name", queue.name},
        {"vhost", queue.vhost},
        {"type", "classic"},
        {"durable", queue.durable},
        {"exclusive", queue.exclusive},
        {"auto_delete", queue.auto_delete},
        {"messages", queue.ready + queue.unacked},
        {"messages_ready", queue.ready},
        {"messages_unacknowledged", queue.unacked},
        {"message_bytes_ready", queue.ready_octets},
        {"consumers", queue.consumers},
        {"state", "running"}};
}

api_reply list(const api_call& call) {
    boost::json::array all;
    for (const auto& queue : call.broker.management_snapshot().queues) {
        if (call.names.empty() || queue.vhost == call.names.front()) {
            all.push_back(queue_json(queue));
        }
    }
    return {boost::beast::http::status::ok, boost::json::serialize(all), false};
}

}  // namespace

void add_queue_routes(api_routes& to) {
    using boost::beast::http::verb;
    to.add_plain(verb::get, "/api/queues", api_level::management, &list);
    to.add_plain(verb::get, "/api/queues/{}", api_level::management, &list);
}

}  // namespace lovage::broker
