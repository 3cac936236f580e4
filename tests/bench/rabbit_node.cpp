#include "tests/bench/node.hpp"
#include "tests/bench/wire_client.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <unistd.h>

namespace lovage::bench {
namespace {

namespace fs = std::filesystem;
using clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds ask_again{20};
constexpr std::string_view epmd_program = "/usr/bin/epmd";

// The script of Debian's package that runs the node as the calling user.
fs::path find_server() {
    std::vector<fs::path> found;
    std::error_code ignored;
    for (const fs::directory_entry& each :
         fs::directory_iterator("/usr/lib/rabbitmq/lib", ignored)) {
        const fs::path script = each.path() / "sbin/rabbitmq-server";
        if (fs::exists(script, ignored)) {
            found.push_back(script);
        }
    }
    if (found.empty() || !fs::exists(epmd_program, ignored)) {
        throw std::runtime_error("RabbitMQ is not installed (scripts/bootstrap --peers)");
    }
    return *std::ranges::max_element(found);
}

void write_text(const fs::path& file, const std::string& text) {
    std::ofstream(file, std::ios::binary) << text;
}

class rabbit_node final : public node {
public:
    explicit rabbit_node(const options& given)
        : server_(find_server()), data_(given.data_root), port_(free_port()), epmd_(start_epmd()) {
        write_text(
            home() / "rabbitmq.conf",
            "listeners.tcp.1 = 127.0.0.1:" + std::to_string(port_) +
                "\nlog.file.level = warning\n");
        write_text(home() / "env.conf", "");
        write_text(home() / "plugins", "[].\n");
    }

    double start() override {
        command_line command;
        command.arguments = {server_.string()};
        command.environment = environment();
        command.clean = true;
        command.folder = home();
        command.output = home() / "output";
        const auto before = clock::now();
        process_ = std::make_unique<child>(command);
        while (!answers()) {
            if (!process_->alive() || clock::now() - before > start_limit) {
                throw std::runtime_error("rabbitmq-server: " + read_text(command.output));
            }
            std::this_thread::sleep_for(ask_again);
        }
        const std::chrono::duration<double, std::milli> took = clock::now() - before;
        pid_ = std::stoi(read_text(home() / "pid"));
        return took.count();
    }
    void kill() override { process_->kill(); }
    std::uint16_t port() const override { return port_; }
    pid_t pid() const override { return pid_; }

private:
    [[nodiscard]] const fs::path& home() const { return data_.path(); }

    child start_epmd() {
        epmd_port_ = free_port();
        command_line command;
        command.arguments = {
            std::string(epmd_program),
            "-port",
            std::to_string(epmd_port_),
            "-address",
            "127.0.0.1"};
        return child(command);
    }

    std::vector<std::pair<std::string, std::string>> environment() const {
        const char* path = std::getenv("PATH");
        return {
            {"PATH", path == nullptr ? "/usr/bin:/bin" : path},
            {"HOME", home().string()},
            {"LANG", "C.UTF-8"},
            {"ERL_EPMD_PORT", std::to_string(epmd_port_)},
            {"ERL_EPMD_ADDRESS", "127.0.0.1"},
            {"RABBITMQ_NODENAME", "lovagebench-" + std::to_string(getpid()) + "@localhost"},
            {"RABBITMQ_NODE_PORT", std::to_string(port_)},
            {"RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1"},
            {"RABBITMQ_DIST_PORT", std::to_string(free_port())},
            {"RABBITMQ_MNESIA_BASE", (home() / "mnesia").string()},
            {"RABBITMQ_LOG_BASE", (home() / "log").string()},
            {"RABBITMQ_ENABLED_PLUGINS_FILE", (home() / "plugins").string()},
            {"RABBITMQ_PID_FILE", (home() / "pid").string()},
            {"RABBITMQ_CONFIG_FILE", (home() / "rabbitmq").string()},
            {"RABBITMQ_CONF_ENV_FILE", (home() / "env.conf").string()},
            {"RABBITMQ_GENERATED_CONFIG_DIR", (home() / "generated").string()}};
    }

    bool answers() {
        try {
            product_ = wire_client(port_).product();
            return true;
        } catch (const std::runtime_error&) {
            return false;
        }
    }

    fs::path server_;
    temporary_folder data_;
    std::uint16_t port_;
    std::uint16_t epmd_port_ = 0;
    child epmd_;
    std::unique_ptr<child> process_;
    pid_t pid_ = -1;
};

}  // namespace

std::unique_ptr<node> make_rabbit_node(const options& given) {
    return std::make_unique<rabbit_node>(given);
}

}  // namespace lovage::bench
