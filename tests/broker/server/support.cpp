#include "tests/broker/server/support.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace lovage::broker::test {

raw_socket::raw_socket(std::uint16_t port, int receive_octets)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_octets != 0) {
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_octets, sizeof receive_octets);
    }
    const timeval limit{std::chrono::duration_cast<std::chrono::seconds>(patience).count(), 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const std::string problem = std::strerror(errno);
        ::close(socket_);
        throw std::runtime_error("cannot connect: " + problem);
    }
}

raw_socket::~raw_socket() {
    ::close(socket_);
}

bool raw_socket::send(std::string_view octets) const {
    while (!octets.empty()) {
        const ssize_t sent = ::send(socket_, octets.data(), octets.size(), MSG_NOSIGNAL);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            return false;
        }
        if (sent < 0) {
            throw std::runtime_error(std::string("cannot send: ") + std::strerror(errno));
        }
        octets.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

std::string raw_socket::receive() const {
    std::string octets(64 * 1024, '\0');
    const ssize_t got = ::recv(socket_, octets.data(), octets.size(), 0);
    if (got < 0 && errno != ECONNRESET) {
        throw std::runtime_error(std::string("nothing to receive: ") + std::strerror(errno));
    }
    octets.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return octets;
}

std::string raw_socket::receive_all() const {
    std::string all;
    for (std::string more = receive(); !more.empty(); more = receive()) {
        all += more;
    }
    return all;
}

std::uint64_t resident_octets() {
    std::ifstream in{"/proc/self/statm"};
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    in >> size >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void write_file(const std::filesystem::path& file, std::string_view text) {
    std::ofstream out{file, std::ios::binary};
    out << text;
    if (!out.flush()) {
        throw std::runtime_error("cannot write " + file.string());
    }
}

std::string start_problem(const server_options& options) {
    server refused{options};
    try {
        refused.start();
    } catch (const start_error& error) {
        return error.what();
    }
    return {};
}

}  // namespace lovage::broker::test
