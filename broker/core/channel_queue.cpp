// Class queue on a channel, but for bindings. Rows 97 to 136 of RabbitMQ's behaviour.
#include "broker/core/connection_send.hpp"
#include "broker/core/definition_size.hpp"
#include "broker/core/direct_reply.hpp"
#include "broker/core/inequivalence.hpp"
#include "broker/core/queue_arguments.hpp"

namespace lovage::broker {
namespace {

fault locked(octets name, octets vhost) {
    return channel_fault(
        amqp::reply_code::resource_locked,
        "cannot obtain exclusive access to locked queue '" + std::string(name) + "' in vhost '" +
            std::string(vhost) +
            "'. It could be originally declared on another connection or the exclusive property "
            "value does not match that of the original declaration.");
}

std::uint32_t wire_count(std::size_t count) {
    return static_cast<std::uint32_t>(
        std::min<std::size_t>(count, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

fault channel::resolve_queue(octets name, std::string& resolved) const {
    if (name.empty() && last_queue_.empty()) {
        return channel_fault(amqp::reply_code::not_found, "no previously declared queue");
    }
    resolved = name.empty() ? last_queue_ : without_line_breaks(name);
    return no_fault;
}

fault channel::find_accessible_queue(octets name, queue*& found) const {
    found = home_.find_queue(name);
    if (found == nullptr) {
        return not_found("queue", name, home_.name());
    }
    if (found->settings().exclusive && found->owner() != owner_.id()) {
        return locked(found->name(), home_.name());
    }
    return no_fault;
}

fault channel::redeclare(queue& there, const amqp::queue::declare& in) const {
    const queue_settings& now = there.settings();
    const bool others = now.exclusive && there.owner() != owner_.id();
    if (others || (!in.passive && in.exclusive != now.exclusive)) {
        return locked(now.name, home_.name());
    }
    if (in.passive) {
        return no_fault;
    }
    const inequivalence differs{"queue", now.name, home_.name()};
    if (!now.exclusive && in.durable != now.durable) {
        return differs.flags("durable", in.durable, now.durable);
    }
    if (in.auto_delete != now.auto_delete) {
        return differs.flags("auto_delete", in.auto_delete, now.auto_delete);
    }
    return compare_queue_arguments(in.arguments, now, home_.name());
}

fault channel::check_new_queue(octets name, const amqp::table& arguments) const {
    const auto most = home_.limits.queues;
    if (most && home_.queues().size() >= *most) {
        return channel_fault(
            amqp::reply_code::precondition_failed,
            "cannot declare queue '" + std::string(name) + "': queue limit in vhost '" +
                home_.name() + "' (" + std::to_string(*most) + ") is reached");
    }
    const amqp::field_value* target = arguments.find("x-dead-letter-exchange");
    const auto dead_letters = target == nullptr ? std::nullopt : target->text();
    if (!dead_letters) {
        return no_fault;  // or of a wrong type, which is another complaint
    }
    // Who sends messages on by dying could as well have read and published them.
    if (fault refused = check_access(access_right::read, resource_kind::queue, name)) {
        return refused;
    }
    return check_access(access_right::write, resource_kind::exchange, *dead_letters);
}

fault channel::check_room(std::uint64_t definition, const std::string& what) const {
    const std::uint64_t most = engine_.definition_octets_max();
    if (engine_.definition_octets() + definition <= most) {
        return no_fault;
    }
    return channel_fault(
        amqp::reply_code::precondition_failed,
        "cannot " + what + " in vhost '" + home_.name() +
            "': queues, exchanges and bindings may take " + std::to_string(most) +
            " octets of memory (a quarter of memory-limit)");
}

fault channel::on(const amqp::queue::declare& in) {
    std::string name = without_line_breaks(in.queue);
    if (name.starts_with(reply_to_name)) {
        return declare_reply_queue(name, in.no_wait);
    }
    queue* there = home_.find_queue(name);
    const bool server_named = name.empty();
    if (in.passive) {
        if (fault refused = check_may_look(resource_kind::queue, name)) {
            return refused;
        }
    } else {
        if (there == nullptr && name.starts_with("amq.")) {
            return channel_fault(
                amqp::reply_code::access_refused,
                "queue name '" + name + "' contains reserved prefix 'amq.*'");
        }
        if (server_named) {
            name = engine_.generated_name("amq.gen-");
        }
        if (fault refused = check_access(access_right::configure, resource_kind::queue, name)) {
            return refused;
        }
    }
    if (there != nullptr) {
        if (fault differs = redeclare(*there, in)) {
            return differs;
        }
    } else if (in.passive) {
        return not_found("queue", name, home_.name());
    } else {
        if (fault refused = check_new_queue(name, in.arguments)) {
            return refused;
        }
        queue_settings settings;
        settings.name = std::move(name);
        // An exclusive queue goes with its connection, so it is never durable.
        settings.durable = in.durable && !in.exclusive;
        settings.exclusive = in.exclusive;
        settings.auto_delete = in.auto_delete;
        if (fault wrong = read_queue_arguments(in.arguments, home_.name(), settings)) {
            return wrong;
        }
        if (server_named && settings.quorum) {
            return channel_fault(
                amqp::reply_code::precondition_failed,
                "Cannot declare a server-named queue for type rabbit_quorum_queue");
        }
        if (fault full =
                check_room(definition_octets(settings), "declare queue '" + settings.name + "'")) {
            return full;
        }
        there = &home_.declare_queue(std::move(settings), owner_.id());
    }
    there->used();
    last_queue_ = there->name();
    if (!in.no_wait) {
        owner_.send_when_durable(
            number_,
            amqp::queue::declare_ok{
                there->name(),
                wire_count(there->ready_count()),
                wire_count(there->consumers().size())});
    }
    return no_fault;
}

fault channel::on(const amqp::queue::purge& in) {
    std::string name;
    if (fault wrong = resolve_queue(in.queue, name)) {
        return wrong;
    }
    if (fault refused = check_access(access_right::read, resource_kind::queue, name)) {
        return refused;
    }
    queue* there = nullptr;
    if (fault wrong = find_accessible_queue(name, there)) {
        return wrong;
    }
    const std::size_t count = there->purge();
    engine_.definition_logged();
    if (!in.no_wait) {
        owner_.send_when_durable(number_, amqp::queue::purge_ok{wire_count(count)});
    }
    return no_fault;
}

fault channel::on(const amqp::queue::delete_& in) {
    std::string name;
    if (fault unnamed = resolve_queue(in.queue, name)) {
        return unnamed;
    }
    if (fault refused = check_access(access_right::configure, resource_kind::queue, name)) {
        return refused;
    }
    queue* there = nullptr;
    fault wrong = find_accessible_queue(name, there);
    if (wrong && wrong.code == amqp::reply_code::resource_locked) {
        return wrong;
    }
    deleted_queue left;
    if (!wrong) {
        const std::string place = "queue '" + there->name() + "' in vhost '" + home_.name() + "' ";
        if (in.if_empty && there->ready_count() != 0) {
            return channel_fault(amqp::reply_code::precondition_failed, place + "not empty");
        }
        if (in.if_unused && !there->consumers().empty()) {
            return channel_fault(amqp::reply_code::precondition_failed, place + "in use");
        }
        left = engine_.delete_queue(*there);
    }
    if (!in.no_wait) {
        owner_.send_when_durable(number_, amqp::queue::delete_ok{wire_count(left.ready)});
    }
    engine_.tell(left);
    return no_fault;
}

void channel::delete_if_unused(queue& left) {
    if (left.settings().auto_delete && left.consumers().empty() && !left.deleted()) {
        engine_.delete_queue(left);
    }
}

}  // namespace lovage::broker
