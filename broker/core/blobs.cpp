#include "broker/core/blobs.hpp"

#include <algorithm>
#include <cassert>

namespace lovage::broker {

void blobs::keep(const message_ptr& what, const journal& log) {
    if (what->body().size() < octets_min_ || what->blob != 0) {
        return;
    }
    assert(!has(what->id()));
    share(*what, what->id());
    store_->keep_blob(what->id(), what->body());
    unwritten_.emplace_back(log.last(), what);  // which the batch with the body reaches
}

void blobs::share(message& what, message_id blob) {
    what.blob = blob;
    hold(blob);
}

void blobs::release(message_id blob) {
    if (blob == 0) {
        return;
    }
    const auto found = holders_.find(blob);
    assert(found != holders_.end());
    if (--found->second == 0) {
        holders_.erase(found);
        store_->remove_blob(blob);
    }
}

std::string blobs::read(message_id blob, std::uint64_t octet_count, octets& body) {
    const auto found = std::ranges::find_if(
        unwritten_, [blob](const auto& each) { return each.second->blob == blob; });
    if (found != unwritten_.end()) {
        body = found->second->body();
        return {};
    }
    return store_->read_blob(blob, octet_count, body);
}

void blobs::durable(lsn reached) {
    while (!unwritten_.empty() && unwritten_.front().first <= reached) {
        unwritten_.pop_front();
    }
}

}  // namespace lovage::broker
