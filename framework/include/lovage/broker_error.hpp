// What can go wrong between a program and its broker: codes, and the exception that blocking calls
// throw and asynchronous ones pass on. Immutable; any thread.
// Errors of tasks (a task that failed, a result that does not fit) are in lovage/error.hpp.
#pragma once

#include <boost/system/error_code.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace lovage {

enum class broker_errc {
    invalid_address = 1,  ///< the broker's URL cannot be read
    connect_failed,       ///< no TCP or TLS connection, or no AMQP broker behind it
    access_denied,        ///< wrong user, password or virtual host, or no permission
    connection_lost,      ///< the connection ended before the answer came, and is not repeated
    timeout,              ///< no answer in time
    unroutable,           ///< a mandatory message that no queue wanted
    duplicate,            ///< lovage-broker has taken one with the same deduplication key lately
    not_accepted,         ///< the broker answered a publish with basic.nack
    refused,              ///< the broker did not allow it: reply_code() says why, if it did
    outbox_full,          ///< more messages wait to be sent than the limit allows
    stopped,              ///< stop() or close() was called
    invalid_argument,     ///< names, properties or arguments that AMQP cannot carry
};

[[nodiscard]] const boost::system::error_category& broker_category() noexcept;
[[nodiscard]] boost::system::error_code make_error_code(broker_errc code) noexcept;

/// what() says what was tried, where (host:port, never a password), and the broker's own text.
class broker_error : public std::runtime_error {
public:
    broker_error(broker_errc code, std::uint16_t reply_code, const std::string& text)
        : std::runtime_error(text), code_(code), reply_code_(reply_code) {}
    [[nodiscard]] broker_errc code() const noexcept { return code_; }
    /// AMQP's reply code (404 not found, 406 precondition failed, ...); 0 if the broker sent none.
    [[nodiscard]] std::uint16_t reply_code() const noexcept { return reply_code_; }

private:
    broker_errc code_;
    std::uint16_t reply_code_;
};

}  // namespace lovage

template <>
struct boost::system::is_error_code_enum<lovage::broker_errc> : std::true_type {};
