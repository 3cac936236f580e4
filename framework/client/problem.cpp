// Texts of broker_errc, and its error category.
#include <lovage/broker_error.hpp>

namespace lovage {
namespace {

// Boost's category has no virtual destructor on purpose: categories are never deleted.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class category final : public boost::system::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "lovage.broker"; }
    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<broker_errc>(value)) {
            case broker_errc::invalid_address: return "the broker's address cannot be read";
            case broker_errc::connect_failed: return "no connection to the broker";
            case broker_errc::access_denied: return "the broker denied access";
            case broker_errc::connection_lost: return "the connection to the broker was lost";
            case broker_errc::timeout: return "the broker did not answer in time";
            case broker_errc::unroutable: return "no queue wanted the message";
            case broker_errc::duplicate: return "the broker has such a message already";
            case broker_errc::not_accepted: return "the broker did not accept the message";
            case broker_errc::refused: return "the broker refused the operation";
            case broker_errc::outbox_full: return "too many messages wait to be sent";
            case broker_errc::stopped: return "stopped";
            case broker_errc::invalid_argument: return "an argument that AMQP cannot carry";
        }
        return "unknown error";
    }
};
#pragma GCC diagnostic pop

}  // namespace

const boost::system::error_category& broker_category() noexcept {
    static const category instance;
    return instance;
}

boost::system::error_code make_error_code(broker_errc code) noexcept {
    return {static_cast<int>(code), broker_category()};
}

}  // namespace lovage
