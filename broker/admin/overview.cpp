// GET /api/overview: what all queues and connections come to.
#include "broker/admin/resources.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace lovage::broker {
namespace {

api_reply overview(const api_call& call) {
    const management_view view = call.broker.management_snapshot();
    std::size_t ready = 0;
    std::size_t unacked = 0;
    std::size_t consumers = 0;
    for (const auto& queue : view.queues) {
        ready += queue.ready;
        unacked += queue.unacked;
        consumers += queue.consumers;
    }
    std::size_t delayed = 0;
    for (const auto& exchange : view.exchanges) {
        delayed += exchange.delayed.value_or(0);
    }
    const boost::json::object shown{
        {"product_name", "lovage"},
        {"queue_totals",
         {{"messages", ready + unacked},
          {"messages_ready", ready},
          {"messages_unacknowledged", unacked},
          {"messages_delayed", delayed}}},
        {"object_totals",
         {{"connections", view.connections},
          {"exchanges", view.exchanges.size()},
          {"queues", view.queues.size()},
          {"consumers", consumers}}},
        {"lovage",
         {{"memory_octets", view.memory_octets},
          {"definition_octets", view.definition_octets},
          {"syncs", view.log_syncs},
          {"log_octets_written", view.log_octets_written},
          {"log_records", view.log_records},
          {"log_file_octets", view.log_file_octets},
          {"log_live_octets", view.log_live_octets}}}};
    return {boost::beast::http::status::ok, boost::json::serialize(shown), false};
}

}  // namespace

void add_overview_routes(api_routes& to) {
    to.add_plain(boost::beast::http::verb::get, "/api/overview", api_level::management, &overview);
}

}  // namespace lovage::broker
