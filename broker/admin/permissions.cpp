// /api/permissions, /api/permissions/{vhost}/{user}, /api/vhosts/{vhost}/permissions.
#include "broker/admin/access_json.hpp"
#include "broker/admin/resources.hpp"
#include "broker/core/administration.hpp"

#include <boost/json/array.hpp>

namespace lovage::broker {
namespace {

boost::json::array all_permissions(const api_call& call, const std::string* vhost) {
    boost::json::array all;
    for (const auto& [name, user] : call.broker.state().access().users()) {
        for (const auto& [home, has] : user.permissions) {
            if (vhost == nullptr || home == *vhost) {
                all.push_back(permission_json(name, home, has));
            }
        }
    }
    return all;
}

api_reply list(const api_call& call) {
    return json_reply(all_permissions(call, nullptr));
}

api_reply list_of_vhost(const api_call& call) {
    const auto& vhosts = call.broker.state().vhosts();
    return vhosts.contains(call.names[0]) ? json_reply(all_permissions(call, &call.names[0]))
                                          : not_found_reply();
}

api_reply show(const api_call& call) {
    const std::string& vhost = call.names[0];
    const std::string& user = call.names[1];
    const permission* has = call.broker.state().access().find_permission(user, vhost);
    return has == nullptr ? not_found_reply() : json_reply(permission_json(user, vhost, *has));
}

api_reply put(const api_call& call) {
    const std::string& vhost = call.names[0];
    const std::string& user = call.names[1];
    const auto configure = text_member(call.body, "configure");
    const auto write = text_member(call.body, "write");
    const auto read = text_member(call.body, "read");
    if (!configure || !write || !read) {
        return bad_request("configure, write and read are needed, as strings");
    }
    const engine& now = call.broker.state();
    if (now.access().find(user) == nullptr || !now.vhosts().contains(vhost)) {
        return bad_request("vhost_or_user_not_found");
    }
    const bool created = now.access().find_permission(user, vhost) == nullptr;
    std::optional<std::string> problem;
    call.broker.change([&](engine& of) {
        problem = administration{of}.set_permission(user, vhost, {*configure, *write, *read});
    });
    return problem ? bad_request(*problem) : changed_reply(created);
}

api_reply erase(const api_call& call) {
    bool gone = false;
    call.broker.change([&](engine& of) {
        gone = administration{of}.clear_permission(call.names[1], call.names[0]);
    });
    return gone ? changed_reply(false) : not_found_reply();
}

}  // namespace

void add_permission_routes(api_routes& to) {
    using boost::beast::http::verb;
    constexpr api_level needed = api_level::administrator;
    to.add_plain(verb::get, "/api/permissions", needed, &list);
    to.add_plain(verb::get, "/api/vhosts/{}/permissions", needed, &list_of_vhost);
    to.add_plain(verb::get, "/api/permissions/{}/{}", needed, &show);
    to.add_plain(verb::put, "/api/permissions/{}/{}", needed, &put);
    to.add_plain(verb::delete_, "/api/permissions/{}/{}", needed, &erase);
}

}  // namespace lovage::broker
