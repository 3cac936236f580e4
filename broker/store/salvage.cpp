#include "broker/store/salvage.hpp"

#include "broker/store/recovery.hpp"
#include "broker/store/salvage_store.hpp"

#include <algorithm>

namespace lovage::broker::store {
namespace {

/// More are counted, not listed.
constexpr std::size_t lost_listed_max = 1000;

}  // namespace

salvage::salvage(disk& from, disk& into, salvage_options options)
    : from_(from), into_(into), options_(std::move(options)) {}
salvage::~salvage() = default;

boost::system::error_code salvage::run(std::string& problem) {
    error_code error = look(problem);
    if (!error) {
        error = begin_new(problem);
    }
    if (!error) {
        error = read_logs(problem);
    }
    if (error) {
        return error;
    }
    choose_queues();
    list_homeless();
    error = write_all();
    if (error) {
        problem = "the new directory: " + new_->problem();
    }
    return error;
}

boost::system::error_code salvage::look(std::string& problem) {
    const auto claimed = look_at_directory(from_, problem);
    if (!claimed && claimed.error() != errc::damaged) {
        return claimed.error();
    }
    const auto names = from_.list();
    if (!names) {
        problem = "cannot list the data directory: " + names.error().message();
        return names.error();
    }
    content_ = classify(*names);
    if (claimed) {
        salt_ = claimed->salt;
        return {};
    }
    report_.notes.push_back(problem + "; the new directory has its own");
    return salt_of_logs(problem);
}

boost::system::error_code salvage::salt_of_logs(std::string& problem) {
    // Each log file has it in its header.
    for (const file_number file : content_.logs) {
        const auto opened = from_.open(log_name(file), disk::open_mode::existing);
        if (!opened) {
            continue;
        }
        std::array<char, header_bytes> block{};
        const auto got = from_.read(*opened, 0, block.data(), block.size());
        from_.close(*opened);
        file_header header;
        if (got && *got == block.size() && get_file_header(block.data(), header) &&
            header.number == file) {
            salt_ = header.salt;
            return {};
        }
    }
    problem += ", and no log file has a header that could stand in for it";
    return errc::damaged;
}

boost::system::error_code salvage::begin_new(std::string& problem) {
    const auto names = into_.list();
    if (!names) {
        problem = "the new directory: " + names.error().message();
        return names.error();
    }
    for (const std::string& name : *names) {
        if (name != "lost+found") {
            problem = "the new directory is not empty: it holds " + name;
            return errc::foreign_directory;
        }
    }
    recovery fresh{into_, {options_.new_salt, options_.window_bytes}};
    if (const error_code error = fresh.run(problem)) {
        problem = "the new directory: " + problem;
        return error;
    }
    new_ = std::make_unique<new_store>(into_, options_, fresh.tail());
    return {};
}

boost::system::error_code salvage::read_logs(std::string& problem) {
    const auto scan = scan_logs(from_, content_.logs, salt_, options_.window_bytes, problem);
    if (!scan) {
        return scan.error();
    }
    apply_records(scan->records);
    replay_.finish();
    list_damage(*scan);
    return {};
}

void salvage::apply_records(const std::vector<scanned_record>& records) {
    std::unique_ptr<log_reader> reader;
    file_number open = 0;
    for (const scanned_record& each : records) {
        if (open != each.file) {
            auto opened = log_reader::open(from_, each.file, salt_, options_.window_bytes);
            reader = opened ? std::move(*opened) : nullptr;
            open = each.file;
        }
        const auto found = reader ? reader->record_at(each.offset) : std::optional<found_record>{};
        const auto type =
            found && *found ? static_cast<record_type>((*found)->header.type) : record_type::batch;
        const record_place place{each.file, each.offset, each.bytes, each.number};
        if (!found || !*found || !replay_.apply(type, (*found)->payload, place)) {
            damaged_ = true;
            lose(
                log_name(each.file) + " at offset " + std::to_string(each.offset) + " to " +
                std::to_string(each.end()) + ": a record that cannot be understood");
            continue;
        }
        ++report_.records;
        payload_reader in{(*found)->payload};
        const std::uint64_t id = in.varint();
        if (type == record_type::queue_deleted) {
            deleted_.insert(id);
        } else if (type == record_type::paged || type == record_type::page_dropped) {
            seen_pages_.insert(id);
        }
    }
}

void salvage::list_damage(const log_scan& scan) {
    const file_number needed = replay_.first_needed();
    for (const log_damage& each : scan.damaged) {
        const bool missing = each.end == 0;
        if (missing ? each.begin < needed : each.file < needed) {
            continue;  // reclaimed
        }
        if (each.loses) {
            damaged_ = true;
            lose(describe(each));
        } else {
            report_.notes.push_back(describe(each));
        }
    }
    const file_number first = scan.records.empty() ? 0 : scan.records.front().file;
    const bool used = !content_.spares.empty() || !content_.segments.empty();
    const file_number there = content_.logs.empty() ? 0 : content_.logs.front();
    if ((first > needed && there > needed) || (there == 0 && used)) {
        damaged_ = true;
        lose(describe({needed, there == 0 ? needed : there - 1, 0, "", true}));
    }
    if (scan.torn) {
        report_.notes.emplace_back(
            "the last batch was cut by a crash and is left out: nothing in it was confirmed");
    }
    if (damaged_) {
        lose(
            "up to " + std::to_string(scan.records_missing) +
            " records of the log are missing: messages and definitions that were written there "
            "are not recovered, messages that were settled there may come back, and what was "
            "delivered there may not be marked as redelivered");
    }
}

void salvage::choose_queues() {
    // A name that was declared anew means that the queue before had been deleted.
    std::map<std::tuple<std::string, std::string, std::string>, const recovered_queue*> by_name;
    for (const recovered_queue& each : replay_.queues()) {
        const bool line = (each.flags & entity_delay_line) != 0;
        auto& last = by_name[{each.vhost, each.name, line ? each.arguments : std::string()}];
        if (last != nullptr) {
            report_.notes.push_back(
                "queue '" + each.name + "' (" + std::to_string(last->id) +
                ") had been deleted: it was declared anew");
        }
        last = &each;
    }
    for (const auto& [name, queue] : by_name) {
        chosen_.insert(queue->id);
    }
}

void salvage::list_homeless() {
    if (!damaged_) {
        return;
    }
    for (const auto& [queue, messages] : replay_.homeless()) {
        if (!deleted_.contains(queue)) {
            lose(
                std::to_string(messages) + " messages of queue " + std::to_string(queue) +
                ", whose definition is lost");
        }
    }
    std::set<std::pair<std::string, std::string>> exchanges;
    for (const recovered_exchange& each : replay_.exchanges()) {
        exchanges.insert({each.vhost, each.name});
    }
    for (const recovered_queue& each : replay_.queues()) {
        if ((each.flags & entity_delay_line) != 0 &&
            !exchanges.contains({each.vhost, each.arguments})) {
            lose(
                "the definition of exchange '" + each.arguments +
                "', in which delayed messages wait: they are deleted at the next start");
        }
    }
}

void salvage::lose(std::string text) {
    ++report_.lost_count;
    if (report_.lost.size() < lost_listed_max) {
        report_.lost.push_back(std::move(text));
    }
}

}  // namespace lovage::broker::store
