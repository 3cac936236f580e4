#include "workers/core/finished.hpp"

#include <utility>

namespace lovage::workers {

std::string publication_key(const envelope& head) {
    std::string key = head.id;
    key += '/';
    key += std::to_string(head.retries);
    if (head.eta.has_value()) {
        key += '/';
        key += std::to_string(head.eta->time_since_epoch().count());
    }
    return key;
}

void finished_tasks::add(const std::string& key, sent_result result) {
    const std::size_t octets = key.size() + result.octets();
    if (octets > octets_max_) {
        forget(key);
        return;
    }
    const auto [place, fresh] = results_.try_emplace(key);
    if (fresh) {
        order_.push_back(key);
    } else {
        octets_ -= key.size() + place->second.result.octets();
    }
    place->second = {std::move(result), true};
    octets_ += octets;
    while (results_.size() > tasks_max_ || octets_ > octets_max_) {
        drop_oldest();
    }
}

void finished_tasks::forget(const std::string& key) {
    if (const auto found = results_.find(key); found != results_.end()) {
        octets_ -= found->second.result.octets();
        found->second = {};
    }
}

const sent_result* finished_tasks::find(const std::string& key) const {
    const auto found = results_.find(key);
    return found == results_.end() || !found->second.known ? nullptr : &found->second.result;
}

void finished_tasks::drop_oldest() {
    const std::string key = order_.pop_front();
    const auto found = results_.find(key);
    octets_ -= key.size() + found->second.result.octets();
    results_.erase(found);
}

}  // namespace lovage::workers
