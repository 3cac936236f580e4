// `status`: the broker's queues, from its management API.
#include "framework/app/address.hpp"
#include "framework/task/json_parse.hpp"
#include "workers/run/command_line.hpp"
#include "workers/run/exit_status.hpp"
#include "workers/run/management_client.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cstdlib>
#include <iomanip>
#include <iostream>

namespace lovage::workers {

namespace {

constexpr const char* management_url_variable = "LOVAGE_MANAGEMENT_URL";

struct queue_row {
    std::string vhost;
    std::string name;
    std::int64_t ready = 0;
    std::int64_t unacked = 0;
    std::int64_t consumers = 0;
};

options::options_description describe(const program&) {
    options::options_description out("options");
    add_broker_option(out);
    out.add_options()(
        "management-url",
        options::value<std::string>()->value_name("URL"),
        "of the broker's HTTP API; default: LOVAGE_MANAGEMENT_URL, else the broker's host "
        "and its port + 10000")(
        "all", options::bool_switch(), "queues of all virtual hosts, not only the address's");
    return out;
}

options::positional_options_description positions() {
    return {};
}

/// That of the broker with this AMQP port; an amqps port tells nothing.
std::uint16_t default_management_port(const net::uri& broker) {
    constexpr int port_max = 65535;
    const bool known = !broker.tls && broker.port + management_port_distance <= port_max;
    return known ? static_cast<std::uint16_t>(broker.port + management_port_distance)
                 : management_port_default;
}

management_address address_of(const net::uri& broker, const options::variables_map& values) {
    std::string text;
    if (values.count("management-url") != 0) {
        text = values["management-url"].as<std::string>();
    } else if (const char* variable = std::getenv(management_url_variable)) {
        text = variable;
    }
    management_address out{
        broker.host, default_management_port(broker), broker.user, broker.password};
    std::string problem;
    if (!text.empty() && !parse_management_url(text, out, problem)) {
        throw usage_error("the management URL cannot be read: " + problem);
    }
    return out;
}

std::int64_t number_of(const boost::json::object& row, std::string_view name) {
    const boost::json::value* found = row.if_contains({name.data(), name.size()});
    return found != nullptr && found->is_number() ? found->to_number<std::int64_t>() : 0;
}

std::string text_of(const boost::json::object& row, std::string_view name) {
    const boost::json::value* found = row.if_contains({name.data(), name.size()});
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
}

std::vector<queue_row> read_rows(const std::string& text) {
    boost::json::value parsed;
    std::string reason;
    if (!try_parse_json(text, parsed, reason) || !parsed.is_array()) {
        throw std::runtime_error("the management API's answer is not a list of queues: " + reason);
    }
    std::vector<queue_row> out;
    for (const boost::json::value& one : parsed.get_array()) {
        if (const auto* row = one.if_object()) {
            out.push_back(
                {text_of(*row, "vhost"),
                 text_of(*row, "name"),
                 number_of(*row, "messages_ready"),
                 number_of(*row, "messages_unacknowledged"),
                 number_of(*row, "consumers")});
        }
    }
    return out;
}

void print_rows(const std::vector<queue_row>& rows) {
    std::size_t width = 5;
    for (const queue_row& row : rows) {
        width = std::max(width, row.name.size());
    }
    const auto line = [&](std::string_view name, auto ready, auto unacked, auto consumers) {
        std::cout << std::left << std::setw(static_cast<int>(width)) << name << std::right
                  << std::setw(12) << ready << std::setw(12) << unacked << std::setw(12)
                  << consumers << '\n';
    };
    line("queue", "ready", "unacked", "consumers");
    for (const queue_row& row : rows) {
        line(row.name, row.ready, row.unacked, row.consumers);
    }
}

int run(const program& self, const options::variables_map& values) {
    const net::uri broker = parse_address(broker_url(self, values));
    const management_address where = address_of(broker, values);
    std::string problem;
    const auto body = management_get(where, "/api/queues", problem);
    if (!body.has_value()) {
        std::cerr << self.name << " status: " << problem << '\n';
        return exit_unavailable;
    }
    std::vector<queue_row> rows = read_rows(*body);
    if (!values["all"].as<bool>()) {
        std::erase_if(rows, [&](const queue_row& row) { return row.vhost != broker.vhost; });
    }
    std::sort(rows.begin(), rows.end(), [](const queue_row& a, const queue_row& b) {
        return std::tie(a.vhost, a.name) < std::tie(b.vhost, b.name);
    });
    print_rows(rows);
    return exit_done;
}

}  // namespace

const verb status_verb{
    "status",
    "shows the queues: messages ready, unacknowledged, consumers",
    "[OPTION...]",
    false,
    describe,
    positions,
    run};

}  // namespace lovage::workers
