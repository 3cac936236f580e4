#include "broker/core/queue_arguments.hpp"

#include "broker/core/inequivalence.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <span>

namespace lovage::broker {
namespace {

using amqp::field_value;

/// Ten years; RabbitMQ's bound for times.
constexpr std::int64_t time_ms_max = 315'360'000'000;

constexpr std::int64_t no_bound = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t priority_bound = 255;

/// Of queues with x-message-deduplication that say nothing else: ten minutes is longer than
/// publishers try again, and a hundred thousand keys take some tens of megabytes at most.
constexpr dedup_limits queue_dedup_limits{100'000, 600'000};

/// Other types of queue have these: RabbitMQ refuses them where they would do nothing.
constexpr std::array<octets, 2> unknown_to_classic{"x-max-age", "x-queue-leader-locator"};
constexpr std::array<octets, 4> unknown_to_quorum{
    "x-max-priority",
    "x-queue-mode",
    "x-queue-version",
    "x-max-age"};

constexpr std::array<octets, 16> compared{
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-max-length-bytes",
    "x-overflow",
    "x-max-priority",
    "x-single-active-consumer",
    "x-queue-mode",
    "x-queue-type",
    "x-queue-version",
    "x-queue-master-locator",
    "x-message-deduplication",
    "x-cache-size",
    "x-cache-ttl"};

class argument_reader {
public:
    argument_reader(const amqp::table& arguments, octets queue, octets vhost)
        : arguments_(arguments), queue_(queue), vhost_(vhost) {}

    fault time(octets name, std::int64_t least, std::optional<std::uint64_t>& into) const {
        return number(name, {least, time_ms_max, "value_too_large"}, into);
    }
    fault length(octets name, std::optional<std::uint64_t>& into) const {
        return number(name, {0, no_bound, {}}, into);
    }
    fault priority(std::uint8_t& into) const {
        std::optional<std::uint64_t> read;
        const bounds allowed{0, priority_bound, "max_value_exceeded"};
        if (fault wrong = number("x-max-priority", allowed, read)) {
            return wrong;
        }
        into = static_cast<std::uint8_t>(read.value_or(0));
        return no_fault;
    }

    fault overflow(std::optional<overflow_mode>& into) const {
        constexpr octets name = "x-overflow";
        // In the order of the enumerators.
        constexpr std::array<octets, 3> modes{"drop-head", "reject-publish", "reject-publish-dlx"};
        const field_value* value = arguments_.find(name);
        if (value == nullptr) {
            return no_fault;
        }
        if (!value->text()) {
            return unacceptable(name, *value);
        }
        const auto known = std::ranges::find(modes, *value->text());
        if (known == modes.end()) {
            return invalid(name, "invalid_overflow");
        }
        into = static_cast<overflow_mode>(known - modes.begin());
        return no_fault;
    }

    fault flag(octets name, bool& into) const {
        const field_value* value = arguments_.find(name);
        if (value == nullptr) {
            return no_fault;
        }
        if (value->as<bool>() == nullptr) {
            return unacceptable(name, *value);
        }
        into = *value->as<bool>();
        return no_fault;
    }

    /// Quorum queues are durable queues with a delivery limit; they know less than others.
    fault type(queue_settings& into) const {
        const field_value* named = arguments_.find("x-queue-type");
        into.quorum = named != nullptr && named->text() == octets{"quorum"};
        const std::span<const octets> unknown =
            into.quorum ? std::span<const octets>{unknown_to_quorum} : unknown_to_classic;
        for (const octets name : unknown) {
            if (arguments_.find(name) != nullptr) {
                return refused(
                    "invalid arg '" + std::string(name) + "' for " + place() + " of queue type " +
                    (into.quorum ? "rabbit_quorum_queue" : "rabbit_classic_queue"));
            }
        }
        if (!into.quorum) {
            return no_fault;
        }
        if (into.auto_delete) {
            return refused("invalid property 'auto-delete' for " + place());
        }
        if (into.exclusive) {
            return refused("invalid property 'exclusive-owner' for " + place());
        }
        return into.durable ? no_fault : refused("invalid property 'non-durable' for " + place());
    }

    fault dead_letters(queue_settings& into) const {
        if (const auto* value = arguments_.find("x-dead-letter-exchange")) {
            if (!value->text()) {
                return channel_fault(
                    amqp::reply_code::precondition_failed,
                    "invalid type '" + std::string(value->type_name()) +
                        "' for arg 'x-dead-letter-exchange' in " + place());
            }
            into.declared.dead_letter_exchange = std::string(*value->text());
        }
        const octets name = "x-dead-letter-routing-key";
        if (const auto* value = arguments_.find(name)) {
            if (!value->text()) {
                return unacceptable(name, *value);
            }
            if (!into.declared.dead_letter_exchange) {
                return invalid(name, "routing_key_but_no_dlx_defined");
            }
            if (value->text()->size() > amqp::short_string_octets_max) {
                return invalid(name, "routing_key_too_long");
            }
            into.declared.dead_letter_routing_key = std::string(*value->text());
        }
        return no_fault;
    }

    fault deduplication(queue_settings& into) const {
        bool wanted = false;
        if (fault wrong = flag("x-message-deduplication", wanted); wrong || !wanted) {
            return wrong;
        }
        into.deduplication = queue_dedup_limits;
        return read_dedup_limits(arguments_, place(), *into.deduplication);
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
    struct bounds {
        std::int64_t least = 0;
        std::int64_t most = 0;
        octets beyond;  ///< RabbitMQ's name for what is above
    };
    fault number(octets name, const bounds& allowed, std::optional<std::uint64_t>& into) const {
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
        if (*number < allowed.least) {
            return invalid(name, "{value_zero,0}");
        }
        if (*number > allowed.most) {
            return invalid(name, "{" + std::string(allowed.beyond) + "," + shown + "}");
        }
        into = static_cast<std::uint64_t>(*number);
        return no_fault;
    }

    [[nodiscard]] static fault refused(std::string text) {
        return channel_fault(amqp::reply_code::precondition_failed, std::move(text));
    }
    [[nodiscard]] std::string place() const {
        return "queue '" + std::string(queue_) + "' in vhost '" + std::string(vhost_) + "'";
    }
    [[nodiscard]] fault invalid(octets name, const std::string& why) const {
        return refused("invalid arg '" + std::string(name) + "' for " + place() + ": " + why);
    }
    [[nodiscard]] fault unacceptable(octets name, const field_value& value) const {
        return invalid(name, "{unacceptable_type," + std::string(value.type_name()) + "}");
    }

    const amqp::table& arguments_;
    octets queue_;
    octets vhost_;
};

fault read_limits(const argument_reader& reader, queue_settings& into) {
    if (fault wrong = reader.length("x-max-length", into.declared.length_max)) {
        return wrong;
    }
    if (fault wrong = reader.length("x-max-length-bytes", into.declared.length_octets_max)) {
        return wrong;
    }
    if (fault wrong = reader.overflow(into.declared.overflow)) {
        return wrong;
    }
    if (fault wrong = reader.priority(into.priority_max)) {
        return wrong;
    }
    if (fault wrong = reader.flag("x-single-active-consumer", into.single_active_consumer)) {
        return wrong;
    }
    if (fault wrong = reader.time("x-consumer-timeout", 1, into.declared.consumer_timeout_ms)) {
        return wrong;
    }
    if (fault wrong = reader.deduplication(into)) {
        return wrong;
    }
    return reader.length("x-delivery-limit", into.declared.delivery_limit);
}

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
    const argument_reader reader{arguments, into.name, vhost};
    if (fault wrong = reader.time("x-message-ttl", 0, into.declared.message_ttl_ms)) {
        return wrong;
    }
    if (fault wrong = reader.time("x-expires", 1, into.declared.expires_ms)) {
        return wrong;
    }
    if (fault wrong = reader.dead_letters(into)) {
        return wrong;
    }
    if (fault wrong = reader.one_of("x-queue-mode", "queue mode", {"default", "lazy"})) {
        return wrong;
    }
    if (fault wrong = reader.one_of("x-queue-type", "queue type", {"classic", "quorum"})) {
        return wrong;
    }
    if (fault wrong = read_limits(reader, into)) {
        return wrong;
    }
    return reader.type(into);
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
