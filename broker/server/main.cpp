// lovage-broker: reads its options, serves until SIGTERM or SIGINT, exits 0; or looks at a data
// directory and ends (--verify, --salvage).
#include "broker/server/node.hpp"
#include "broker/server/program_options.hpp"
#include "broker/server/verify.hpp"

#include <lovage/logging.hpp>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <pthread.h>
#include <sys/resource.h>
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

/// Each connection costs one descriptor, and the limit that programs start with is a low one.
void allow_all_descriptors() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
}

/// The first signal stops the node in order, a second one ends the process at once.
class signal_waiter {
public:
    signal_waiter(const sigset_t& signals, broker::node& node)
        : thread_([this, &signals, &node] { wait(signals, node); }) {}
    signal_waiter(const signal_waiter&) = delete;
    signal_waiter& operator=(const signal_waiter&) = delete;
    ~signal_waiter() {
        over_ = true;
        ::pthread_kill(thread_.native_handle(), SIGTERM);
        thread_.join();
    }

private:
    void wait(const sigset_t& signals, broker::node& node) {
        int signal = 0;
        for (bool asked = false; !over_; asked = true) {
            sigwait(&signals, &signal);
            if (asked && !over_) {
                std::_Exit(EXIT_FAILURE);
            }
            node.stop();
        }
    }

    std::atomic<bool> over_ = false;
    std::thread thread_;  // last: uses the others
};

void print_ready(const broker::server_options& options, const broker::node& node) {
    const auto address = [](const std::string& bind, std::uint16_t port) {
        const bool v6 = bind.find(':') != std::string::npos;
        return (v6 ? "[" + bind + "]" : bind) + ":" + std::to_string(port);
    };
    std::cout << "ready amqp=" << address(options.bind, node.port());
    if (node.tls_port() != 0) {
        std::cout << " amqps=" << address(options.bind, node.tls_port());
    }
    const std::string& managed =
        options.management_bind.empty() ? options.bind : options.management_bind;
    const std::uint16_t port = node.management_port();
    std::cout << " management=" << (port != 0 ? address(managed, port) : "none") << std::endl;
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
        if (!options->verify.empty()) {
            return broker::verify_directory(options->verify, std::cout, std::cerr);
        }
        if (!options->salvage.empty()) {
            return broker::salvage_directory(options->salvage, options->into, std::cout, std::cerr);
        }
        const sigset_t signals = block_signals();
        allow_all_descriptors();
        broker::node node{options->server};
        const signal_waiter waiter{signals, node};
        print_ready(options->server, node);
        return node.run() ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const broker::usage_error& error) {
        std::cerr << "lovage-broker: " << error.what() << '\n';
        return broker::cannot_look;
    } catch (const broker::start_error& error) {
        std::cerr << "lovage-broker: " << error.what() << '\n';
    } catch (const std::exception& error) {
        std::cerr << "lovage-broker: unexpected: " << error.what() << '\n';
    }
    return EXIT_FAILURE;
}
