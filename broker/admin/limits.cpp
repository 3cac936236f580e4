// /api/vhost-limits, /api/vhost-limits/{vhost}[/{limit}], /api/user-limits,
// /api/user-limits/{user}[/{limit}].
#include "broker/admin/access_json.hpp"
#include "broker/admin/resources.hpp"
#include "broker/core/administration.hpp"

#include <boost/json/array.hpp>

#include <utility>

namespace lovage::broker {
namespace {

using limit = std::optional<std::uint64_t>;

limit* find_limit(vhost_limits& of, const std::string& name) {
    if (name == "max-connections") {
        return &of.connections;
    }
    return name == "max-queues" ? &of.queues : nullptr;
}

limit* find_limit(user_limits& of, const std::string& name) {
    if (name == "max-connections") {
        return &of.connections;
    }
    return name == "max-channels" ? &of.channels : nullptr;
}

/// False if that is no number; a negative one is no limit.
bool read_limit(const boost::json::object& body, limit& into) {
    const boost::json::value* given = body.if_contains("value");
    if (given == nullptr || !given->is_int64()) {
        return false;
    }
    const std::int64_t number = given->as_int64();
    into = number < 0 ? std::nullopt : limit{static_cast<std::uint64_t>(number)};
    return true;
}

boost::json::object vhost_limits_json(const vhost_limits& limits) {
    boost::json::object shown;
    if (limits.connections) {
        shown["max-connections"] = *limits.connections;
    }
    if (limits.queues) {
        shown["max-queues"] = *limits.queues;
    }
    return shown;
}

vhost* find_vhost(const api_call& call, const std::string& name) {
    const auto& all = call.broker.state().vhosts();
    const auto found = all.find(name);
    return found == all.end() ? nullptr : found->second.get();
}

api_reply list_of_vhosts(const api_call& call) {
    if (!call.names.empty()) {
        if (auto refusal = refuse_vhost(call, call.names[0])) {
            return std::move(*refusal);
        }
    }
    boost::json::array all;
    for (const auto& [name, home] : call.broker.state().vhosts()) {
        auto value = vhost_limits_json(home->limits);
        const bool wanted = call.names.empty() ? may_see_vhost(call, name) : name == call.names[0];
        if (wanted && !value.empty()) {
            all.push_back(boost::json::object{{"vhost", name}, {"value", std::move(value)}});
        }
    }
    return json_reply(all);
}

api_reply change_vhost(const api_call& call, limit to) {
    vhost* home = find_vhost(call, call.names[0]);
    if (home == nullptr) {
        return not_found_reply();
    }
    vhost_limits limits = home->limits;
    limit* wanted = find_limit(limits, call.names[1]);
    if (wanted == nullptr) {
        return bad_request("a virtual host has max-connections and max-queues");
    }
    *wanted = to;
    call.broker.change([&](engine& of) { administration{of}.set_vhost_limits(*home, limits); });
    return changed_reply(false);
}

api_reply list_of_users(const api_call& call) {
    const auto& users = call.broker.state().access().users();
    if (!call.names.empty() && !users.contains(call.names[0])) {
        return not_found_reply();
    }
    boost::json::array all;
    for (const auto& [name, user] : users) {
        auto value = user_limits_json(user.limits);
        if ((call.names.empty() || name == call.names[0]) && !value.empty()) {
            all.push_back(boost::json::object{{"user", name}, {"value", std::move(value)}});
        }
    }
    return json_reply(all);
}

api_reply change_user(const api_call& call, limit to) {
    const user_record* user = call.broker.state().access().find(call.names[0]);
    if (user == nullptr) {
        return not_found_reply();
    }
    user_limits limits = user->limits;
    limit* wanted = find_limit(limits, call.names[1]);
    if (wanted == nullptr) {
        return bad_request("a user has max-connections and max-channels");
    }
    *wanted = to;
    call.broker.change(
        [&](engine& of) { administration{of}.set_user_limits(call.names[0], limits); });
    return changed_reply(false);
}

template <api_reply (*Change)(const api_call&, limit)>
api_reply put(const api_call& call) {
    limit value;
    return read_limit(call.body, value) ? Change(call, value)
                                        : bad_request("value is needed, as a whole number");
}

template <api_reply (*Change)(const api_call&, limit)>
api_reply erase(const api_call& call) {
    return Change(call, std::nullopt);
}

}  // namespace

void add_limit_routes(api_routes& to) {
    using boost::beast::http::verb;
    constexpr api_level needed = api_level::administrator;
    to.add_plain(verb::get, "/api/vhost-limits", api_level::management, &list_of_vhosts);
    to.add_plain(verb::get, "/api/vhost-limits/{}", api_level::management, &list_of_vhosts);
    to.add_plain(verb::put, "/api/vhost-limits/{}/{}", needed, &put<change_vhost>);
    to.add_plain(verb::delete_, "/api/vhost-limits/{}/{}", needed, &erase<change_vhost>);
    to.add_plain(verb::get, "/api/user-limits", needed, &list_of_users);
    to.add_plain(verb::get, "/api/user-limits/{}", needed, &list_of_users);
    to.add_plain(verb::put, "/api/user-limits/{}/{}", needed, &put<change_user>);
    to.add_plain(verb::delete_, "/api/user-limits/{}/{}", needed, &erase<change_user>);
}

}  // namespace lovage::broker
