#include "framework/net/tls.hpp"

#include <string_view>

namespace lovage::net {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

/// Loads one file after the other and keeps the first problem.
class loader {
public:
    loader(ssl::context::method method, std::string& problem)
        : context_(std::make_shared<ssl::context>(method)), problem_(problem) {
        context_->set_options(
            ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
            ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 | ssl::context::single_dh_use);
    }

    void certificate(const std::string& file) {
        error_code error;
        context_->use_certificate_chain_file(file, error);
        check(error, "certificate", file);
    }
    void key(const std::string& file) {
        error_code error;
        context_->use_private_key_file(file, ssl::context::pem, error);
        check(error, "key", file);
    }
    void authorities(const std::string& file) {
        error_code error;
        if (file.empty()) {
            context_->set_default_verify_paths(error);
        } else {
            context_->load_verify_file(file, error);
        }
        check(error, "certificate authorities", file.empty() ? "the system" : file);
    }
    void verify(ssl::verify_mode mode) {
        error_code error;
        context_->set_verify_mode(mode, error);
        check(error, "verification", "the context");
    }
    tls_context take() { return failed_ ? nullptr : std::move(context_); }

private:
    void check(error_code error, std::string_view what, const std::string& where) {
        if (error && !failed_) {
            failed_ = true;
            problem_ = "TLS " + std::string(what) + " from " + where + ": " + error.message();
        }
    }

    tls_context context_;
    std::string& problem_;
    bool failed_ = false;
};

}  // namespace

tls_context make_server_context(const tls_server_files& files, std::string& problem) {
    loader load(ssl::context::tls_server, problem);
    load.certificate(files.certificate_file);
    load.key(files.key_file);
    if (files.verify_peer) {
        load.authorities(files.ca_file);
        load.verify(
            files.fail_without_certificate ? ssl::verify_peer | ssl::verify_fail_if_no_peer_cert
                                           : ssl::verify_peer);
    }
    return load.take();
}

tls_context make_client_context(const tls_client_files& files, std::string& problem) {
    loader load(ssl::context::tls_client, problem);
    if (files.verify_peer) {
        load.authorities(files.ca_file);
    }
    load.verify(files.verify_peer ? ssl::verify_peer : ssl::verify_none);
    if (!files.certificate_file.empty()) {
        load.certificate(files.certificate_file);
        load.key(files.key_file.empty() ? files.certificate_file : files.key_file);
    }
    return load.take();
}

}  // namespace lovage::net
