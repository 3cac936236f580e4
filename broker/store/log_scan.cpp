#include "broker/store/log_scan.hpp"

#include "broker/store/directory.hpp"
#include "broker/store/errors.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

namespace lovage::broker::store {
namespace {

/// How large the number of the first record may be that is found without any before it.
constexpr std::uint64_t first_lsn_window = std::uint64_t{1} << 48U;

constexpr const char* unproven =
    "no record and none behind it: begun by a batch that was cut, unless all of it is damaged";

class scanner {
public:
    scanner(disk& files, std::uint64_t salt, std::size_t window_bytes)
        : disk_(files), salt_(salt), window_bytes_(window_bytes) {}

    [[nodiscard]] disk::error_code file(file_number number, std::string& problem) {
        const auto opened = log_reader::open(disk_, number, salt_, window_bytes_);
        if (!opened) {
            sizes_[number] = 0;
            damage(number, 0, header_bytes, "the file cannot be opened");
            return {};
        }
        log_reader& reader = **opened;
        sizes_[number] = reader.size();
        switch (reader.header()) {
            case log_reader::header_state::newer:
                problem = log_name(number) + " has format version " +
                          std::to_string(reader.version()) + ", this broker supports up to " +
                          std::to_string(format_version) + "; run the newer broker";
                return errc::newer_version;
            case log_reader::header_state::other_directory:
                damage(number, 0, reader.size(), "the file belongs to another data directory");
                return {};
            case log_reader::header_state::invalid:
                damage(number, 0, header_bytes, "the header of the file is damaged", false);
                break;
            case log_reader::header_state::valid: break;
        }
        records(reader, number);
        return {};
    }

    [[nodiscard]] log_scan finish() {
        find_end();
        find_holes();
        std::ranges::sort(out_.damaged, {}, [](const log_damage& each) {
            return std::tuple{each.file, each.begin, each.end, std::string_view{each.what}};
        });
        return std::move(out_);
    }

private:
    void records(log_reader& reader, file_number file) {
        std::uint64_t offset = header_bytes;
        for (;;) {
            auto found = reader.record_at(offset);
            if (found && (!*found || (*found)->header.number <= highest_)) {
                const auto window = highest_ == 0 ? first_lsn_window : lsn_window;
                found = reader.find(offset, highest_, window);
            }
            if (!found) {
                damage(file, offset, reader.size(), "the disk cannot read this");
                return;
            }
            if (!*found) {
                return;
            }
            add(**found, file);
            offset = (*found)->offset + (*found)->bytes();
        }
    }

    void add(const found_record& found, file_number file) {
        scanned_record record;
        record.number = highest_ = found.header.number;
        record.before = number_before(found);
        record.offset = found.offset;
        record.file = file;
        record.bytes = found.bytes();
        record.first_unsynced = found.header.first_unsynced();
        // What a batch says it was not written behind is left of one that a crash had cut.
        while (!out_.records.empty() && out_.records.back().number > record.before) {
            out_.records.pop_back();
        }
        out_.records.push_back(record);
    }

    /// The last batch counts only if all of it is there, unless something shows that it was synced.
    void find_end() {
        lsn synced = 0;  // all below it
        for (const scanned_record& each : out_.records) {
            synced = std::max(synced, each.first_unsynced);
        }
        lsn last = 0;
        for (std::size_t i = 0; i < out_.records.size(); ++i) {
            const scanned_record& each = out_.records[i];
            // In a log of which nothing was ever synced only the first file is a beginning.
            const bool begins =
                i == 0 && (each.number == 1 || (each.offset == header_bytes && synced > 1));
            if (each.before != last && !begins && last + 1 >= synced) {
                out_.records.resize(i);
                out_.torn = true;
                return;
            }
            last = each.number;
        }
    }

    void find_holes() {
        const scanned_record* last = nullptr;
        for (const scanned_record& each : out_.records) {
            if (last == nullptr) {
                whole_files(sizes_.begin()->first, each.file);
                if (each.offset != header_bytes) {
                    damage(each.file, header_bytes, each.offset, "no record");
                }
            } else if (each.before != last->number) {
                out_.records_missing += each.before - last->number;
                hole(*last, each);
            }
            last = &each;
        }
        // Begun by a batch that a crash has cut, or damaged from end to end: as for a start,
        // without a proof that something was there nothing is lost.
        const file_number end = last == nullptr ? 0 : last->file;
        for (auto each = sizes_.upper_bound(end); each != sizes_.end() && !out_.torn; ++each) {
            damage(each->first, 0, each->second, unproven, false);
        }
    }

    void hole(const scanned_record& from, const scanned_record& to) {
        if (from.file == to.file) {
            damage(from.file, from.end(), to.offset, "no record");
            return;
        }
        if (to.offset != header_bytes) {
            damage(to.file, header_bytes, to.offset, "no record");
        } else if (from.file + 1 == to.file) {
            damage(from.file, from.end(), sizes_[from.file], "the last records are missing");
        }
        if (from.file + 1 != to.file) {
            damage(from.file, from.end(), sizes_[from.file], "the last records may be missing");
            whole_files(from.file + 1, to.file);
        }
    }

    void whole_files(file_number from, file_number to) {
        while (from < to) {
            const auto found = sizes_.lower_bound(from);
            const file_number there = found == sizes_.end() ? to : std::min(found->first, to);
            if (there == from) {
                damage(from, 0, found->second, "the file holds no record");
                ++from;
            } else {
                damage(from, there - 1, 0, "missing");
                from = there;
            }
        }
    }

    void damage(
        file_number file,
        std::uint64_t begin,
        std::uint64_t end,
        const char* what,
        bool loses = true) {
        out_.damaged.push_back({file, begin, end, what, loses});
    }

    disk& disk_;
    std::uint64_t salt_;
    std::size_t window_bytes_;
    log_scan out_;
    std::map<file_number, std::uint64_t> sizes_;
    lsn highest_ = 0;
};

}  // namespace

std::string describe(const log_damage& what) {
    if (what.end == 0) {
        return log_name(what.file) +
               (what.begin == what.file
                    ? " is missing"
                    : " to " + log_name(static_cast<file_number>(what.begin)) + " are missing");
    }
    return log_name(what.file) + " at offset " + std::to_string(what.begin) + " to " +
           std::to_string(what.end) + " (" + std::to_string(what.end - what.begin) +
           " octets): " + what.what;
}

disk::result<log_scan> scan_logs(
    disk& files,
    const std::vector<file_number>& logs,
    std::uint64_t salt,
    std::size_t window_bytes,
    std::string& problem) {
    scanner all{files, salt, window_bytes};
    for (const file_number file : logs) {
        if (const disk::error_code error = all.file(file, problem)) {
            return error;
        }
    }
    return all.finish();
}

bool ends_cut(log_reader& reader, std::uint64_t offset, lsn last) {
    const auto head = reader.raw(offset, record_header_bytes);
    if (!head) {
        return false;
    }
    if (head->size() < record_header_bytes) {
        return head->find_first_not_of('\0') != octets::npos;
    }
    const record_header header = get_record_header(head->data());
    if (header.number - last - 1 < lsn_window) {
        return true;
    }
    // Its number alone may be what is damaged.
    if (header.type == 0 || header.type > record_type_max || header.length > payload_bytes_max) {
        return false;
    }
    const auto whole = reader.raw(offset, record_header_bytes + std::uint64_t{header.length});
    if (!whole) {
        return false;
    }
    std::string repaired{*whole};
    found_record record{header, octets{repaired}.substr(record_header_bytes), offset};
    const lsn gap = header.number - number_before(record);
    put_fixed(repaired.data() + 8, last + gap);
    return repaired.size() == record.bytes() && record_crc(repaired, reader.seed()) == header.crc;
}

}  // namespace lovage::broker::store
