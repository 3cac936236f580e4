// Finds the handler for a request of the management API, after login, tags and the form of path and
// body have been checked. Each family of resources adds its routes (resources.hpp); the HTTP
// session asks. On the node's thread. Knows no socket.
#pragma once

#include "broker/admin/backend.hpp"

#include <boost/beast/http/status.hpp>
#include <boost/beast/http/verb.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lovage::broker {

/// Which of RabbitMQ's tags a user needs for a request; each of them lets into the API.
enum class api_level : std::uint8_t {
    management,     ///< management, policymaker, monitoring or administrator
    policymaker,    ///< policymaker or administrator
    monitoring,     ///< monitoring or administrator
    administrator,  ///< administrator
};

[[nodiscard]] bool has_level(const api_caller& who, api_level needed);

struct api_reply {
    boost::beast::http::status status = boost::beast::http::status::ok;
    std::string body;
    /// Something was changed: the answer waits until it is on disk.
    bool wait_for_disk = false;
};

[[nodiscard]] api_reply json_reply(const boost::json::value& shown);
/// JSON with RabbitMQ's members `error` and `reason`.
[[nodiscard]] api_reply api_error(
    boost::beast::http::status status,
    std::string_view error,
    std::string_view reason);
[[nodiscard]] api_reply bad_request(std::string_view reason);
[[nodiscard]] api_reply not_found_reply();
/// 401: the login was right, but this is not for that user.
[[nodiscard]] api_reply not_authorised(std::string_view reason);
/// 201 for what is new, 204 for what was there or is gone now; sent when it is on disk.
[[nodiscard]] api_reply changed_reply(bool created);

/// A request as a handler sees it.
struct api_call {
    management_backend& broker;
    api_caller who;
    std::vector<std::string> names;  ///< what stands for each {} of the path, decoded
    boost::json::object body;        ///< empty without a body
    std::string reason;              ///< header X-Reason: told to clients whose connection ends
};

/// Whether the caller may know what is in that virtual host: he has permissions there, or may see
/// everything. Routes that change things there need it as well.
[[nodiscard]] bool may_see_vhost(const api_call& call, octets vhost);
/// 404 if there is no such virtual host, 401 if the caller may not see it.
[[nodiscard]] std::optional<api_reply> refuse_vhost(const api_call& call, octets vhost);
/// A member of the body; nothing if it is missing or no string.
[[nodiscard]] std::optional<std::string> text_member(
    const boost::json::object& body,
    std::string_view name);
/// What is new gets names that clients can send: 1 to 255 octets of UTF-8.
[[nodiscard]] bool is_usable_name(octets name);

class api_routes {
public:
    using reply_function = std::function<void(api_reply)>;
    /// Calls its last argument once, now or later; the call does not live longer than the handler.
    using handler = std::function<void(const api_call&, const reply_function&)>;
    /// For those that answer at once.
    using plain_handler = std::function<api_reply(const api_call&)>;

    /// `path` is a literal; each {} stands for one segment that is not empty.
    void add(
        boost::beast::http::verb verb,
        std::string_view path,
        api_level needed,
        handler answer);
    void add_plain(
        boost::beast::http::verb verb,
        std::string_view path,
        api_level needed,
        plain_handler answer);

    struct request {
        boost::beast::http::verb verb = boost::beast::http::verb::get;
        std::string_view target;
        std::string_view body;
        std::string_view reason;  ///< header X-Reason
    };
    /// `done` is called once, unless the broker ends before. Views of `asked` are not kept.
    void answer(
        management_backend& broker,
        const request& asked,
        std::optional<api_caller> who,
        const reply_function& done) const;

private:
    struct route {
        boost::beast::http::verb verb = boost::beast::http::verb::get;
        std::vector<std::string_view> segments;
        api_level needed = api_level::administrator;
        handler answer;
    };
    struct found_route {
        const route* where = nullptr;
        bool path_known = false;  ///< with another verb
    };

    [[nodiscard]] found_route find(
        boost::beast::http::verb verb,
        const std::vector<std::string_view>& segments) const;

    std::vector<route> routes_;
};

}  // namespace lovage::broker
