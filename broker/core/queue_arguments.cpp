#include "broker/core/queue_arguments.hpp"

#include "broker/core/inequivalence.hpp"

#include <algorithm>
#include <array>

namespace lovage::broker {
namespace {

using amqp::field_value;

/// Ten years; RabbitMQ's bound for times.
constexpr std::int64_t time_ms_max = 315'360'000'000;

/// Known to RabbitMQ 3.10 and to its clients, not to this broker: a queue that ignored them in
/// silence would lose or reorder what its user relies on.
constexpr std::array<octets, 6> not_implemented{
    "x-max-length",
    "x-max-length-bytes",
    "x-overflow",
    "x-max-priority",
    "x-single-active-consumer",
    "x-delivery-limit"};

constexpr std::array<octets, 8> compared{
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-queue-mode",
    "x-queue-type",
    "x-queue-version",
    "x-queue-master-locator"};

class argument_reader {
public:
    argument_reader(const amqp::table& arguments, octets queue, octets vhost)
        : arguments_(arguments), queue_(queue), vhost_(vhost) {}

    fault time(octets name, std::int64_t least, std::optional<std::uint64_t>& into) const {
        const field_value* value = arguments_.find(name);
        if (value == nullptr) {
            return no_fault;
        }
        const auto number = value->integer();
        if (!number) {
            return invalid(
                name, "\"expected integer, got " + std::string(value->type_name()) + "\"");
        }
        const std::string shown = std::to_string(*number);
        if (*number < 0) {
            return invalid(name, "{value_negative," + shown + "}");
        }
        if (*number < least) {
            return invalid(name, "{value_zero,0}");
        }
        if (*number > time_ms_max) {
            return invalid(name, "{value_too_large," + shown + "}");
        }
        into = static_cast<std::uint64_t>(*number);
        return no_fault;
    }

    fault dead_letters(queue_settings& into) const {
        if (const auto* value = arguments_.find("x-dead-letter-exchange")) {
            if (!value->text()) {
                return channel_fault(
                    amqp::reply_code::precondition_failed,
                    "invalid type '" + std::string(value->type_name()) +
                        "' for arg 'x-dead-letter-exchange' in " + place());
            }
            into.dead_letter_exchange = std::string(*value->text());
        }
        const octets name = "x-dead-letter-routing-key";
        if (const auto* value = arguments_.find(name)) {
            if (!value->text()) {
                return unacceptable(name, *value);
            }
            if (!into.dead_letter_exchange) {
                return invalid(name, "routing_key_but_no_dlx_defined");
            }
            if (value->text()->size() > amqp::short_string_octets_max) {
                return invalid(name, "routing_key_too_long");
            }
            into.dead_letter_routing_key = std::string(*value->text());
        }
        return no_fault;
    }

    fault one_of(octets name, octets what, std::initializer_list<octets> allowed) const {
        const field_value* value = arguments_.find(name);
        if (value == nullptr) {
            return no_fault;
        }
        const auto text = value->text();
        if (!text) {
            return unacceptable(name, *value);
        }
        if (std::ranges::find(allowed, *text) == allowed.end()) {
            return invalid(
                name, "\"unsupported " + std::string(what) + " '" + std::string(*text) + "'\"");
        }
        return no_fault;
    }

private:
    [[nodiscard]] std::string place() const {
        return "queue '" + std::string(queue_) + "' in vhost '" + std::string(vhost_) + "'";
    }
    [[nodiscard]] fault invalid(octets name, const std::string& why) const {
        return channel_fault(
            amqp::reply_code::precondition_failed,
            "invalid arg '" + std::string(name) + "' for " + place() + ": " + why);
    }
    [[nodiscard]] fault unacceptable(octets name, const field_value& value) const {
        return invalid(name, "{unacceptable_type," + std::string(value.type_name()) + "}");
    }

    const amqp::table& arguments_;
    octets queue_;
    octets vhost_;
};

/// x-queue-type classic says nothing; every width of integer is the same.
bool same_argument(octets name, const field_value* received, const field_value* current) {
    const auto classic = [&](const field_value* value) {
        return value == nullptr || (name == "x-queue-type" && value->text() == octets{"classic"});
    };
    if (classic(received) || classic(current)) {
        return classic(received) && classic(current);
    }
    if (received->integer() && current->integer()) {
        return *received->integer() == *current->integer();
    }
    return *received == *current;
}

}  // namespace

fault read_queue_arguments(const amqp::table& arguments, octets vhost, queue_settings& into) {
    into.arguments = arguments;
    if (arguments.empty()) {
        return no_fault;
    }
    for (const octets name : not_implemented) {
        if (arguments.find(name) != nullptr) {
            return connection_fault(amqp::reply_code::not_implemented, std::string(name));
        }
    }
    const argument_reader reader{arguments, into.name, vhost};
    if (fault wrong = reader.time("x-message-ttl", 0, into.message_ttl_ms)) {
        return wrong;
    }
    if (fault wrong = reader.time("x-expires", 1, into.expires_ms)) {
        return wrong;
    }
    if (fault wrong = reader.dead_letters(into)) {
        return wrong;
    }
    if (fault wrong = reader.one_of("x-queue-mode", "queue mode", {"default", "lazy"})) {
        return wrong;
    }
    return reader.one_of("x-queue-type", "queue type", {"classic"});
}

fault compare_queue_arguments(
    const amqp::table& received,
    const queue_settings& current,
    octets vhost) {
    for (const octets name : compared) {
        const field_value* now = current.arguments.find(name);
        const field_value* wanted = received.find(name);
        if (!same_argument(name, wanted, now)) {
            return inequivalence{"queue", current.name, vhost}.arguments(name, wanted, now);
        }
    }
    return no_fault;
}

}  // namespace lovage::broker
