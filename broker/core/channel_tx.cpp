// Class tx on a channel. Rows 199 to 205 of RabbitMQ's behaviour. What is committed goes to the
// journal in one event, that is in one batch of the log.
#include "broker/core/connection_send.hpp"
#include "broker/core/transaction.hpp"

namespace lovage::broker {
namespace {

fault not_transactional() {
    return channel_fault(amqp::reply_code::precondition_failed, "channel is not transactional");
}

}  // namespace

held_publish::held_publish(const publication& what, bool is_mandatory)
    : exchange(what.parts.exchange),
      routing_key(what.parts.routing_key),
      properties(what.parts.properties),
      body(what.parts.body),
      copies(what.copies.begin(), what.copies.end()),
      mandatory(is_mandatory),
      persistent(what.persistent),
      priority(what.priority),
      expiration_ms(what.expiration_ms),
      complete_properties(what.complete_properties) {}

publication held_publish::as_publication(std::uint64_t now_ms) const {
    publication what;
    what.parts = {exchange, routing_key, properties, body};
    what.copies = copies;
    what.persistent = persistent;
    what.priority = priority;
    what.published_at_ms = now_ms;
    what.expiration_ms = expiration_ms;
    what.complete_properties = complete_properties;
    what.deduplicate = true;
    return what;
}

std::size_t held_publish::footprint() const {
    std::size_t size = sizeof(held_publish) + exchange.size() + routing_key.size() +
                       properties.size() + body.size() + complete_properties.size();
    for (const std::string& key : copies) {
        size += sizeof(std::string) + key.size();
    }
    return size;
}

fault channel::on(const amqp::tx::select&) {
    if (confirming_) {
        return channel_fault(
            amqp::reply_code::precondition_failed, "cannot switch from confirm to tx mode");
    }
    if (!transaction_) {
        transaction_ = std::make_unique<transaction>();
    }
    send(amqp::tx::select_ok{});
    return no_fault;
}

fault channel::hold(const publication& what) {
    const held_publish& held = transaction_->publishes.emplace_back(what, publish_mandatory_);
    const std::size_t size = held.footprint();
    transaction_->octets_held += size;
    transaction_->rights = engine_.access().generation();
    engine_.memory_account() += size;
    engine_.transactions_account() += size;
    const auto& options = engine_.options();
    if (transaction_->octets_held > options.transaction_octets_max ||
        engine_.transactions_account() + engine_.definition_octets() >
            options.memory_octets_max / 2) {
        return connection_fault(amqp::reply_code::resource_error, "the transaction holds too much");
    }
    return no_fault;
}

transaction channel::take_held() {
    transaction held = std::exchange(*transaction_, {});
    engine_.memory_account() -= held.octets_held;
    engine_.transactions_account() -= held.octets_held;
    for (const held_settlement& each : held.settlements) {
        unacked_delivery& answered = unacked_[place_of(each.tag)];
        answered.held = false;
        if (answered.late_at != 0) {
            earliest_late_ = engine_.coarse_now();  // it may have become late meanwhile
        }
    }
    return held;
}

/// What has been granted may have been taken back since.
fault channel::check_again(const transaction& held) {
    if (held.rights == engine_.access().generation()) {
        return no_fault;
    }
    for (const held_publish& each : held.publishes) {
        publish_exchange_ = each.exchange;
        if (fault refused = check_publish()) {
            return refused;
        }
        if (fault refused =
                check_published_topic(home_.find_exchange(each.exchange), each.routing_key)) {
            return refused;
        }
    }
    return no_fault;
}

fault channel::on(const amqp::tx::commit&) {
    if (!transaction_) {
        return not_transactional();
    }
    const transaction held = take_held();
    if (fault refused = check_again(held)) {
        return refused;
    }
    bool logged = !held.settlements.empty();
    bool refused = false;
    for (const held_publish& each : held.publishes) {
        const publication what = each.as_publication(engine_.wall_ms());
        exchange* through = home_.find_exchange(each.exchange);
        publish_outcome outcome;
        if (through != nullptr || each.exchange.empty()) {
            outcome = home_.publish(through, what);
        }
        if (each.mandatory) {
            answer_mandatory(what.parts, outcome);
        }
        logged = logged || outcome.logged;
        refused = refused || outcome.refused;
    }
    for (const held_settlement& each : held.settlements) {
        settle_one(find_unacked(each.tag), each.how);
    }
    trim_unacked();
    consumers_ready();
    if (refused) {
        return channel_fault(amqp::reply_code::precondition_failed, "partial tx completion");
    }
    if (logged) {
        engine_.definition_logged();  // commit-ok promises that all of it is on disk
    }
    owner_.send_when_durable(number_, amqp::tx::commit_ok{});
    return no_fault;
}

fault channel::on(const amqp::tx::rollback&) {
    if (!transaction_) {
        return not_transactional();
    }
    take_held();
    send(amqp::tx::rollback_ok{});
    return no_fault;
}

}  // namespace lovage::broker
