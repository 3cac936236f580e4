#include "broker/server/verify.hpp"

#include "broker/core/settings_store.hpp"
#include "broker/core/vhost.hpp"
#include "broker/store/posix_disk.hpp"
#include "broker/store/salvage.hpp"
#include "broker/store/verification.hpp"

#include <ostream>
#include <random>

namespace lovage::broker {
namespace {

constexpr const char* yes_or_no[] = {"no", "yes"};

int complain(std::ostream& errors, const std::string& directory, const std::string& problem) {
    errors << "lovage-broker: data directory " << directory << ": " << problem << '\n';
    return cannot_look;
}

void print_list(
    std::ostream& out,
    const char* what,
    const std::vector<std::string>& lines,
    std::uint64_t count) {
    out << what << ": " << count << '\n';
    for (const std::string& line : lines) {
        out << "  " << line << '\n';
    }
    if (count > lines.size()) {
        out << "  and " << count - lines.size() << " more\n";
    }
}

void print(std::ostream& out, const store::verification_report& found) {
    out << "log files: " << found.log_files << '\n'
        << "log records: " << found.log_records << '\n'
        << "log octets: " << found.log_octets << '\n'
        << "log end: " << (found.log_end.empty() ? "unknown or empty" : found.log_end) << '\n'
        << "torn tail: " << yes_or_no[found.torn ? 1 : 0] << '\n'
        << "reclaimed log files: " << found.reclaimed_files << '\n'
        << "spares: " << found.spares << '\n'
        << "queues: " << found.queues << '\n'
        << "delay lines: " << found.delay_lines << '\n'
        << "exchanges: " << found.exchanges << '\n'
        << "bindings: " << found.bindings << '\n';
    for (const auto& [kind, count] : found.settings) {
        out << "settings of kind " << kind << ": " << count << '\n';
    }
    out << "messages in the log: " << found.messages_in_log << '\n'
        << "octets of their bodies: " << found.octets_in_log << '\n'
        << "messages in pages: " << found.messages_in_pages << '\n'
        << "octets of their bodies: " << found.octets_in_pages << '\n'
        << "pages: " << found.pages << '\n'
        << "segments: " << found.segments << '\n'
        << "octets of segments with pages: " << found.segment_octets << '\n'
        << "unused segments: " << found.unused_segments << '\n'
        << "unused pages: " << found.unused_pages << '\n'
        << "blobs: " << found.blobs << '\n'
        << "octets of bodies in them: " << found.blob_octets << '\n'
        << "unused blobs: " << found.unused_blobs << '\n';
    print_list(out, "faults", found.faults, found.fault_count);
}

void print(std::ostream& out, const store::salvage_report& done) {
    out << "log records: " << done.records << '\n'
        << "queues: " << done.queues << '\n'
        << "exchanges: " << done.exchanges << '\n'
        << "bindings: " << done.bindings << '\n'
        << "settings: " << done.settings << '\n'
        << "messages from the log: " << done.messages_from_log << '\n'
        << "messages from pages: " << done.messages_from_pages << '\n';
    print_list(out, "notes", done.notes, done.notes.size());
    print_list(out, "not recovered or doubtful", done.lost, done.lost_count);
}

store::salvage_options options_for(store::disk& into) {
    store::salvage_options options;
    const auto space = into.space();
    options.log.file_bytes = store::nominal_file_bytes(space ? space->total : 0);
    options.writer.file_bytes = options.log.file_bytes;
    options.writer.spare_bytes_max = 2 * options.log.file_bytes;
    std::random_device device;
    options.new_salt = (std::uint64_t{device()} << 32U) | device();
    options.vhost_setting = [](const std::string& vhost) {
        return std::pair{settings_store::key("vhost", {vhost}), encode_table({})};
    };
    return options;
}

}  // namespace

int verify_directory(const std::string& directory, std::ostream& out, std::ostream& errors) {
    std::string problem;
    const auto disk = store::posix_disk::open_read_only(directory, problem);
    if (!disk) {
        errors << "lovage-broker: " << problem << '\n';
        return cannot_look;
    }
    store::verification check{**disk};
    if (check.run(problem)) {
        return complain(errors, directory, problem);
    }
    out << "data directory: " << directory << '\n';
    print(out, check.report());
    return check.report().whole() ? nothing_wrong : faults_found;
}

int salvage_directory(
    const std::string& directory,
    const std::string& into,
    std::ostream& out,
    std::ostream& errors) {
    std::string problem;
    const auto from = store::posix_disk::open_read_only(directory, problem);
    if (!from) {
        errors << "lovage-broker: " << problem << '\n';
        return cannot_look;
    }
    const auto fresh = store::posix_disk::open_directory(into, problem);
    if (!fresh) {
        errors << "lovage-broker: " << problem << '\n';
        return cannot_look;
    }
    store::salvage work{**from, **fresh, options_for(**fresh)};
    if (work.run(problem)) {
        return complain(errors, directory, problem);
    }
    out << "data directory: " << directory << '\n' << "new data directory: " << into << '\n';
    print(out, work.report());
    return work.report().lost_count == 0 ? nothing_wrong : something_is_lost;
}

}  // namespace lovage::broker
