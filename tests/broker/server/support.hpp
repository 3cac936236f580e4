// What the tests of the running broker share: a plain socket with deadlines, files and folders that
// go away, and what /proc says of this process. Used on the test's thread only.
#pragma once

#include "tests/workers/run/process.hpp"

#include <lovage/broker.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace lovage::broker::test {

using workers::test::eventually;
using workers::test::patience;
using workers::test::temporary_folder;

/// A connected TCP socket. Throws std::runtime_error when something does not happen in `patience`.
class raw_socket {
public:
    /// Connects to 127.0.0.1. `receive_octets` is the size of the kernel's buffer, 0 its default.
    explicit raw_socket(std::uint16_t port, int receive_octets = 0);
    ~raw_socket();
    raw_socket(const raw_socket&) = delete;
    raw_socket& operator=(const raw_socket&) = delete;

    /// All of it. False when the peer has closed.
    bool send(std::string_view octets) const;
    /// At least one octet; empty when the peer has closed.
    [[nodiscard]] std::string receive() const;
    /// Until the peer closes.
    [[nodiscard]] std::string receive_all() const;

private:
    int socket_ = -1;
};

/// Resident memory of this process, octets.
[[nodiscard]] std::uint64_t resident_octets();

/// Throws if the file cannot be written.
void write_file(const std::filesystem::path& file, std::string_view text);

/// The text of the start_error that start() throws; empty if it throws none.
[[nodiscard]] std::string start_problem(const server_options& options);

}  // namespace lovage::broker::test
