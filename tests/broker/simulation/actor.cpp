#include "tests/broker/simulation/actor.hpp"

#include <algorithm>

namespace lovage::broker::simulation {
namespace {

constexpr std::size_t held_max = 40;
constexpr std::size_t consumers_max = 3;
constexpr std::uint32_t delay_max_ms = 2000;
constexpr std::size_t large_body_max = 5000;

std::string any_queue(dice& chance, std::size_t among = queue_kinds.size()) {
    return std::string(queue_kinds[chance.below(among)].name);
}

}  // namespace

void actor::log_in() {
    for (std::string& each : login_octets()) {
        handshake.push_back(std::move(each));
    }
}

void actor::open(dice& chance, std::uint16_t number) {
    channel& on = channels_[number];
    on = {};
    on.open = true;
    on.gets_without_ack = chance.percent(manners_.no_ack_percent);
    send({.what = verb::open_channel, .channel = number});
    if (chance.percent(manners_.transactions_percent)) {
        on.how = mode::transactions;
        send({.what = verb::select_tx, .channel = number});
    } else if (chance.percent(manners_.confirms_percent)) {
        on.how = mode::confirms;
        send({.what = verb::select_confirms, .channel = number});
    }
    if (chance.percent(70)) {
        action limit{.what = verb::qos, .channel = number};
        limit.prefetch = static_cast<std::uint16_t>(1 + chance.below(10));
        send(limit);
    }
}

void actor::act(dice& chance, const model& world, std::uint32_t& next_message) {
    const auto number = static_cast<std::uint16_t>(1 + chance.below(channels_max));
    channel& on = channels_[number];
    if (!on.open) {
        open(chance, number);
        return;
    }
    action what;
    what.channel = number;
    const unsigned publishes = manners_.publish_weight;
    const unsigned settles = publishes + manners_.settle_weight;
    const unsigned defines = settles + manners_.define_weight;
    auto roll = static_cast<unsigned>(chance.below(defines + 22));
    if (roll < publishes) {
        publish(chance, what, next_message);
    } else if (roll < settles) {
        settle(chance, on, what);
    } else if (roll < defines) {
        define(chance, world, what);
    } else if (roll -= defines; roll < 8) {
        consume(chance, on, what);
    } else if (roll < 14) {
        what.what = verb::get;
        what.queue = any_queue(chance);
        what.no_ack = on.gets_without_ack;
        if (world.has_queue(what.queue)) {
            send(what);
        }
    } else if (roll < 18) {
        if (on.how == mode::transactions) {
            const bool commits = chance.percent(75);
            what.what = commits ? verb::commit : verb::roll_back;
            if (!commits) {
                on.held.insert(on.held.end(), on.answered.begin(), on.answered.end());
                std::ranges::sort(on.held);
            }
            on.answered.clear();
            send(what);
        }
    } else if (roll < 19) {
        what.what = verb::recover;
        if (on.how != mode::transactions) {
            ++on.recovering;
            send(what);
        }
    } else if (roll < 20) {
        what.what = verb::look_at_queue;
        what.queue = any_queue(chance);
        send(what);
    } else if (roll < 21) {
        what.what = verb::close_channel;
        send(what);
        on = {};
    } else if (!on.consumers.empty()) {
        what.what = verb::cancel;
        what.tag = chance.pick(on.consumers);
        std::erase(on.consumers, what.tag);
        send(what);
    }
}

void actor::publish(dice& chance, action what, std::uint32_t& next_message) {
    what.what = verb::publish;
    what.message = next_message++;
    what.size =
        chance.percent(manners_.large_percent) ? chance.below(large_body_max) : chance.below(80);
    what.persistent = !chance.percent(manners_.transient_percent);
    what.mandatory = chance.percent(20);
    what.priority = static_cast<std::uint8_t>(chance.percent(50) ? chance.below(6) : 0);
    if (chance.percent(manners_.expiring_percent)) {
        what.expiration_ms = static_cast<std::uint32_t>(20 + chance.below(1500));
    }
    if (const auto roll = chance.below(10); roll < 6) {
        what.key = any_queue(chance, manners_.queues);
    } else if (roll < 7) {
        what.exchange = "fan";
    } else if (roll < 8) {
        what.exchange = "direct";
        what.key = chance.percent(50) ? "one" : "two";
    } else {
        what.exchange = "later";
        what.key = any_queue(chance, 5);
        if (chance.percent(80)) {
            what.delay_ms = static_cast<std::uint32_t>(1 + chance.below(delay_max_ms));
        }
    }
    send(what);
}

void actor::settle(dice& chance, channel& on, action what) {
    if (on.held.empty() || on.recovering != 0) {
        return;
    }
    const std::size_t index = chance.percent(60) ? 0 : chance.below(on.held.size());
    what.delivery = on.held[index];
    const auto roll = chance.below(100);
    what.what = roll < 60 ? verb::ack : roll < 80 ? verb::nack : verb::reject;
    what.requeue = what.what != verb::ack && chance.percent(manners_.requeue_percent);
    what.multiple = what.what != verb::reject && chance.percent(15);
    const auto begin = on.held.begin();
    const auto end = begin + static_cast<std::ptrdiff_t>(index) + 1;
    const auto first = what.multiple ? begin : end - 1;
    if (on.how == mode::transactions) {
        on.answered.insert(on.answered.end(), first, end);
    }
    on.held.erase(first, end);
    send(what);
}

void actor::define(dice& chance, const model& world, action what) {
    what.queue = any_queue(chance);
    if (!world.has_queue(what.queue)) {
        what.what = verb::declare_queue;
        send(what);
        return;
    }
    const auto roll = chance.below(20);
    if (roll < 2) {
        what.what = verb::declare_queue;
    } else if (roll < 4) {
        what.what = verb::delete_queue;
    } else if (roll < 6) {
        what.what = verb::purge;
    } else if (roll < 9) {
        const auto& kind = exchange_kinds[chance.below(2)];
        what.queue.clear();
        what.exchange = kind.name;
        const bool deletes = roll == 8 && world.is_bound(kind.name, "plain", kind.keys[0]);
        what.what = deletes ? verb::delete_exchange : verb::declare_exchange;
    } else {
        const auto& kind = chance.pick(exchange_kinds);
        what.what = roll < 17 ? verb::bind : verb::unbind;
        what.exchange = kind.name;
        what.key = kind.delayed ? what.queue : std::string(kind.keys[chance.below(2)]);
        if (kind.delayed && !kind_of(what.queue).takes_delayed) {
            return;
        }
    }
    send(what);
}

void actor::consume(dice& chance, channel& on, action what) {
    what.queue = any_queue(chance);
    if (on.consumers.size() >= consumers_max || on.held.size() > held_max) {
        return;
    }
    what.what = verb::consume;
    what.tag = "c" + std::to_string(number_) + "." + std::to_string(next_tag_++);
    what.no_ack = chance.percent(manners_.no_ack_percent);
    on.consumers.push_back(what.tag);
    if (what.no_ack) {
        on.without_ack.push_back(what.tag);
    }
    send(what);
}

void actor::applied(const action& what) {
    channel& on = channels_[what.channel];
    if (what.what == verb::open_channel) {
        on.live = std::ranges::none_of(unsent, [&](const action& each) {
            return each.channel == what.channel && each.what == verb::close_channel;
        });
    } else if (what.what == verb::recover) {
        --on.recovering;
        on.held.clear();
    }
}

void actor::saw(const sighting& what) {
    if (what.channel == 0 || what.channel > channels_max) {
        return;
    }
    channel& on = channels_[what.channel];
    if (!on.live) {
        // It was about to be closed anyway, and perhaps to be opened again.
        if (what.what == sight::channel_closed) {
            const auto open = std::ranges::find_if(unsent, [&](const action& each) {
                return each.channel == what.channel && each.what == verb::open_channel;
            });
            unsent.insert(open, {.what = verb::confirm_closed, .channel = what.channel});
        }
        return;
    }
    switch (what.what) {
        case sight::delivery:
            if (std::ranges::count(on.without_ack, what.consumer) != 0) {
                return;
            }
            on.held.push_back(what.tag);
            break;
        case sight::got:
            if (on.gets_without_ack) {
                return;
            }
            on.held.push_back(what.tag);
            break;
        case sight::cancelled: std::erase(on.consumers, what.consumer); return;
        case sight::channel_closed: {
            // What was to follow on this channel is not sent any more, but for what is half sent.
            const auto keep = unsent.begin() + (input_begun && handshake.empty() ? 1 : 0);
            unsent.erase(
                std::remove_if(
                    keep,
                    unsent.end(),
                    [&](const action& each) { return each.channel == what.channel; }),
                unsent.end());
            on = {};
            send({.what = verb::confirm_closed, .channel = what.channel});
            return;
        }
        default: return;
    }
    if (acknowledges && on.recovering == 0 && on.how != mode::transactions) {
        action ack{.what = verb::ack, .channel = what.channel};
        ack.delivery = what.tag;
        on.held.pop_back();
        send(ack);
    }
}

void actor::finish() {
    acknowledges = true;
    for (std::uint16_t number = 1; number <= channels_max; ++number) {
        channel& on = channels_[number];
        if (!on.open) {
            continue;
        }
        if (on.how == mode::transactions) {
            send({.what = verb::commit, .channel = number});
            send({.what = verb::close_channel, .channel = number});
            on = {};
            continue;
        }
        if (on.recovering != 0) {
            continue;
        }
        for (const std::uint64_t each : std::exchange(on.held, {})) {
            action ack{.what = verb::ack, .channel = number};
            ack.delivery = each;
            send(ack);
        }
    }
}

void actor::consume_all() {
    acknowledges = true;
    channels_[1].open = true;
    send({.what = verb::open_channel, .channel = 1});
    for (const queue_kind& each : queue_kinds) {
        action what{.what = verb::declare_queue, .channel = 1, .queue = std::string(each.name)};
        send(what);
        what.what = verb::consume;
        what.tag = "all." + what.queue;
        send(what);
    }
}

}  // namespace lovage::broker::simulation
