// /api/policies and /api/operator-policies: lists, and for each policy GET, PUT and DELETE.
#include "broker/admin/resources.hpp"
#include "broker/admin/table_json.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <variant>

namespace lovage::broker {
namespace {

namespace http = boost::beast::http;
namespace json = boost::json;

json::object policy_json(const policy_status& what) {
    return {
        {"vhost", what.vhost},
        {"name", what.settings.name},
        {"pattern", what.settings.pattern},
        {"apply-to", what.settings.apply_to},
        {"definition", json_of(what.settings.definition)},
        {"priority", what.settings.priority}};
}

api_reply list(policy_kind kind, const api_call& call) {
    if (!call.names.empty()) {
        if (auto refusal = refuse_vhost(call, call.names.front())) {
            return std::move(*refusal);
        }
    }
    json::array all;
    for (const policy_status& each : call.broker.state().policy_statuses(kind)) {
        if (call.names.empty() ? may_see_vhost(call, each.vhost)
                               : each.vhost == call.names.front()) {
            all.push_back(policy_json(each));
        }
    }
    return {http::status::ok, json::serialize(all), false};
}

api_reply show(policy_kind kind, const api_call& call) {
    if (auto refusal = refuse_vhost(call, call.names[0])) {
        return std::move(*refusal);
    }
    for (const policy_status& each : call.broker.state().policy_statuses(kind)) {
        if (each.vhost == call.names[0] && each.settings.name == call.names[1]) {
            return {http::status::ok, json::serialize(policy_json(each)), false};
        }
    }
    return not_found_reply();
}

api_reply invalid(const std::string& problem) {
    return bad_request("Validation failed\n\n" + problem + "\n");
}

/// The policy that the body describes, or what is wrong with it.
std::variant<policy_settings, api_reply> read_policy(const api_call& call) {
    const json::value* pattern = call.body.if_contains("pattern");
    const json::value* definition = call.body.if_contains("definition");
    if (pattern == nullptr || definition == nullptr) {
        return bad_request(
            pattern == nullptr ? "[{key_missing,pattern}]" : "[{key_missing,definition}]");
    }
    if (!pattern->is_string()) {
        return invalid("pattern should be a string");
    }
    if (!definition->is_object()) {
        return invalid("definition should be an object");
    }
    policy_settings read;
    read.name = call.names[1];
    read.pattern = std::string_view(pattern->get_string());
    read.definition = table_of(definition->get_object());
    if (const json::value* target = call.body.if_contains("apply-to")) {
        if (!target->is_string()) {
            return invalid("apply-to should be a string");
        }
        read.apply_to = std::string_view(target->get_string());
    }
    if (const json::value* priority = call.body.if_contains("priority")) {
        boost::system::error_code inexact;
        read.priority = priority->to_number<std::int64_t>(inexact);
        if (inexact) {
            return invalid("priority should be a whole number");
        }
    }
    return read;
}

api_reply put(policy_kind kind, const api_call& call) {
    if (auto refusal = refuse_vhost(call, call.names[0])) {
        return std::move(*refusal);
    }
    if (!is_usable_name(call.names[1])) {
        return invalid("a name has 1 to 255 octets of UTF-8");
    }
    auto read = read_policy(call);
    if (auto* wrong = std::get_if<api_reply>(&read)) {
        return std::move(*wrong);
    }
    const std::string& vhost = call.names[0];
    bool replaced = false;
    std::string problem;
    call.broker.change([&](engine& at) {
        replaced = at.find_vhost(vhost)->policies(kind).find(call.names[1]) != nullptr;
        problem = at.set_policy(kind, vhost, std::move(std::get<policy_settings>(read)));
    });
    return problem.empty() ? changed_reply(!replaced) : invalid(problem);
}

api_reply clear(policy_kind kind, const api_call& call) {
    if (auto refusal = refuse_vhost(call, call.names[0])) {
        return std::move(*refusal);
    }
    bool cleared = false;
    call.broker.change(
        [&](engine& at) { cleared = at.clear_policy(kind, call.names[0], call.names[1]); });
    return cleared ? changed_reply(false) : not_found_reply();
}

/// Literals, which the routes keep views of.
struct policy_paths {
    std::string_view all;
    std::string_view of_vhost;
    std::string_view one;
};

void add(api_routes& to, policy_kind kind, const policy_paths& paths, api_level changes) {
    using http::verb;
    const auto of_kind = [kind](api_reply (*answer)(policy_kind, const api_call&)) {
        return [kind, answer](const api_call& call) { return answer(kind, call); };
    };
    to.add_plain(verb::get, paths.all, api_level::management, of_kind(&list));
    to.add_plain(verb::get, paths.of_vhost, api_level::management, of_kind(&list));
    to.add_plain(verb::get, paths.one, api_level::management, of_kind(&show));
    to.add_plain(verb::put, paths.one, changes, of_kind(&put));
    to.add_plain(verb::delete_, paths.one, changes, of_kind(&clear));
}

}  // namespace

void add_policy_routes(api_routes& to) {
    add(to,
        policy_kind::user,
        {"/api/policies", "/api/policies/{}", "/api/policies/{}/{}"},
        api_level::policymaker);
    add(to,
        policy_kind::operators,
        {"/api/operator-policies", "/api/operator-policies/{}", "/api/operator-policies/{}/{}"},
        api_level::administrator);
}

}  // namespace lovage::broker
