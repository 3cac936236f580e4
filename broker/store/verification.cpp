#include "broker/store/verification.hpp"

#include "broker/store/blob.hpp"
#include "broker/store/log_scan.hpp"

#include <algorithm>

namespace lovage::broker::store {
namespace {

/// More are counted, not listed.
constexpr std::size_t faults_listed_max = 1000;
/// A kind of setting is a short word; what is none is counted under one name.
constexpr std::size_t kind_octets_max = 32;
constexpr const char* other_kind = "other";

recovery_options read_only_options() {
    recovery_options options;
    options.read_only = true;
    return options;
}

std::string kind_of(const std::string& key) {
    const std::size_t end = key.find('\0');
    const std::string kind = key.substr(0, end);
    const bool word = end != std::string::npos && !kind.empty() && kind.size() <= kind_octets_max &&
                      std::ranges::all_of(kind, [](char c) { return c > ' ' && c <= '~'; });
    return word ? kind : other_kind;
}

}  // namespace

verification::verification(disk& files) : disk_(files), found_(files, read_only_options()) {}

boost::system::error_code verification::run(std::string& problem) {
    if (const error_code error = look(problem)) {
        return error;
    }
    if (log_whole_) {
        check_log();
    } else {
        list_damage();
    }
    if (found_.has_marker()) {
        check_segments();
    }
    if (log_whole_) {
        check_blobs();
    }
    check_twice();
    return {};
}

boost::system::error_code verification::look(std::string& problem) {
    const error_code error = found_.run(problem);
    if (error && error != errc::damaged) {
        return error;
    }
    const auto names = disk_.list();
    if (!names) {
        problem = "cannot list the data directory: " + names.error().message();
        return names.error();
    }
    content_ = classify(*names);
    report_.log_files = content_.logs.size();
    report_.spares = content_.spares.size();
    report_.segments = content_.segments.size();
    if (error) {
        fault(problem);
    }
    log_whole_ = !error;
    return {};
}

void verification::list_damage() {
    const std::uint64_t salt = found_.tail().salt;
    if (!found_.has_marker()) {
        return;  // without the marker no checksum can be told
    }
    std::string problem;
    const auto scan =
        scan_logs(disk_, content_.logs, salt, recovery_options{}.window_bytes, problem);
    if (!scan) {
        fault(problem);
        return;
    }
    for (const log_damage& each : scan->damaged) {
        fault(describe(each));
    }
    report_.log_records = scan->records.size();
    report_.torn = scan->torn;
}

void verification::check_log() {
    report_.log_records = found_.counters().records;
    report_.log_octets = found_.counters().bytes;
    report_.torn = found_.counters().torn;
    report_.reclaimed_files = static_cast<std::uint64_t>(std::ranges::count_if(
        content_.logs, [this](file_number file) { return file < found_.first_needed(); }));
    check_end();
    check_definitions();
    check_messages();
}

void verification::check_end() {
    const recovered_tail& tail = found_.tail();
    if (tail.files.empty()) {
        return;
    }
    const file_number last = tail.files.back().file;
    report_.log_end = log_name(last) + " at offset " + std::to_string(tail.offset);
    const auto reader = log_reader::open(disk_, last, tail.salt, recovery_options{}.window_bytes);
    if (!reader) {
        fault("cannot open " + log_name(last) + ": " + reader.error().message());
        return;
    }
    // A file is begun by a batch: none of it in there is a batch that was cut.
    report_.torn = report_.torn || content_.logs.back() > last ||
                   ends_cut(**reader, tail.offset, tail.previous);
}

void verification::check_definitions() {
    using names = std::pair<std::string, std::string>;
    std::map<names, queue_id> queues;
    std::map<names, queue_id> lines;
    for (const recovered_queue& each : found_.queues()) {
        const bool line = (each.flags & entity_delay_line) != 0;
        ++(line ? report_.delay_lines : report_.queues);
        const auto [same, added] =
            (line ? lines : queues)
                .try_emplace({each.vhost, line ? each.arguments : each.name}, each.id);
        if (!added) {
            fault(
                log_name(each.where.file) + ": queue " + std::to_string(each.id) +
                " has the name of queue " + std::to_string(same->second));
        }
    }
    report_.exchanges = found_.exchanges().size();
    report_.bindings = found_.bindings().size();
    for (const recovered_binding& each : found_.bindings()) {
        if (each.target == binding_target::queue &&
            !queues.contains({each.vhost, each.destination})) {
            fault(
                log_name(each.where.file) + ": a binding of exchange '" + each.source +
                "' leads to queue '" + each.destination + "', which is not there");
        }
    }
    for (const recovered_setting& each : found_.settings()) {
        ++report_.settings[kind_of(each.key)];
    }
}

void verification::check_messages() {
    std::string problem;
    const auto take = [this](const recovered_message& each) {
        ++report_.messages_in_log;
        report_.octets_in_log += each.record.body_bytes();
        for (const queue_entry& entry : each.record.queues) {
            ids_[entry.queue].push_back(each.record.id);
        }
    };
    if (found_.for_each_message(take, problem)) {
        fault(problem);
    }
}

void verification::check_blobs() {
    byte_buffer content;
    octets body;
    for (const auto& [blob, bytes] : found_.tail().blobs) {
        ++report_.blobs;
        report_.blob_octets += bytes;
        const bool there = std::ranges::binary_search(content_.blobs, blob);
        std::string wrong = there
                                ? read_blob(disk_, found_.tail().salt, {blob, bytes}, content, body)
                                : blob_name(blob) + " is missing: the body of a message lies there";
        if (!wrong.empty()) {
            fault(std::move(wrong));
        }
    }
    report_.unused_blobs = static_cast<std::uint64_t>(std::ranges::count_if(
        content_.blobs, [this](blob_id each) { return !found_.tail().blobs.contains(each); }));
}

void verification::check_twice() {
    for (auto& [queue, ids] : ids_) {
        std::ranges::sort(ids);
        for (auto same = std::ranges::adjacent_find(ids); same != ids.end();
             same = std::adjacent_find(same + 1, ids.end())) {
            fault(
                "message " + std::to_string(*same) + " is twice in queue " + std::to_string(queue));
        }
    }
}

void verification::fault(std::string text) {
    ++report_.fault_count;
    if (report_.faults.size() < faults_listed_max) {
        report_.faults.push_back(std::move(text));
    }
}

}  // namespace lovage::broker::store
