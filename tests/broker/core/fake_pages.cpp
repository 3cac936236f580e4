#include "tests/broker/core/fake_pages.hpp"

#include <cstdlib>

namespace lovage::broker::test {

engine_options always_paged(engine_options options) {
    options.window_octets_max = 0;
    options.page_octets = 500;
    options.segment_octets = 4000;
    options.blob_octets_min = 24;
    options.page_visit_pause_ms = 0;
    options.page_visits_max = 10'000;
    return options;
}

bool paging_wanted() {
    return std::getenv("LOVAGE_TEST_PAGED") != nullptr;
}

void fake_pages::begin_page(page_id id, queue_id /*of*/) {
    open_page_ = id;
    page_begin_ = open_octets_;
    segments_[building_].pages[id].clear();
}

void fake_pages::add(const paged_message& what) {
    segment& into = segments_[building_];
    stored kept;
    kept.message = what;
    kept.exchange = what.parts.exchange;
    kept.routing_key = what.parts.routing_key;
    kept.properties = what.parts.properties;
    kept.body = what.parts.body;
    open_octets_ += kept.octets();
    into.octets += kept.octets();
    into.pages[open_page_].push_back(std::move(kept));
}

page_place fake_pages::end_page() {
    return {building_, page_begin_, open_octets_ - page_begin_};
}

void fake_pages::seal(bool lasting, bool /*frees*/) {
    ++segments_sealed;
    sealed_to_last = lasting;
    sealed_ = building_;
    ++building_;
    open_octets_ = 0;
}

std::string fake_pages::read(
    page_id id,
    const page_place& from,
    std::uint64_t& offset,
    std::size_t octets,
    const taker& take) {
    const auto in = segments_.find(from.segment);
    if (fails || in == segments_.end() || sealed_ == from.segment) {
        return "there is no such segment";
    }
    const auto page = in->second.pages.find(id);
    if (page == in->second.pages.end()) {
        return "there is no such page";
    }
    std::uint64_t at = 0;
    std::uint64_t read = 0;
    for (const stored& each : page->second) {
        if (at >= offset && read < octets) {
            paged_message seen = each.message;
            seen.parts = {each.exchange, each.routing_key, each.properties, each.body};
            if (!take(seen)) {
                return {};
            }
            ++messages_read;
            read += each.octets();
            offset = at + each.octets();
        }
        at += each.octets();
    }
    return {};
}

std::string fake_pages::read_blob(message_id blob, std::uint64_t octet_count, octets& body) {
    const auto found = blobs.find(blob);
    if (fails || blobs_fail || found == blobs.end() || found->second.size() != octet_count) {
        return "there is no such blob";
    }
    ++blobs_read;
    body = found->second;
    return {};
}

void fake_pages::keep_only(const std::set<std::uint64_t>& segments) {
    sealed_.reset();
    open_octets_ = 0;
    std::erase_if(segments_, [&](const auto& each) { return !segments.contains(each.first); });
    ++building_;
}

std::uint32_t fake_pages::messages_stored(page_id id) const {
    std::size_t count = 0;
    for (const auto& [number, each] : segments_) {
        if (const auto found = each.pages.find(id); found != each.pages.end()) {
            count = found->second.size();
        }
    }
    return static_cast<std::uint32_t>(count);
}

std::uint64_t fake_pages::total_octets() const {
    std::uint64_t sum = 0;
    for (const auto& [number, each] : segments_) {
        sum += each.octets;
    }
    return sum;
}

std::uint64_t fake_pages::segment_octets(std::uint64_t number) const {
    const auto found = segments_.find(number);
    return found == segments_.end() ? 0 : found->second.octets;
}

}  // namespace lovage::broker::test
