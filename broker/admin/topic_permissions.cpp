// /api/topic-permissions, /api/topic-permissions/{vhost}/{user}.
#include "broker/admin/access_json.hpp"
#include "broker/admin/resources.hpp"
#include "broker/core/administration.hpp"

#include <boost/json/array.hpp>

namespace lovage::broker {
namespace {

api_reply list(const api_call& call) {
    boost::json::array all;
    for (const auto& [name, user] : call.broker.state().access().users()) {
        for (const auto& [where, has] : user.topics) {
            all.push_back(topic_permission_json(name, where, has));
        }
    }
    return json_reply(all);
}

api_reply show(const api_call& call) {
    const user_record* user = call.broker.state().access().find(call.names[1]);
    boost::json::array all;
    if (user != nullptr) {
        for (const auto& [where, has] : user->topics) {
            if (where.first == call.names[0]) {
                all.push_back(topic_permission_json(call.names[1], where, has));
            }
        }
    }
    return all.empty() ? not_found_reply() : json_reply(all);
}

api_reply put(const api_call& call) {
    const std::string& vhost = call.names[0];
    const std::string& user = call.names[1];
    const auto exchange = text_member(call.body, "exchange");
    const auto write = text_member(call.body, "write");
    const auto read = text_member(call.body, "read");
    if (!exchange || exchange->empty() || !write || !read) {
        return bad_request("exchange, write and read are needed, as strings");
    }
    const engine& now = call.broker.state();
    if (now.access().find(user) == nullptr || !now.vhosts().contains(vhost)) {
        return bad_request("vhost_or_user_not_found");
    }
    const bool created = now.access().find_topics(user, vhost, *exchange) == nullptr;
    std::optional<std::string> problem;
    call.broker.change([&](engine& of) {
        problem = administration{of}.set_topics(user, vhost, *exchange, {{}, *write, *read});
    });
    return problem ? bad_request(*problem) : changed_reply(created);
}

api_reply erase(const api_call& call) {
    bool gone = false;
    call.broker.change([&](engine& of) {
        gone = administration{of}.clear_topics(call.names[1], call.names[0], {});
    });
    return gone ? changed_reply(false) : not_found_reply();
}

}  // namespace

void add_topic_permission_routes(api_routes& to) {
    using boost::beast::http::verb;
    constexpr api_level needed = api_level::administrator;
    to.add_plain(verb::get, "/api/topic-permissions", needed, &list);
    to.add_plain(verb::get, "/api/topic-permissions/{}/{}", needed, &show);
    to.add_plain(verb::put, "/api/topic-permissions/{}/{}", needed, &put);
    to.add_plain(verb::delete_, "/api/topic-permissions/{}/{}", needed, &erase);
}

}  // namespace lovage::broker
