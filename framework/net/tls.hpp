// TLS contexts for both sides: 1.2 and newer, certificates from PEM files. Built at start by the
// broker's listener and the client's connector; immutable afterwards, hence shared by connections.
// Does not do handshakes (stream.hpp) and does not log.
#pragma once

#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>

namespace lovage::net {

using tls_context = std::shared_ptr<boost::asio::ssl::context>;

struct tls_server_files {
    std::string certificate_file;  ///< PEM, the whole chain, the server's first
    std::string key_file;          ///< PEM
    std::string ca_file;           ///< PEM; for checking clients' certificates, may be empty
    bool verify_peer = false;      ///< ask clients for a certificate and refuse wrong ones
    bool fail_without_certificate = false;  ///< with verify_peer: refuse clients without one
};

struct tls_client_files {
    std::string ca_file;           ///< PEM; empty: the system's store
    std::string certificate_file;  ///< PEM; empty: no client certificate
    std::string key_file;          ///< PEM
    bool verify_peer = true;
};

/// Null, and in `problem` which file and what is wrong with it.
[[nodiscard]] tls_context make_server_context(const tls_server_files& files, std::string& problem);
[[nodiscard]] tls_context make_client_context(const tls_client_files& files, std::string& problem);

}  // namespace lovage::net
