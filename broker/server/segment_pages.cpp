#include "broker/server/segment_pages.hpp"

#include "broker/store/blob.hpp"
#include "broker/store/directory.hpp"

namespace lovage::broker {
namespace {

constexpr std::size_t blob_kept_max = std::size_t{4} << 20U;

}  // namespace

segment_pages::segment_pages(store::disk& files, store::log& log, const store::recovered_tail& tail)
    : files_(files),
      salt_(tail.salt),
      log_(log),
      builder_(tail.salt, tail.next_segment),
      reader_(files, tail.salt),
      sizes_(tail.segments) {}

std::uint64_t segment_pages::open_octets() const {
    return builder_.bytes() - store::header_bytes;
}

void segment_pages::begin_page(page_id id, queue_id of) {
    open_queue_ = of;
    builder_.begin_page(id, static_cast<std::uint64_t>(of));
}

void segment_pages::add(const paged_message& what) {
    const store::queue_entry entry{
        static_cast<std::uint64_t>(open_queue_), what.delivery_count, what.redelivered};
    store::segment_message message;
    message.index = what.index;
    message.persistent = what.persistent;
    message.deaths_left = what.deaths_left;
    message.record.id = what.id;
    message.record.arrived_ms = what.published_at_ms;
    message.record.due_ms = what.due_ms;
    message.record.exchange = what.parts.exchange;
    message.record.routing_key = what.parts.routing_key;
    message.record.properties = what.parts.properties;
    message.record.body = what.parts.body;
    message.record.blob = {what.blob, what.blob != 0 ? what.body_octets : 0};
    message.record.queues = {&entry, 1};
    builder_.add(message);
}

page_place segment_pages::end_page() {
    const store::page_extent extent = builder_.end_page();
    return {builder_.number(), extent.offset, extent.bytes};
}

void segment_pages::seal(bool lasting, bool frees) {
    sealed_ = builder_.finish(builder_.number() + 1);
    sealed_->lasting = lasting;
    sealed_->frees = frees;
    sizes_[sealed_->number] = sealed_->content.size();
}

std::string segment_pages::read(
    page_id id,
    const page_place& from,
    std::uint64_t& offset,
    std::size_t octets,
    const taker& take) {
    paged_message found;
    return reader_.read(
        from.segment,
        id,
        {from.offset, from.octets},
        offset,
        octets,
        [&](const store::segment_message& message) {
            const store::publish_record& record = message.record;
            found.index = message.index;
            found.id = record.id;
            found.parts = {record.exchange, record.routing_key, record.properties, record.body};
            found.blob = record.blob.blob;
            found.body_octets = record.body_bytes();
            found.persistent = message.persistent;
            found.published_at_ms = record.arrived_ms;
            found.due_ms = record.due_ms;
            found.deaths_left = message.deaths_left;
            found.delivery_count = record.queues.front().delivery_count;
            found.redelivered = record.queues.front().redelivered;
            return take(found);
        });
}

std::uint64_t segment_pages::segment_octets(std::uint64_t segment) const {
    const auto found = sizes_.find(segment);
    return found == sizes_.end() ? 0 : found->second;
}

std::string segment_pages::read_blob(message_id blob, std::uint64_t octet_count, octets& body) {
    if (blob_.capacity() > blob_kept_max) {
        blob_.release();  // a very large one has gone
    }
    return store::read_blob(files_, salt_, {blob, octet_count}, blob_, body);
}

void segment_pages::remove(std::uint64_t segment) {
    sizes_.erase(segment);
    reader_.forget(segment);
    removals_.push_back({log_.last_lsn(), store::segment_name(segment)});
}

void segment_pages::remove_blob(message_id blob) {
    removals_.push_back({log_.last_lsn(), store::blob_name(blob)});
}

std::optional<store::built_segment> segment_pages::take_sealed() {
    return std::exchange(sealed_, std::nullopt);
}

std::vector<std::string> segment_pages::take_removable(lsn reached) {
    std::vector<std::string> gone;
    while (!removals_.empty() && removals_.front().after <= reached) {
        gone.push_back(std::move(removals_.front().name));
        removals_.pop_front();
    }
    return gone;
}

}  // namespace lovage::broker
