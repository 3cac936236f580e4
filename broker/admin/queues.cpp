// GET /api/queues and /api/queues/{vhost}; PUT /api/queues/{vhost}/{name}/pause and /resume.
#include "broker/admin/resources.hpp"
#include "broker/admin/table_json.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <utility>

namespace lovage::broker {
namespace {

boost::json::value name_or_null(const std::string& name) {
    return name.empty() ? boost::json::value(nullptr) : boost::json::value(name);
}

boost::json::object queue_json(const queue_status& queue) {
    return {
        {"name", queue.name},
        {"vhost", queue.vhost},
        {"type", queue.quorum ? "quorum" : "classic"},
        {"durable", queue.durable},
        {"exclusive", queue.exclusive},
        {"auto_delete", queue.auto_delete},
        {"arguments", json_of(queue.arguments)},
        {"policy", name_or_null(queue.policy)},
        {"operator_policy", name_or_null(queue.operator_policy)},
        {"effective_policy_definition", json_of(queue.effective_policy)},
        {"messages", queue.ready + queue.unacked},
        {"messages_ready", queue.ready},
        {"messages_unacknowledged", queue.unacked},
        {"message_bytes_ready", queue.ready_octets},
        {"consumers", queue.consumers},
        {"state", queue.paused ? "paused" : "running"}};
}

api_reply list(const api_call& call) {
    if (!call.names.empty()) {
        if (auto refusal = refuse_vhost(call, call.names.front())) {
            return std::move(*refusal);
        }
    }
    boost::json::array all;
    for (const auto& queue : call.broker.management_snapshot().queues) {
        if (call.names.empty() ? may_see_vhost(call, queue.vhost)
                               : queue.vhost == call.names.front()) {
            all.push_back(queue_json(queue));
        }
    }
    return json_reply(all);
}

api_reply set_paused(const api_call& call, bool paused) {
    if (auto refusal = refuse_vhost(call, call.names[0])) {
        return std::move(*refusal);
    }
    bool found = false;
    call.broker.change(
        [&](engine& at) { found = at.pause_queue(call.names[0], call.names[1], paused); });
    return found ? changed_reply(false) : not_found_reply();
}

api_reply pause(const api_call& call) {
    return set_paused(call, true);
}

api_reply resume(const api_call& call) {
    return set_paused(call, false);
}

}  // namespace

void add_queue_routes(api_routes& to) {
    using boost::beast::http::verb;
    to.add_plain(verb::get, "/api/queues", api_level::management, &list);
    to.add_plain(verb::get, "/api/queues/{}", api_level::management, &list);
    to.add_plain(verb::put, "/api/queues/{}/{}/pause", api_level::policymaker, &pause);
    to.add_plain(verb::put, "/api/queues/{}/{}/resume", api_level::policymaker, &resume);
}

}  // namespace lovage::broker
