// verification: segments, and the messages of their pages beside what the log says of them.
#include "broker/store/verification.hpp"

#include <algorithm>
#include <utility>

namespace lovage::broker::store {
namespace {

constexpr std::uint32_t word_bits = 64;

bool has_bit(const std::vector<std::uint64_t>& words, std::uint32_t index) {
    const std::size_t word = index / word_bits;
    return word < words.size() && (words[word] >> (index % word_bits) & 1U) != 0;
}

std::string page_text(segment_number segment, const segment_page& page) {
    return segment_name(segment) + ", page " + std::to_string(page.page) + " of queue " +
           std::to_string(page.queue);
}

}  // namespace

void verification::check_segments() {
    report_.pages = found_.pages().size();
    for (const recovered_page& page : found_.pages()) {
        pages_in_[page.record.segment][page.record.id] = &page;
        report_.messages_in_pages += page.live;
        report_.octets_in_pages += page.record.body_bytes;
    }
    for (const auto& [segment, pages] : pages_in_) {
        if (!std::ranges::binary_search(content_.segments, segment)) {
            std::uint64_t messages = 0;
            for (const auto& [id, page] : pages) {
                messages += page->live;
            }
            fault(
                segment_name(segment) + " is missing: " + std::to_string(messages) +
                " messages lie there");
        }
    }
    for (const segment_number segment : content_.segments) {
        // One that no page lies in may be half written. If the log is damaged, nobody knows.
        if (pages_in_.contains(segment) || !log_whole_) {
            check_segment(segment);
        } else {
            ++report_.unused_segments;
        }
    }
}

void verification::check_segment(segment_number segment) {
    const auto needed = pages_in_.find(segment);
    std::map<page_id, const recovered_page*> pages;
    if (needed != pages_in_.end()) {
        pages = needed->second;
    }
    std::string problem;
    const auto content = read_segment_end(disk_, found_.tail().salt, segment, problem);
    if (!content) {
        fault(
            problem.empty()
                ? "cannot read " + segment_name(segment) + ": " + content.error().message()
                : problem);
    } else {
        report_.segment_octets += content->bytes;
        check_tiles(segment, *content);
        for (const segment_page& listed : content->pages) {
            const auto facts = pages.find(listed.page);
            const bool same = facts != pages.end() && facts->second->record.queue == listed.queue &&
                              facts->second->record.offset == listed.extent.offset &&
                              facts->second->record.bytes == listed.extent.bytes;
            check_page(segment, listed, same ? facts->second : nullptr);
            if (same) {
                pages.erase(facts);
            } else {
                ++report_.unused_pages;
            }
        }
    }
    for (const auto& [id, page] : pages) {
        const page_record& record = page->record;
        const segment_page expected{id, record.queue, {record.offset, record.bytes}, record.count};
        if (content) {
            fault(page_text(segment, expected) + " is not in its list of pages");
        }
        check_page(segment, expected, page);
    }
}

void verification::check_tiles(segment_number segment, const segment_content& content) {
    std::uint64_t end = header_bytes;
    for (const segment_page& each : content.pages) {
        if (each.extent.offset != end) {
            fault(page_text(segment, each) + " does not begin where the one before it ends");
        }
        end = each.extent.offset + each.extent.bytes;
    }
    if (end != content.end) {
        fault(
            segment_name(segment) + " at offset " + std::to_string(end) + ": not the end of pages");
    }
}

/// What the messages of one page are counted and compared with.
class verification::page_check {
public:
    page_check(
        verification& owner,
        std::string name,
        const segment_page& listed,
        const recovered_page* facts)
        : owner_(owner), name_(std::move(name)), listed_(listed), facts_(facts) {}

    void take(const segment_message& message, std::uint64_t offset) {
        ++count_;
        if (message.index < next_index_) {
            wrong(offset, "its messages are not in their order");
        }
        next_index_ = std::uint64_t{message.index} + 1;
        if (message.record.queues.front().queue != listed_.queue) {
            wrong(offset, "a message of another queue");
        }
        if (facts_ != nullptr && message.index >= facts_->record.count) {
            wrong(offset, "more messages than the log says");
        } else if (facts_ != nullptr && !has_bit(facts_->dead, message.index)) {
            take_living(message, offset);
        }
    }

    void finish(const page_scan& scan) {
        if (!scan.problem.empty()) {
            owner_.fault(name_ + ": " + scan.problem);
        }
        for (const octet_range& each : scan.damaged) {
            wrong(
                each.begin,
                std::to_string(each.end - each.begin) + " octets are no messages of it");
        }
        if (count_ != listed_.count && scan.damaged.empty()) {
            owner_.fault(
                name_ + ": " + std::to_string(count_) + " messages instead of " +
                std::to_string(listed_.count));
        }
        if (facts_ == nullptr) {
            return;
        }
        if (living_ != facts_->live) {
            owner_.fault(
                name_ + ": " + std::to_string(living_) + " living messages are there instead of " +
                std::to_string(facts_->live));
        } else if (blobs_ != facts_->blobs) {
            owner_.fault(name_ + ": its bodies lie in other blobs than the log says");
        } else if (bodies_ != facts_->record.body_bytes) {
            owner_.fault(
                name_ + ": its bodies have " + std::to_string(bodies_) + " octets, the log says " +
                std::to_string(facts_->record.body_bytes));
        }
    }

private:
    void take_living(const segment_message& message, std::uint64_t offset) {
        const publish_record& record = message.record;
        const page_record& page = facts_->record;
        ++living_;
        bodies_ += record.body_bytes();
        if (record.blob.blob != 0) {
            blobs_.push_back({message.index, record.blob});
        }
        owner_.ids_[page.queue].push_back(record.id);
        if (record.id < page.first_message || record.id > page.last_message) {
            wrong(offset, "its id is not within those of the page");
        }
        if (record.due_ms < page.first_due_ms || record.arrived_ms < page.oldest_ms) {
            wrong(offset, "its times are before those of the page");
        }
    }
    void wrong(std::uint64_t offset, const std::string& what) {
        owner_.fault(name_ + " at offset " + std::to_string(offset) + ": " + what);
    }

    verification& owner_;
    std::string name_;
    const segment_page& listed_;
    const recovered_page* facts_;
    std::uint64_t count_ = 0;
    std::uint64_t next_index_ = 0;
    std::uint64_t living_ = 0;
    std::uint64_t bodies_ = 0;
    std::vector<paged_blob> blobs_;
};

void verification::check_page(
    segment_number segment,
    const segment_page& listed,
    const recovered_page* facts) {
    page_check check{*this, page_text(segment, listed), listed, facts};
    const auto take = [&](const segment_message& message, std::uint64_t offset) {
        check.take(message, offset);
    };
    check.finish(scan_page(disk_, found_.tail().salt, listed, segment, take));
}

}  // namespace lovage::broker::store
