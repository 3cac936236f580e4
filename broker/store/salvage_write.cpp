// salvage: what was found, into the new directory.
#include "broker/store/blob.hpp"
#include "broker/store/salvage_store.hpp"

#include <algorithm>

namespace lovage::broker::store {
namespace {

constexpr std::uint32_t word_bits = 64;

bool has_bit(const std::vector<std::uint64_t>& words, std::uint32_t index) {
    const std::size_t word = index / word_bits;
    return word < words.size() && (words[word] >> (index % word_bits) & 1U) != 0;
}

std::string text_of(const std::vector<octet_range>& ranges) {
    std::string text;
    for (const octet_range& each : ranges) {
        text += text.empty() ? ": offset " : ", ";
        text += std::to_string(each.begin) + " to " + std::to_string(each.end) + " (" +
                std::to_string(each.end - each.begin) + " octets)";
    }
    return text;
}

}  // namespace

boost::system::error_code salvage::new_store::write(bool all) {
    if (!log_.has_batch() || (!all && log_.batch_bytes() < options_.batch_bytes)) {
        return {};
    }
    batch full = log_.take_batch();
    const error_code error = writer_.write(full);
    if (error) {
        problem_ = writer_.problem();
        return error;
    }
    log_.give_back(std::move(full));
    return {};
}

void salvage::new_store::add_page(const page_record& record) {
    pending_page& added = pending_.emplace_back();
    added.record = record;
    added.dead.assign(record.dead.begin(), record.dead.end());
    added.returned.assign(record.returned.begin(), record.returned.end());
}

boost::system::error_code salvage::new_store::write_segment(bool all) {
    if (builder_.bytes() < options_.segment_bytes && (!all || pending_.empty())) {
        return {};
    }
    built_segment built = builder_.finish(builder_.number() + 1);
    if (const error_code error = store::write_segment(disk_, salt_, built, problem_)) {
        return error;
    }
    for (pending_page& each : pending_) {
        each.record.dead = each.dead;
        each.record.returned = each.returned;
        log_.paged(each.record);
    }
    pending_.clear();
    return write(false);
}

boost::system::error_code salvage::write_all() {
    write_definitions();
    error_code error = new_->write(true);
    if (!error) {
        error = write_pages();
    }
    if (!error) {
        error = write_messages();
    }
    if (!error) {
        error = new_->write(true);
    }
    if (damaged_) {
        list_unknown_pages();
        list_unknown_blobs();
    }
    return error;
}

void salvage::write_definitions() {
    log& out = new_->records();
    for (const recovered_setting& each : replay_.settings()) {
        out.setting_put(each.key, each.value);
        ++report_.settings;
    }
    if (damaged_ && options_.vhost_setting) {
        write_vhosts();
    }
    for (const recovered_exchange& each : replay_.exchanges()) {
        out.exchange_declared({each.flags, each.vhost, each.name, each.type, each.arguments});
        ++report_.exchanges;
    }
    std::set<std::pair<std::string, std::string>> queues;
    for (const recovered_queue& each : replay_.queues()) {
        if (!chosen_.contains(each.id)) {
            continue;
        }
        out.queue_declared(
            {each.id, each.flags, each.delivered, each.vhost, each.name, each.arguments});
        queues.insert({each.vhost, each.name});
        ++report_.queues;
    }
    for (const recovered_binding& each : replay_.bindings()) {
        if (each.target == binding_target::queue &&
            !queues.contains({each.vhost, each.destination})) {
            lose(
                "a binding of exchange '" + each.source + "' with key '" + each.routing_key +
                "' to queue '" + each.destination + "', whose definition is lost");
            continue;
        }
        out.bound(
            {each.target,
             each.vhost,
             each.source,
             each.destination,
             each.routing_key,
             each.arguments});
        ++report_.bindings;
    }
}

void salvage::write_vhosts() {
    std::set<std::string> used;
    for (const recovered_queue& each : replay_.queues()) {
        used.insert(each.vhost);
    }
    for (const recovered_exchange& each : replay_.exchanges()) {
        used.insert(each.vhost);
    }
    for (const std::string& vhost : used) {
        const auto [key, value] = options_.vhost_setting(vhost);
        const auto same = [&](const recovered_setting& each) { return each.key == key; };
        if (std::ranges::none_of(replay_.settings(), same)) {
            new_->records().setting_put(key, value);
            lose(
                "the definition of virtual host '" + vhost +
                "': made anew, because queues or exchanges in it are there");
        }
    }
}

boost::system::error_code salvage::write_pages() {
    for (const recovered_page& page : replay_.pages()) {
        if (!chosen_.contains(page.record.queue)) {
            continue;
        }
        copy_page(page);
        if (const error_code error = new_->write_segment(false)) {
            return error;
        }
    }
    return new_->write_segment(true);
}

void salvage::copy_page(const recovered_page& page) {
    const page_record& old = page.record;
    segment_builder& out = new_->segment();
    std::vector<std::uint64_t> dead((old.count + word_bits - 1) / word_bits, ~std::uint64_t{0});
    page_record copy = old;
    copy.body_bytes = 0;
    std::uint32_t living = 0;
    std::uint64_t next_index = 0;
    out.begin_page(old.id, old.queue);
    const auto take = [&](const segment_message& message, std::uint64_t) {
        const std::uint32_t index = message.index;
        if (index >= old.count || has_bit(page.dead, index) || index < next_index) {
            return;
        }
        next_index = std::uint64_t{index} + 1;
        segment_message whole = message;
        if (!inline_body(whole.record)) {
            return;
        }
        out.add(whole);
        dead[index / word_bits] &= ~(std::uint64_t{1} << (index % word_bits));
        copy.body_bytes += whole.record.body.size();
        ++living;
        if (damaged_) {
            in_pages_[old.queue].push_back(message.record.id);
        }
    };
    const segment_page where{old.id, old.queue, {old.offset, old.bytes}, old.count};
    const page_scan scan = scan_page(from_, salt_, where, old.segment, take);
    const page_extent extent = out.end_page();
    if (living < page.live) {
        lose(
            segment_name(old.segment) + ", page " + std::to_string(old.id) + " of queue " +
            std::to_string(old.queue) + ": " + std::to_string(page.live - living) + " of " +
            std::to_string(page.live) + " messages" +
            (scan.problem.empty() ? text_of(scan.damaged) : ": " + scan.problem));
    }
    report_.messages_from_pages += living;
    if (living == 0) {
        return;
    }
    std::vector<std::pair<std::uint32_t, std::uint32_t>> returned;
    for (const auto& [index, count] : page.returned) {
        if (index < old.count && !has_bit(dead, index)) {
            returned.emplace_back(index, count);
        }
    }
    std::ranges::sort(returned);
    copy.segment = out.number();
    copy.offset = extent.offset;
    copy.bytes = extent.bytes;
    copy.dead = dead;
    copy.returned = returned;
    new_->add_page(copy);
}

boost::system::error_code salvage::write_messages() {
    for (auto& [queue, ids] : in_pages_) {
        std::ranges::sort(ids);
    }
    std::unique_ptr<log_reader> reader;
    file_number open = 0;
    std::vector<queue_entry> unused;
    std::vector<queue_entry> entries;
    for (const replay::stored_message& message : replay_.messages()) {
        entries.clear();
        for (const queue_entry& entry : replay_.entries(message)) {
            // If the record is lost that said so, what a page has is still in the log as well.
            const auto paged = in_pages_.find(entry.queue);
            if (chosen_.contains(entry.queue) &&
                (paged == in_pages_.end() ||
                 !std::ranges::binary_search(paged->second, message.id))) {
                entries.push_back(entry);
            }
        }
        if (entries.empty()) {
            continue;
        }
        if (open != message.where.file) {
            auto opened = log_reader::open(from_, message.where.file, salt_, options_.window_bytes);
            reader = opened ? std::move(*opened) : nullptr;
            open = message.where.file;
        }
        const auto found =
            reader ? reader->record_at(message.offset) : std::optional<found_record>{};
        publish_record record;
        if (!found || !*found || !read_payload((*found)->payload, record, unused)) {
            lose(
                log_name(open) + " at offset " + std::to_string(message.offset) +
                ": a message that cannot be read a second time");
            continue;
        }
        if (!inline_body(record)) {
            continue;
        }
        record.queues = entries;
        record.replaces.reset();
        new_->records().published(record);
        ++report_.messages_from_log;
        if (const error_code error = new_->write(false)) {
            return error;
        }
    }
    return {};
}

bool salvage::inline_body(publish_record& record) {
    if (record.blob.blob == 0) {
        return true;
    }
    seen_blobs_.insert(record.blob.blob);
    const std::string wrong = read_blob(from_, salt_, record.blob, blob_, record.body);
    if (!wrong.empty()) {
        lose(wrong + ": the body of message " + std::to_string(record.id));
        return false;
    }
    record.blob = {};
    return true;
}

void salvage::list_unknown_blobs() {
    for (const blob_id each : content_.blobs) {
        if (!seen_blobs_.contains(each)) {
            lose(
                blob_name(each) +
                ": a body of which the log says nothing: its message was settled, or its record "
                "is lost");
        }
    }
}

void salvage::list_unknown_pages() {
    for (const segment_number segment : content_.segments) {
        std::string problem;
        const auto content = read_segment_end(from_, salt_, segment, problem);
        if (!content) {
            lose(
                segment_name(segment) + ": what lies in it is not known" +
                (problem.empty() ? std::string() : " (" + problem + ")"));
            continue;
        }
        for (const segment_page& each : content->pages) {
            if (!seen_pages_.contains(each.page) && chosen_.contains(each.queue)) {
                lose(
                    segment_name(segment) + " at offset " + std::to_string(each.extent.offset) +
                    ", page " + std::to_string(each.page) + " of queue " +
                    std::to_string(each.queue) + ": " + std::to_string(each.count) +
                    " messages of which the log says nothing: settled, or its record is lost");
            }
        }
    }
}

}  // namespace lovage::broker::store
