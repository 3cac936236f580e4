// /api/vhosts and /api/vhosts/{vhost}.
#include "broker/admin/resources.hpp"
#include "broker/core/administration.hpp"

#include <boost/json/array.hpp>

#include <set>
#include <utility>

namespace lovage::broker {
namespace {

boost::json::object vhost_json(const vhost& home) {
    return {{"name", home.name()}, {"description", home.description}, {"tracing", false}};
}

api_reply list(const api_call& call) {
    const auto& vhosts = call.broker.state().vhosts();
    std::set<std::string> names;  // in order, for people
    for (const auto& [name, home] : vhosts) {
        if (may_see_vhost(call, name)) {
            names.insert(name);
        }
    }
    boost::json::array all;
    for (const std::string& name : names) {
        all.push_back(vhost_json(*vhosts.find(name)->second));
    }
    return json_reply(all);
}

api_reply show(const api_call& call) {
    if (auto refusal = refuse_vhost(call, call.names[0])) {
        return std::move(*refusal);
    }
    return json_reply(vhost_json(*call.broker.state().vhosts().find(call.names[0])->second));
}

api_reply put(const api_call& call) {
    const std::string& name = call.names[0];
    if (!is_usable_name(name)) {
        return bad_request("a virtual host's name has 1 to 255 octets of UTF-8");
    }
    const auto& vhosts = call.broker.state().vhosts();
    const auto there = vhosts.find(name);
    const bool created = there == vhosts.end();
    const std::string now = created ? std::string{} : there->second->description;
    const std::string description = text_member(call.body, "description").value_or(now);
    call.broker.change([&](engine& of) {
        administration with{of};
        with.put_vhost(name, description);
        if (created) {
            // Who makes one can use it, as in RabbitMQ.
            with.set_permission(call.who.name, name, {".*", ".*", ".*"});
        }
    });
    return changed_reply(created);
}

api_reply erase(const api_call& call) {
    bool gone = false;
    call.broker.change([&](engine& of) { gone = administration{of}.delete_vhost(call.names[0]); });
    return gone ? changed_reply(false) : not_found_reply();
}

}  // namespace

void add_vhost_routes(api_routes& to) {
    using boost::beast::http::verb;
    to.add_plain(verb::get, "/api/vhosts", api_level::management, &list);
    to.add_plain(verb::get, "/api/vhosts/{}", api_level::management, &show);
    to.add_plain(verb::put, "/api/vhosts/{}", api_level::administrator, &put);
    to.add_plain(verb::delete_, "/api/vhosts/{}", api_level::administrator, &erase);
}

}  // namespace lovage::broker
