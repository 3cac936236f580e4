#include "tests/framework/net/certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <stdlib.h>

namespace lovage::net::test {
namespace {

using key_ptr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using certificate_ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using file_ptr = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

constexpr long valid_seconds = 24L * 3600;

key_ptr new_key() {
    return {EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), &EVP_PKEY_free};
}

void add_extension(X509* to, X509* issuer, int id, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value);
    X509_add_ext(to, extension, -1);
    X509_EXTENSION_free(extension);
}

certificate_ptr new_certificate(const char* name, EVP_PKEY* key, X509* issuer, EVP_PKEY* signer) {
    certificate_ptr made{X509_new(), &X509_free};
    X509_set_version(made.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), issuer == nullptr ? 1 : 2);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), valid_seconds);
    X509_set_pubkey(made.get(), key);
    X509_NAME* subject = X509_get_subject_name(made.get());
    X509_NAME_add_entry_by_txt(
        subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    X509* signed_by = issuer == nullptr ? made.get() : issuer;
    X509_set_issuer_name(made.get(), X509_get_subject_name(signed_by));
    if (issuer == nullptr) {
        add_extension(made.get(), signed_by, NID_basic_constraints, "critical,CA:TRUE");
    } else {
        add_extension(made.get(), signed_by, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    }
    if (X509_sign(made.get(), signer, EVP_sha256()) == 0) {
        throw std::runtime_error("a certificate cannot be signed");
    }
    return made;
}

file_ptr open_file(const std::filesystem::path& path) {
    file_ptr file{std::fopen(path.c_str(), "w"), &std::fclose};
    if (file == nullptr) {
        throw std::runtime_error("a certificate cannot be written");
    }
    return file;
}

}  // namespace

certificates::certificates() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "lovage-certificates-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
        throw std::runtime_error("no temporary directory");
    }
    directory_ = pattern;
    const key_ptr ca_key = new_key();
    const certificate_ptr ca_certificate =
        new_certificate("Test CA", ca_key.get(), nullptr, ca_key.get());
    const key_ptr server_key = new_key();
    const certificate_ptr server_certificate =
        new_certificate("localhost", server_key.get(), ca_certificate.get(), ca_key.get());
    PEM_write_X509(open_file(ca()).get(), ca_certificate.get());
    PEM_write_X509(open_file(server()).get(), server_certificate.get());
    PEM_write_PrivateKey(
        open_file(key()).get(), server_key.get(), nullptr, nullptr, 0, nullptr, nullptr);
}

certificates::~certificates() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

}  // namespace lovage::net::test
