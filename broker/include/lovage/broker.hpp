// The broker in any process: what lovage-broker runs, on a thread of its own. For tests, tutorials
// and programs that bring their broker along:
//
//   lovage::broker::server_options options;     // any free port, nothing kept after the end
//   lovage::broker::server server{options};
//   server.start();
//   lovage::app app{server.url(), my_task};
//
// Link lovage::broker.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace lovage::broker {

/// The broker could not start: says what was tried, what went wrong and what to do about it.
class start_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct user_account {
    std::string name;
    std::string password;
    /// May log in from this machine only.
    bool loopback_only = false;
};

struct tls_options {
    /// 0 is any free port.
    std::uint16_t port = 5671;
    /// PEM files; the certificate's with its whole chain.
    std::string certificate_file;
    std::string key_file;
    /// PEM; when set, clients must have a certificate that it vouches for.
    std::string client_ca_file;
};

struct server_options {
    /// The address to listen on: an IPv4 or IPv6 address.
    std::string bind = "127.0.0.1";
    /// 0 is any free port.
    std::uint16_t port = 0;
    /// Of the management HTTP API; 0 is any free port, nothing leaves it out.
    std::optional<std::uint16_t> management_port;
    /// The address that the management API listens on, as `bind`; empty: the same.
    std::string management_bind;
    /// Besides the plain port.
    std::optional<tls_options> tls;
    /// Where queues and messages are kept; made if only its last part is missing. Empty: a
    /// temporary directory that is removed by stop().
    std::string data_directory;
    /// Created when the data directory is new, as administrators with all permissions. Later on
    /// users, passwords and permissions are kept there and changed by the management API.
    std::vector<user_account> users{{"guest", "guest", true}};
    /// Get these passwords whatever the data directory says, for those who have lost theirs;
    /// created as administrators with all permissions if they are missing.
    std::vector<user_account> reset_users;
    /// Octets of messages in memory above which publishers wait; 0: 40 % of the machine's memory.
    std::uint64_t memory_octets_max = 0;
    /// Octets of messages in memory above which those that nobody is about to need go to disk; far
    /// below memory_octets_max, which is what may be in use when the disk cannot follow or clients
    /// do not acknowledge.
    std::uint64_t window_octets_max = 24ULL * 1024 * 1024;
    /// Octets of a message body.
    std::uint64_t message_octets_max = 128ULL * 1024 * 1024;
    /// Offered to clients, in seconds; 0 is none.
    std::uint16_t heartbeat_seconds = 60;
    /// What clients are told to be connected to, for those that insist: server-properties product
    /// and version. Empty: lovage and its version. As "RabbitMQ" every client gets RabbitMQ's
    /// meaning of basic.qos.
    std::string product;
    std::string product_version;
    /// How long a consumer may keep a delivery open, in milliseconds, where the queue does not say
    /// (x-consumer-timeout); then the message goes to somebody else. 0: for ever.
    std::uint64_t consumer_timeout_ms = 0;
    /// Nominal size of a file of the log, octets. Space for one more is kept in reserve. 0: from
    /// 1 MiB to 64 MiB, a small part of the file system.
    std::uint64_t log_file_octets = 0;
};

/// A running broker. The members may be called from any thread, not at the same time.
class server {
public:
    explicit server(server_options options);
    /// Calls stop().
    ~server();
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// Reads the data directory, listens and returns when clients can connect. Throws start_error.
    /// Starting a server that runs changes nothing; one that was stopped cannot be started again.
    void start();
    /// Tells all clients, syncs the log and ends. May be called twice and before start().
    void stop();

    /// Ports that were really bound; 0 for what is not listened on. Known after start().
    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] std::uint16_t tls_port() const;
    [[nodiscard]] std::uint16_t management_port() const;
    /// amqp:// address for clients on this machine, with the first user's name and password.
    [[nodiscard]] std::string url() const;

private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

}  // namespace lovage::broker
