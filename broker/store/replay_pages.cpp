// replay: pages and what became of the messages in them.
#include "broker/store/replay.hpp"

#include <bit>

namespace lovage::broker::store {
namespace {

constexpr std::uint32_t word_bits = 64;

bool is_dead(const recovered_page& page, std::uint32_t index) {
    const std::size_t word = index / word_bits;
    return word < page.dead.size() && (page.dead[word] >> (index % word_bits) & 1U) != 0;
}

/// False if it was dead.
bool kill(recovered_page& in, std::uint32_t index) {
    const std::size_t word = index / word_bits;
    if (word >= in.dead.size()) {
        in.dead.resize(word + 1);
    }
    const std::uint64_t bit = std::uint64_t{1} << (index % word_bits);
    const bool alive = (in.dead[word] & bit) == 0;
    in.dead[word] |= bit;
    return alive;
}

}  // namespace

bool replay::paged(octets payload, const record_place& place) {
    page_content content;
    if (!read_payload(payload, content)) {
        return false;
    }
    const page_record& record = content.record;
    highest_page_ = std::max(highest_page_, record.id);
    saw(record.queue, record.last_message);
    for (const message_id moved : content.moved) {
        saw(record.queue, moved);
        settle({record.queue, moved, 0});
    }
    recovered_page found;
    found.record = record;
    found.live = record.count;
    for (const std::uint64_t word : content.dead) {
        found.live -= static_cast<std::uint32_t>(std::popcount(word));
    }
    found.dead = std::move(content.dead);
    found.returned.insert(content.returned.begin(), content.returned.end());
    found.blobs = std::move(content.blobs);
    found.where = {place.file, place.bytes};
    pages_[record.id] = std::move(found);
    return true;
}

bool replay::settle_in_page(const page_run& run) {
    highest_page_ = std::max(highest_page_, run.page);
    const auto found = pages_.find(run.page);
    if (found == pages_.end()) {
        return true;  // its record comes later, or never: then it has gone with its queue
    }
    recovered_page& page = found->second;
    if (run.first >= page.record.count || run.more >= page.record.count - run.first) {
        return false;
    }
    for (std::uint32_t index = run.first; index - run.first <= run.more; ++index) {
        if (kill(page, index)) {
            --page.live;
        }
        page.returned.erase(index);
    }
    page.record.body_bytes -= std::min(page.record.body_bytes, run.body_bytes);
    return true;
}

bool replay::page_settled(octets payload) {
    payload_reader in{payload};
    while (in.ok() && !in.at_end()) {
        const page_run run = read_page_run(in);
        if (!in.ok() || !settle_in_page(run)) {
            return false;
        }
    }
    return in.ok();
}

bool replay::page_returned(octets payload) {
    payload_reader in{payload};
    const page_id page = in.varint();
    const std::uint32_t index = in.small();
    const std::uint32_t count = in.small();
    highest_page_ = std::max(highest_page_, page);
    if (const auto found = pages_.find(page); found != pages_.end()) {
        found->second.returned[index] = count;
    }
    return in.ok() && in.at_end();
}

bool replay::page_dropped(octets payload) {
    payload_reader in{payload};
    const page_id page = in.varint();
    highest_page_ = std::max(highest_page_, page);
    pages_.erase(page);
    return in.ok() && in.at_end();
}

void replay::finish_pages() {
    for (auto& [id, page] : pages_) {
        if (page.live == 0 || page.where.file < first_needed_) {
            continue;
        }
        std::erase_if(
            page.blobs, [&](const paged_blob& each) { return is_dead(page, each.index); });
        if (queues_.contains(page.record.queue)) {
            page_list_.push_back(std::move(page));
        } else {
            homeless_[page.record.queue] += page.live;
        }
    }
    pages_.clear();
}

}  // namespace lovage::broker::store
