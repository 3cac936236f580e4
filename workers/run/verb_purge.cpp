// `purge`: drops every waiting message of queues.
#include "workers/run/command_line.hpp"
#include "workers/run/exit_status.hpp"

#include <lovage/connection.hpp>

#include <chrono>
#include <iostream>

namespace lovage::workers {

namespace {

constexpr std::chrono::milliseconds patience = std::chrono::seconds(5);

options::options_description describe(const program&) {
    options::options_description out("options");
    add_broker_option(out);
    out.add_options()(
        "queues,Q",
        options::value<std::vector<std::string>>()->composing()->value_name("A,B"),
        "the queues")("force,f", options::bool_switch(), "do not ask");
    return out;
}

options::positional_options_description positions() {
    return {};
}

bool agreed(const std::vector<std::string>& queues) {
    std::cout << "drop all waiting messages of";
    for (const std::string& queue : queues) {
        std::cout << ' ' << queue;
    }
    std::cout << "? (yes/no) " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "yes" || answer == "y";
}

int run(const program& self, const options::variables_map& values) {
    if (values.count("queues") == 0) {
        throw usage_error("no queue is named (usage: purge -Q QUEUE)");
    }
    const auto queues = split_names(values["queues"].as<std::vector<std::string>>());
    if (!values["force"].as<bool>() && !agreed(queues)) {
        std::cerr << self.name << " purge: nothing was dropped\n";
        return exit_failed;
    }
    connection_options where(broker_url(self, values));
    where.name = self.name + " purge";
    where.timeout = patience;
    connection broker(where);
    for (const std::string& queue : queues) {
        // Counting first gives the plain error for a queue that does not exist.
        static_cast<void>(broker.queue_status(queue));
        std::cout << "dropped " << broker.purge(queue) << " messages of " << queue << '\n';
    }
    return exit_done;
}

}  // namespace

const verb purge_verb{
    "purge",
    "drops all waiting messages of queues",
    "-Q QUEUE [-f] [OPTION...]",
    false,
    describe,
    positions,
    run};

}  // namespace lovage::workers
