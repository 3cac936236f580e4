#include "framework/client/topology.hpp"

#include <algorithm>

namespace lovage::client {
namespace {

template <class T>
const T* as(const request& step) {
    return std::get_if<T>(&step);
}

/// Whether both declare or bind the same thing.
bool same_thing(const request& a, const request& b) {
    if (a.index() != b.index()) {
        return false;
    }
    if (const auto* queue = as<declare_queue>(a)) {
        return queue->name == as<declare_queue>(b)->name;
    }
    if (const auto* exchange = as<declare_exchange>(a)) {
        return exchange->name == as<declare_exchange>(b)->name;
    }
    if (const auto* bound = as<bind_queue>(a)) {
        const auto* other = as<bind_queue>(b);
        return bound->queue == other->queue && bound->exchange == other->exchange &&
               bound->routing_key == other->routing_key && bound->arguments == other->arguments;
    }
    if (const auto* bound = as<bind_exchange>(a)) {
        const auto* other = as<bind_exchange>(b);
        return bound->destination == other->destination && bound->source == other->source &&
               bound->routing_key == other->routing_key && bound->arguments == other->arguments;
    }
    return false;
}

bool names_queue(const request& step, std::string_view name) {
    if (const auto* queue = as<declare_queue>(step)) {
        return queue->name == name;
    }
    const auto* bound = as<bind_queue>(step);
    return bound != nullptr && bound->queue == name;
}

bool names_exchange(const request& step, std::string_view name) {
    if (const auto* exchange = as<declare_exchange>(step)) {
        return exchange->name == name;
    }
    if (const auto* bound = as<bind_queue>(step)) {
        return bound->exchange == name;
    }
    const auto* bound = as<bind_exchange>(step);
    return bound != nullptr && (bound->source == name || bound->destination == name);
}

}  // namespace

template <class Predicate>
void topology::remove(Predicate gone) {
    std::erase_if(steps_, gone);
}

void topology::replace(const request& step) {
    const auto found = std::find_if(
        steps_.begin(), steps_.end(), [&](const request& old) { return same_thing(old, step); });
    if (found == steps_.end()) {
        steps_.push_back(step);
    } else {
        *found = step;
    }
}

void topology::granted(const request& done) {
    if (const auto* queue = as<declare_queue>(done)) {
        if (!queue->passive) {
            replace(done);
        }
    } else if (const auto* exchange = as<declare_exchange>(done)) {
        if (!exchange->passive) {
            replace(done);
        }
    } else if (as<bind_queue>(done) != nullptr || as<bind_exchange>(done) != nullptr) {
        replace(done);
    } else if (const auto* queue_gone = as<delete_queue>(done)) {
        remove([&](const request& step) { return names_queue(step, queue_gone->queue); });
    } else if (const auto* exchange_gone = as<delete_exchange>(done)) {
        remove([&](const request& step) { return names_exchange(step, exchange_gone->exchange); });
    } else if (const auto* unbound = as<unbind_queue>(done)) {
        const request binding =
            bind_queue{unbound->queue, unbound->exchange, unbound->routing_key, unbound->arguments};
        remove([&](const request& step) { return same_thing(step, binding); });
    } else if (const auto* parted = as<unbind_exchange>(done)) {
        const request binding = bind_exchange{
            parted->destination, parted->source, parted->routing_key, parted->arguments};
        remove([&](const request& step) { return same_thing(step, binding); });
    }
}

std::vector<request> topology::of_queue(std::string_view queue) const {
    std::vector<request> needed;
    for (const request& step : steps_) {
        bool wanted = names_queue(step, queue);
        if (const auto* exchange = as<declare_exchange>(step)) {
            wanted = std::any_of(steps_.begin(), steps_.end(), [&](const request& other) {
                const auto* bound = as<bind_queue>(other);
                return bound != nullptr && bound->queue == queue &&
                       bound->exchange == exchange->name;
            });
        }
        if (wanted) {
            needed.push_back(step);
        }
    }
    return needed;
}

}  // namespace lovage::client
