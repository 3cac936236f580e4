// `call`: sends one task and prints its result as one line of JSON.
#include "framework/app/address.hpp"
#include "framework/task/json_parse.hpp"
#include "workers/run/command_line.hpp"
#include "workers/run/exit_status.hpp"

#include <lovage/app.hpp>
#include <lovage/connection.hpp>
#include <lovage/error.hpp>
#include <lovage/json.hpp>

#include <chrono>
#include <iostream>

namespace lovage::workers {

namespace {

using std::chrono::milliseconds;

constexpr double timeout_default_seconds = 60;
/// How long the broker may take to accept a connection and the call.
constexpr milliseconds broker_patience = std::chrono::seconds(5);

options::options_description describe(const program& self) {
    options::options_description out("options");
    add_broker_option(out);
    out.add_options()("name", options::value<std::string>()->value_name("NAME"), "the task's name")(
        "args",
        options::value<std::string>()->default_value("[]")->value_name("JSON"),
        "list of the positional arguments, e.g. '[6,7]'")(
        "kwargs",
        options::value<std::string>()->default_value("{}")->value_name("JSON"),
        "object of the keyword arguments")(
        "queue,Q",
        options::value<std::string>()->value_name("QUEUE"),
        ("default: the task's own; for a task that is unknown here the queue named like the part "
         "of its name before the first dot, if there is one, else " +
         default_queue(self))
            .c_str())(
        "timeout",
        options::value<double>()->default_value(timeout_default_seconds)->value_name("SECONDS"),
        "how long to wait for the result")(
        "countdown",
        options::value<double>()->default_value(0)->value_name("SECONDS"),
        "not before that long after now");
    return out;
}

options::positional_options_description positions() {
    options::positional_options_description out;
    out.add("name", 1);
    return out;
}

std::string checked_json(const options::variables_map& values, const char* name, bool list) {
    const std::string text = values[name].as<std::string>();
    boost::json::value parsed;
    std::string reason;
    const std::string option = "--" + std::string(name);
    if (!try_parse_json(text, parsed, reason)) {
        throw usage_error(option + " is not JSON: " + reason);
    }
    if (list ? !parsed.is_array() : !parsed.is_object()) {
        throw usage_error(option + " must be a JSON " + (list ? "list" : "object"));
    }
    return text;
}

/// For a task that is not registered here: the queue named like the first part of the task's name
/// (demo.add: demo), if the broker has one, else the default queue.
std::string queue_by_name(const program& self, const app_options& where, const std::string& task) {
    const std::string prefix = task.substr(0, task.find('.'));
    if (prefix.empty() || prefix == task) {
        return default_queue(self);
    }
    connection_options options;
    options.url = where.url;
    options.name = where.name;
    options.timeout = broker_patience;
    connection broker{options};
    try {
        return broker.queue_status(prefix).name;
    } catch (const broker_error& wrong) {
        constexpr std::uint16_t not_found = 404;
        if (wrong.reply_code() != not_found) {
            throw;
        }
        return default_queue(self);
    }
}

std::string queue_of(const program& self, const app_options& where, const std::string& task) {
    const task_entry* entry =
        self.application == nullptr ? nullptr : self.application->tasks().find(task);
    if (entry == nullptr) {
        return queue_by_name(self, where, task);
    }
    const auto queue = entry->options().queue;
    return queue.empty() ? default_queue(self) : std::string(queue);
}

int run(const program& self, const options::variables_map& values) {
    if (values.count("name") == 0) {
        throw usage_error("no task is named (usage: call NAME --args '[...]')");
    }
    const std::string name = values["name"].as<std::string>();
    const std::string args = checked_json(values, "args", true);
    const std::string kwargs = checked_json(values, "kwargs", false);
    const milliseconds timeout(to_milliseconds(values["timeout"].as<double>(), "--timeout"));
    const milliseconds countdown(to_milliseconds(values["countdown"].as<double>(), "--countdown"));

    app_options where(broker_url(self, values));
    static_cast<void>(parse_address(where.url));
    where.name = self.name + " call";
    where.send_timeout = broker_patience;
    how way;
    way.queue(
        values.count("queue") != 0 ? values["queue"].as<std::string>()
                                   : queue_of(self, where, name));
    app client(where, registry());
    if (countdown > milliseconds(0)) {
        way.after(countdown);
    }
    try {
        const handle<boost::json::value> call = client.send_raw(name, args, kwargs, way);
        std::cout << to_json_text(call.get(timeout)) << '\n';
        return exit_done;
    } catch (const wait_timeout& none) {
        std::cerr << self.name << " call: " << none.what()
                  << " (the task may still run; is a worker consuming the queue?)\n";
        return exit_no_answer;
    } catch (const error& failed) {
        std::cerr << failed.what() << '\n';
        return exit_failed;
    }
}

}  // namespace

const verb call_verb{
    "call",
    "sends a task and prints its result as one line of JSON",
    "NAME [--args JSON] [--kwargs JSON] [OPTION...]",
    false,
    describe,
    positions,
    run};

}  // namespace lovage::workers
