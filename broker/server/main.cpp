// lovage-broker: reads its options, serves until SIGTERM or SIGINT, exits 0.
#include "broker/server/node.hpp"
#include "broker/server/program_options.hpp"

#include <lovage/logging.hpp>

#include <csignal>
#include <iostream>
#include <pthread.h>
#include <thread>

namespace {

using namespace lovage;

/// Threads inherit the mask, so that the signals come to the one that waits for them.
sigset_t block_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return signals;
}

void print_ready(const broker::server_options& options, const broker::node& node) {
    const auto address = [&](std::uint16_t port) {
        return options.bind + ":" + std::to_string(port);
    };
    std::cout << "ready amqp=" << address(node.port());
    if (node.tls_port() != 0) {
        std::cout << " amqps=" << address(node.tls_port());
    }
    std::cout << " management=" << address(node.management_port()) << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto options = broker::read_program_options(argc, argv, std::cout);
        if (!options) {
            return EXIT_SUCCESS;
        }
        if (!init_logging(options->log_level)) {
            throw broker::start_error(
                "--log-level: '" + options->log_level +
                "' is none of trace, debug, info, warning, error, off");
        }
        const sigset_t signals = block_signals();
        broker::node node{options->server};
        std::thread waiter{[&] {
            int signal = 0;
            sigwait(&signals, &signal);
            node.stop();
        }};
        print_ready(options->server, node);
        node.run();
        waiter.join();
        return EXIT_SUCCESS;
    } catch (const broker::start_error& error) {
        std::cerr << "lovage-broker: " << error.what() << '\n';
    } catch (const std::exception& error) {
        std::cerr << "lovage-broker: unexpected: " << error.what() << '\n';
    }
    return EXIT_FAILURE;
}
