// What the channel's user may do, asked before anything is looked up: who may not know whether a
// thing is there is not told. Rows 247 to 254 of RabbitMQ's behaviour.
#include "broker/core/connection_send.hpp"
#include "broker/core/inequivalence.hpp"

#include <algorithm>
#include <array>

namespace lovage::broker {

fault channel::access_refused(resource_kind kind, octets resource) const {
    return channel_fault(
        amqp::reply_code::access_refused,
        "access to " + std::string(kind == resource_kind::queue ? "queue" : "exchange") + " '" +
            std::string(resource) + "' in vhost '" + home_.name() + "' refused for user '" +
            owner_.user_name() + "'");
}

fault channel::check_access(access_right right, resource_kind kind, octets name) const {
    const bool default_exchange = name.empty() && kind == resource_kind::exchange;
    const octets resource = default_exchange ? default_exchange_resource : name;
    return engine_.access().may(owner_.user_name(), home_.name(), right, resource)
               ? no_fault
               : access_refused(kind, resource);
}

fault channel::check_may_look(resource_kind kind, octets name) const {
    constexpr std::array any{access_right::configure, access_right::write, access_right::read};
    const bool may = std::ranges::any_of(any, [&](access_right right) {
        return engine_.access().may(owner_.user_name(), home_.name(), right, name);
    });
    return may ? no_fault : access_refused(kind, name);
}

fault channel::topic_refused(octets exchange_name, octets key) const {
    return channel_fault(
        amqp::reply_code::access_refused,
        "access to topic '" + std::string(key) + "' in exchange '" + std::string(exchange_name) +
            "' in vhost '" + home_.name() + "' refused for user '" + owner_.user_name() + "'");
}

fault channel::check_bound_topic(octets source_name, octets key) const {
    const exchange* source = home_.find_exchange(source_name);
    if (source == nullptr || source->settings().type != exchange_type::topic) {
        return no_fault;
    }
    const topic_permission* topics =
        engine_.access().find_topics(owner_.user_name(), home_.name(), source_name);
    return topics == nullptr || topics->read.matches(key) ? no_fault
                                                          : topic_refused(source_name, key);
}

fault channel::check_binding(
    resource_kind target,
    octets target_name,
    octets source_name,
    octets key) const {
    if (fault refused = check_access(access_right::write, target, target_name)) {
        return refused;
    }
    if (source_name.empty() || (target_name.empty() && target == resource_kind::exchange)) {
        return default_exchange_fault();
    }
    if (fault refused = check_access(access_right::read, resource_kind::exchange, source_name)) {
        return refused;
    }
    return check_bound_topic(source_name, key);
}

fault channel::check_publish() {
    const std::uint64_t generation = engine_.access().generation();
    if (gate_.generation == generation && gate_.exchange == publish_exchange_) {
        return no_fault;
    }
    if (fault refused =
            check_access(access_right::write, resource_kind::exchange, publish_exchange_)) {
        return refused;
    }
    gate_.exchange = publish_exchange_;
    gate_.generation = generation;
    gate_.topics =
        engine_.access().find_topics(owner_.user_name(), home_.name(), publish_exchange_);
    return no_fault;
}

fault channel::check_published_topic(const exchange* through, octets key) const {
    const bool free = gate_.topics == nullptr || through == nullptr ||
                      through->settings().type != exchange_type::topic;
    return free || gate_.topics->write.matches(key) ? no_fault
                                                    : topic_refused(publish_exchange_, key);
}

void channel::end_unreadable_consumers() {
    std::vector<consumer*> unreadable;
    std::vector<std::string> tags;
    for (const auto& [tag, taker] : consumers_) {
        const std::string& name = taker->source->name();
        if (!engine_.access().may(owner_.user_name(), home_.name(), access_right::read, name)) {
            unreadable.push_back(taker.get());
            tags.push_back(tag);
        }
    }
    cancel_consumers(unreadable);
    for (const std::string& tag : tags) {
        tell_cancelled(tag);
    }
}

}  // namespace lovage::broker
