// What Celery 5.2 puts on the wire, as facts in our own words: helpers that build its messages from
// JSON, so that a test shows only what it is about. The forms were seen in captures of real
// traffic.
#pragma once

#include "framework/amqp/properties.hpp"
#include "framework/task/envelope.hpp"
#include "framework/task/header_values.hpp"

#include <lovage/json.hpp>

#include <string>
#include <string_view>

namespace celery {

/// Headers of delay(2, 3), all sixteen as Celery's client writes them.
inline constexpr std::string_view add_headers = R"json({
    "lang": "py", "task": "demo.add", "id": "f0f19590-aa4e-4561-9cbf-9128fd817b61",
    "shadow": null, "eta": null, "expires": null, "group": null, "group_index": null,
    "retries": 0, "timelimit": [null, null], "root_id": "f0f19590-aa4e-4561-9cbf-9128fd817b61",
    "parent_id": null, "argsrepr": "(2, 3)", "kwargsrepr": "{}", "origin": "gen16112@host1",
    "ignore_result": false})json";
inline constexpr std::string_view add_body =
    R"([[2, 3], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}])";

inline lovage::amqp::table headers(std::string_view json) {
    const auto value = lovage::header_from_json(lovage::parse_json(json));
    return *value.as<lovage::amqp::table>();
}

/// The properties of a message with these headers and the reply queue `replies`.
inline lovage::amqp::basic_properties properties(std::string_view header_json = add_headers) {
    lovage::amqp::basic_properties out;
    out.content_type = "application/json";
    out.content_encoding = "utf-8";
    out.headers = headers(header_json);
    out.delivery_mode = 2;
    out.priority = 0;
    out.correlation_id = "f0f19590-aa4e-4561-9cbf-9128fd817b61";
    out.reply_to = "replies";
    return out;
}

/// A table as a JSON object, independent of the order of its names.
inline boost::json::value json(const lovage::amqp::table& table) {
    return lovage::header_to_json(table);
}

}  // namespace celery
