#include "broker/admin/api_routes.hpp"

#include "broker/admin/resources.hpp"
#include "framework/amqp/wire.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>

namespace lovage::broker {
namespace {

namespace http = boost::beast::http;

constexpr std::string_view any_segment = "{}";

/// Without the empty one in front of the first slash.
std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> segments;
    while (path.starts_with('/')) {
        path.remove_prefix(1);
        const std::string_view segment = path.substr(0, path.find('/'));
        segments.push_back(segment);
        path.remove_prefix(segment.size());
    }
    return segments;
}

bool fits(
    const std::vector<std::string_view>& pattern,
    const std::vector<std::string_view>& segments) {
    return std::ranges::equal(pattern, segments, [](std::string_view wanted, std::string_view got) {
        return wanted == any_segment ? !got.empty() : wanted == got;
    });
}

std::optional<std::string> percent_decoded(std::string_view text) {
    const auto digit = [](char c) {
        if (c >= '0' && c <= '9') {
            return c - '0';
        }
        const char low = static_cast<char>(c | 0x20);
        return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
    };
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) {
            return std::nullopt;
        }
        decoded += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
        i += 2;
    }
    return decoded;
}

/// The segments that stand for {}.
std::optional<std::vector<std::string>> read_names(
    const std::vector<std::string_view>& pattern,
    const std::vector<std::string_view>& segments) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == any_segment) {
            auto decoded = percent_decoded(segments[i]);
            if (!decoded) {
                return std::nullopt;
            }
            names.push_back(std::move(*decoded));
        }
    }
    return names;
}

std::optional<boost::json::object> read_body(std::string_view body) {
    if (body.empty()) {
        return boost::json::object{};
    }
    boost::system::error_code wrong;
    boost::json::value value = boost::json::parse({body.data(), body.size()}, wrong);
    if (wrong || !value.is_object()) {
        return std::nullopt;
    }
    return std::move(value.as_object());
}

std::string_view refusal_for(api_level needed) {
    switch (needed) {
        case api_level::management: return "Not management user";
        case api_level::policymaker: return "Not policymaker user";
        case api_level::monitoring: return "Not monitor user";
        case api_level::administrator: return "Not administrator user";
    }
    return "Not authorised";
}

}  // namespace

bool api_caller::has_tag(octets tag) const {
    return std::ranges::find(tags, tag) != tags.end();
}

bool has_level(const api_caller& who, api_level needed) {
    if (who.has_tag("administrator")) {
        return true;
    }
    switch (needed) {
        case api_level::management:
            return who.has_tag("management") || who.has_tag("policymaker") ||
                   who.has_tag("monitoring");
        case api_level::policymaker: return who.has_tag("policymaker");
        case api_level::monitoring: return who.has_tag("monitoring");
        case api_level::administrator: return false;
    }
    return false;
}

api_reply json_reply(const boost::json::value& shown) {
    return {http::status::ok, boost::json::serialize(shown), false};
}

bool may_see_vhost(const api_call& call, octets vhost) {
    return has_level(call.who, api_level::monitoring) ||
           call.broker.state().access().find_permission(call.who.name, vhost) != nullptr;
}

std::optional<api_reply> refuse_vhost(const api_call& call, octets vhost) {
    const auto& all = call.broker.state().vhosts();
    if (all.find(vhost) == all.end()) {
        return not_found_reply();
    }
    if (!may_see_vhost(call, vhost)) {
        return not_authorised("User not authorised to access virtual host");
    }
    return std::nullopt;
}

std::optional<std::string> text_member(const boost::json::object& body, std::string_view name) {
    const boost::json::value* found = body.if_contains({name.data(), name.size()});
    if (found == nullptr || !found->is_string()) {
        return std::nullopt;
    }
    return std::string(found->as_string());
}

bool is_usable_name(octets name) {
    return !name.empty() && name.size() <= amqp::short_string_octets_max && amqp::is_utf8(name);
}

api_reply api_error(http::status status, std::string_view error, std::string_view reason) {
    const boost::json::object body{{"error", error}, {"reason", reason}};
    return {status, boost::json::serialize(body), false};
}
api_reply bad_request(std::string_view reason) {
    return api_error(http::status::bad_request, "bad_request", reason);
}
api_reply not_found_reply() {
    return api_error(http::status::not_found, "Object Not Found", "Not Found");
}
api_reply not_authorised(std::string_view reason) {
    return api_error(http::status::unauthorized, "not_authorised", reason);
}
api_reply changed_reply(bool created) {
    return {created ? http::status::created : http::status::no_content, {}, true};
}

void api_routes::add(http::verb verb, std::string_view path, api_level needed, handler answer) {
    routes_.push_back({verb, split(path), needed, std::move(answer)});
}

void api_routes::add_plain(
    http::verb verb,
    std::string_view path,
    api_level needed,
    plain_handler answer) {
    add(verb,
        path,
        needed,
        [answer = std::move(answer)](const api_call& call, const reply_function& done) {
            done(answer(call));
        });
}

api_routes::found_route api_routes::find(
    http::verb verb,
    const std::vector<std::string_view>& segments) const {
    found_route found;
    for (const route& each : routes_) {
        if (fits(each.segments, segments)) {
            found.path_known = true;
            if (each.verb == verb) {
                found.where = &each;
            }
        }
    }
    return found;
}

void api_routes::answer(
    management_backend& broker,
    const request& asked,
    std::optional<api_caller> who,
    const reply_function& done) const {
    if (!who) {
        done(not_authorised("Login failed"));
        return;
    }
    const auto segments = split(asked.target.substr(0, asked.target.find('?')));
    const auto [where, path_known] = find(asked.verb, segments);
    if (where == nullptr) {
        done(
            path_known ? api_error(
                             http::status::method_not_allowed,
                             "Method Not Allowed",
                             "this path does not know that method")
                       : not_found_reply());
        return;
    }
    if (!has_level(*who, where->needed)) {
        done(not_authorised(refusal_for(where->needed)));
        return;
    }
    auto names = read_names(where->segments, segments);
    if (!names) {
        done(bad_request("the path is not percent-encoded"));
        return;
    }
    auto body = read_body(asked.body);
    if (!body) {
        done(bad_request("the body is no JSON object"));
        return;
    }
    const api_call call{
        broker, std::move(*who), std::move(*names), std::move(*body), std::string(asked.reason)};
    where->answer(call, [&broker, done](api_reply reply) {
        if (!reply.wait_for_disk) {
            done(std::move(reply));
            return;
        }
        broker.when_durable([done, kept = std::move(reply)] { done(kept); });
    });
}

api_routes all_routes() {
    api_routes routes;
    add_overview_routes(routes);
    add_queue_routes(routes);
    add_exchange_routes(routes);
    add_policy_routes(routes);
    add_user_routes(routes);
    add_permission_routes(routes);
    add_topic_permission_routes(routes);
    add_vhost_routes(routes);
    add_limit_routes(routes);
    add_connection_routes(routes);
    return routes;
}

}  // namespace lovage::broker
