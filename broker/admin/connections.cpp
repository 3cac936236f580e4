// /api/connections, /api/connections/{name}, /api/connections/username/{user}: which clients are
// there, and their end by an operator.
#include "broker/admin/resources.hpp"
#include "broker/core/administration.hpp"
#include "framework/amqp/wire.hpp"

#include <boost/json/array.hpp>

#include <utility>

namespace lovage::broker {
namespace {

/// In RabbitMQ's words; clients show it to people.
constexpr octets default_reason = "Closed via management plugin";

using selector = bool (*)(const connection_status&, const std::string& name);

bool has_name(const connection_status& what, const std::string& name) {
    return what.name == name;
}
bool is_of_user(const connection_status& what, const std::string& name) {
    return what.user == name;
}

/// Everybody sees his own.
bool may_see(const api_call& call, const connection_status& what) {
    return has_level(call.who, api_level::monitoring) || what.user == call.who.name;
}

boost::json::object connection_json(const connection_status& what) {
    return {
        {"name", what.name},
        {"user", what.user},
        {"vhost", what.vhost},
        {"channels", what.channels},
        {"state", "running"}};
}

std::vector<connection_status> chosen(const api_call& call, selector fits) {
    auto all = call.broker.state().connection_statuses();
    std::erase_if(all, [&](const connection_status& each) {
        return !may_see(call, each) || (fits != nullptr && !fits(each, call.names[0]));
    });
    return all;
}

template <selector Fits>
api_reply list(const api_call& call) {
    boost::json::array all;
    for (const connection_status& each : chosen(call, Fits)) {
        all.push_back(connection_json(each));
    }
    return json_reply(all);
}

api_reply show(const api_call& call) {
    const auto found = chosen(call, &has_name);
    return found.empty() ? not_found_reply() : json_reply(connection_json(found.front()));
}

api_reply close(const api_call& call, const std::vector<connection_status>& which) {
    if (!amqp::is_utf8(call.reason)) {
        return bad_request("X-Reason is not UTF-8");
    }
    const std::string reason = call.reason.empty() ? std::string(default_reason) : call.reason;
    call.broker.change([&](engine& of) {
        for (const connection_status& each : which) {
            administration{of}.close_connection(each.id, reason);
        }
    });
    return {boost::beast::http::status::no_content, {}, false};
}

api_reply close_one(const api_call& call) {
    const auto found = chosen(call, &has_name);
    return found.empty() ? not_found_reply() : close(call, found);
}

/// No error if he has none, as in RabbitMQ.
api_reply close_of_user(const api_call& call) {
    return close(call, chosen(call, &is_of_user));
}

}  // namespace

void add_connection_routes(api_routes& to) {
    using boost::beast::http::verb;
    constexpr api_level shown = api_level::management;
    constexpr api_level closed = api_level::administrator;
    to.add_plain(verb::get, "/api/connections", shown, &list<nullptr>);
    to.add_plain(verb::get, "/api/connections/{}", shown, &show);
    to.add_plain(verb::delete_, "/api/connections/{}", closed, &close_one);
    to.add_plain(verb::get, "/api/connections/username/{}", shown, &list<&is_of_user>);
    to.add_plain(verb::delete_, "/api/connections/username/{}", closed, &close_of_user);
}

}  // namespace lovage::broker
