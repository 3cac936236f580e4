// Certificates for tests, made when they are needed: an authority, and a server's for `localhost`
// signed by it. In files, because that is how programs name them.
#pragma once

#include <filesystem>
#include <string>

namespace lovage::net::test {

class certificates {
public:
    /// Writes ca.pem, server.pem and server.key into a new temporary directory.
    certificates();
    ~certificates();
    certificates(const certificates&) = delete;
    certificates& operator=(const certificates&) = delete;

    [[nodiscard]] std::string ca() const { return (directory_ / "ca.pem").string(); }
    [[nodiscard]] std::string server() const { return (directory_ / "server.pem").string(); }
    [[nodiscard]] std::string key() const { return (directory_ / "server.key").string(); }

private:
    std::filesystem::path directory_;
};

}  // namespace lovage::net::test
