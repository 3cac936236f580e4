#include "tests/bench/node.hpp"
#include "tests/bench/wire_client.hpp"

#include <boost/json.hpp>

#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace lovage::bench {
namespace {

using clock = std::chrono::steady_clock;

// "Authorization: Basic" of guest:guest.
constexpr std::string_view guest_login = "Z3Vlc3Q6Z3Vlc3Q=";

// The body of the answer to one GET; empty when there is none.
std::string http_get(std::uint16_t port, std::string_view path) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const timeval limit{2, 0};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    std::string answer;
    if (connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
        const std::string request = "GET " + std::string(path) +
                                    " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                                    "Authorization: Basic " +
                                    std::string(guest_login) + "\r\n\r\n";
        ::send(socket, request.data(), request.size(), MSG_NOSIGNAL);
        std::array<char, 4096> piece{};
        for (ssize_t got = 0; (got = recv(socket, piece.data(), piece.size(), 0)) > 0;) {
            answer.append(piece.data(), static_cast<std::size_t>(got));
        }
    }
    close(socket);
    const std::size_t body = answer.find("\r\n\r\n");
    return body == std::string::npos ? "" : answer.substr(body + 4);
}

// The port behind `name=127.0.0.1:` in the ready line; 0 if it is not there.
std::uint16_t port_in(const std::string& line, const std::string& name) {
    const std::size_t at = line.find(name + '=');
    const std::size_t colon = at == std::string::npos ? at : line.find(':', at);
    return colon == std::string::npos
               ? std::uint16_t{0}
               : static_cast<std::uint16_t>(std::stoul(line.substr(colon + 1)));
}

class lovage_node final : public node {
public:
    explicit lovage_node(const options& given)
        : program_(given.bin_dir + "/lovage-broker"), data_(given.data_root) {
        if (access(program_.c_str(), X_OK) != 0) {
            throw std::runtime_error(program_ + " is not built");
        }
    }

    double start() override {
        command_line command;
        command.arguments = {
            program_,
            "--port",
            "0",
            "--management-port",
            "0",
            "--data-dir",
            (data_.path() / "data").string()};
        command.output = data_.path() / "log";
        command.pipe = true;
        const auto before = clock::now();
        process_ = std::make_unique<child>(command);
        std::string line;
        try {
            while (!line.starts_with("ready ")) {
                line = process_->read_line(start_limit);
            }
        } catch (const std::runtime_error& failed) {
            throw std::runtime_error(
                std::string("lovage-broker: ") + failed.what() + ": " + read_text(command.output));
        }
        const std::chrono::duration<double, std::milli> took = clock::now() - before;
        port_ = port_in(line, "amqp");
        management_ = port_in(line, "management");
        product_ = wire_client(port_).product();
        return took.count();
    }
    void kill() override { process_->kill(); }
    std::uint16_t port() const override { return port_; }
    pid_t pid() const override { return process_->pid(); }

    std::optional<disk_counters> counters() const override {
        if (management_ == 0) {
            return std::nullopt;
        }
        boost::system::error_code failed;
        const boost::json::value overview =
            boost::json::parse(http_get(management_, "/api/overview"), failed);
        const auto count = [&overview](const char* name) {
            boost::system::error_code missing;
            const auto* found = overview.find_pointer(std::string("/lovage/") + name, missing);
            return found != nullptr && found->is_number() ? found->to_number<double>(missing) : 0;
        };
        return failed ? std::nullopt
                      : std::optional<disk_counters>(
                            {count("syncs"), count("log_records"), count("log_octets_written")});
    }

private:
    std::string program_;
    temporary_folder data_;
    std::unique_ptr<child> process_;
    std::uint16_t port_ = 0;
    std::uint16_t management_ = 0;
};

}  // namespace

std::unique_ptr<node> make_lovage_node(const options& given) {
    return std::make_unique<lovage_node>(given);
}

}  // namespace lovage::bench
