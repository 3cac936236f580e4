// /api/users, /api/users/{user}, /api/users/{user}/permissions, .../topic-permissions, /api/whoami.
// Passwords and their hashes come in and never go out.
#include "broker/admin/access_json.hpp"
#include "broker/admin/resources.hpp"
#include "broker/core/administration.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <utility>

namespace lovage::broker {
namespace {

namespace http = boost::beast::http;

boost::json::array tags_json(const std::vector<std::string>& tags) {
    boost::json::array shown;
    for (const std::string& tag : tags) {
        shown.emplace_back(tag);
    }
    return shown;
}

boost::json::object user_json(const std::string& name, const user_record& what) {
    return {
        {"name", name}, {"tags", tags_json(what.tags)}, {"limits", user_limits_json(what.limits)}};
}

/// As RabbitMQ takes them: words with commas between, or a list.
std::optional<std::vector<std::string>> read_tags(const boost::json::object& body) {
    const boost::json::value* given = body.if_contains("tags");
    std::vector<std::string> tags;
    if (given != nullptr && given->is_array()) {
        for (const boost::json::value& each : given->as_array()) {
            if (!each.is_string()) {
                return std::nullopt;
            }
            tags.emplace_back(each.as_string());
        }
        return tags;
    }
    if (given == nullptr || !given->is_string()) {
        return std::nullopt;
    }
    std::string_view rest{given->as_string().data(), given->as_string().size()};
    while (!rest.empty()) {
        std::string_view word = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
        while (word.starts_with(' ')) {
            word.remove_prefix(1);
        }
        while (word.ends_with(' ')) {
            word.remove_suffix(1);
        }
        if (!word.empty()) {
            tags.emplace_back(word);
        }
    }
    return tags;
}

api_reply list(const api_call& call) {
    boost::json::array all;
    for (const auto& [name, user] : call.broker.state().access().users()) {
        all.push_back(user_json(name, user));
    }
    return json_reply(all);
}

api_reply show(const api_call& call) {
    const user_record* user = call.broker.state().access().find(call.names[0]);
    return user == nullptr ? not_found_reply() : json_reply(user_json(call.names[0], *user));
}

api_reply put_user(
    management_backend& broker,
    const std::string& name,
    const std::string& verifier,
    const std::vector<std::string>& tags) {
    const bool created = broker.state().access().find(name) == nullptr;
    broker.change([&](engine& of) { administration{of}.put_user(name, verifier, tags); });
    return changed_reply(created);
}

void put(const api_call& call, const api_routes::reply_function& done) {
    const std::string& name = call.names[0];
    auto tags = read_tags(call.body);
    const auto password = text_member(call.body, "password");
    const auto hash = text_member(call.body, "password_hash");
    if (!is_usable_name(name)) {
        done(bad_request("a user's name has 1 to 255 octets of UTF-8"));
    } else if (!tags) {
        done(bad_request("tags are missing: a list of strings, or words with commas between"));
    } else if (password && hash) {
        done(bad_request("password and password_hash do not go together"));
    } else if (call.body.contains("password") != password.has_value()) {
        done(bad_request("the password is no string"));
    } else if (hash && !hash->empty() && !call.broker.is_verifier(*hash)) {
        done(bad_request("password_hash is not of the form scrypt$N$r$p$salt$hash"));
    } else if (!password) {
        done(put_user(call.broker, name, hash.value_or(""), *tags));
    } else {
        call.broker.hash_password(
            *password,
            [&broker = call.broker, who = call.who.name, name, tags = std::move(*tags), done](
                std::optional<std::string> verifier) {
                // He may have lost his rights while this one waited.
                const user_record* caller = broker.state().access().find(who);
                if (caller == nullptr ||
                    !has_level({who, caller->tags}, api_level::administrator)) {
                    done(not_authorised("Not administrator user"));
                    return;
                }
                done(
                    verifier ? put_user(broker, name, *verifier, tags)
                             : api_error(
                                   http::status::internal_server_error,
                                   "internal_error",
                                   "the password could not be hashed"));
            });
    }
}

api_reply erase(const api_call& call) {
    bool gone = false;
    call.broker.change([&](engine& of) { gone = administration{of}.delete_user(call.names[0]); });
    return gone ? changed_reply(false) : not_found_reply();
}

api_reply permissions(const api_call& call) {
    const user_record* user = call.broker.state().access().find(call.names[0]);
    if (user == nullptr) {
        return not_found_reply();
    }
    boost::json::array all;
    for (const auto& [vhost, has] : user->permissions) {
        all.push_back(permission_json(call.names[0], vhost, has));
    }
    return json_reply(all);
}

api_reply topics(const api_call& call) {
    const user_record* user = call.broker.state().access().find(call.names[0]);
    if (user == nullptr) {
        return not_found_reply();
    }
    boost::json::array all;
    for (const auto& [where, has] : user->topics) {
        all.push_back(topic_permission_json(call.names[0], where, has));
    }
    return json_reply(all);
}

api_reply whoami(const api_call& call) {
    return json_reply(
        boost::json::object{{"name", call.who.name}, {"tags", tags_json(call.who.tags)}});
}

}  // namespace

void add_user_routes(api_routes& to) {
    using http::verb;
    constexpr api_level needed = api_level::administrator;
    to.add_plain(verb::get, "/api/whoami", api_level::management, &whoami);
    to.add_plain(verb::get, "/api/users", needed, &list);
    to.add_plain(verb::get, "/api/users/{}", needed, &show);
    to.add(verb::put, "/api/users/{}", needed, &put);
    to.add_plain(verb::delete_, "/api/users/{}", needed, &erase);
    to.add_plain(verb::get, "/api/users/{}/permissions", needed, &permissions);
    to.add_plain(verb::get, "/api/users/{}/topic-permissions", needed, &topics);
}

}  // namespace lovage::broker
