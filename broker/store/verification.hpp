// Checks all that a stopped broker has left in its data directory: every checksum, and that what
// the records say fits together (docs/store_format.md, Verifying). Called by lovage-broker
// --verify; single-threaded. Changes nothing and needs no engine: what records mean to AMQP
// (arguments, properties, settings) is not looked at.
#pragma once

#include "broker/store/directory.hpp"
#include "broker/store/page_scan.hpp"
#include "broker/store/recovery.hpp"

#include <map>
#include <string>
#include <vector>

namespace lovage::broker::store {

/// What was found. Octets of messages are those of their bodies.
struct verification_report {
    std::uint32_t version = 0;
    std::uint64_t log_files = 0;
    std::uint64_t log_records = 0;
    std::uint64_t log_octets = 0;
    std::uint64_t reclaimed_files = 0;  ///< log files that nobody needs
    std::string log_end;                ///< file and offset; empty: no record was ever written
    bool torn = false;                  ///< the last batch was cut: it was never confirmed
    std::uint64_t queues = 0;
    std::uint64_t delay_lines = 0;
    std::uint64_t exchanges = 0;
    std::uint64_t bindings = 0;
    std::map<std::string, std::uint64_t> settings;  ///< by kind
    std::uint64_t messages_in_log = 0;
    std::uint64_t octets_in_log = 0;
    std::uint64_t pages = 0;
    std::uint64_t messages_in_pages = 0;
    std::uint64_t octets_in_pages = 0;
    std::uint64_t segments = 0;
    std::uint64_t segment_octets = 0;
    std::uint64_t unused_segments = 0;  ///< that no page lies in
    std::uint64_t unused_pages = 0;     ///< in the others
    std::uint64_t blobs = 0;            ///< that messages need
    std::uint64_t blob_octets = 0;      ///< of the bodies in them
    std::uint64_t unused_blobs = 0;     ///< the others
    std::uint64_t spares = 0;
    std::vector<std::string> faults;  ///< with file and offset; the first ones
    std::uint64_t fault_count = 0;    ///< of all

    [[nodiscard]] bool whole() const { return fault_count == 0; }
};

class verification {
public:
    using error_code = boost::system::error_code;

    explicit verification(disk& files);

    /// Once. An error means that the directory cannot be looked at: it is not ours, in use, of a
    /// newer version, or cannot be listed; `problem` says which. Damage is no error.
    [[nodiscard]] error_code run(std::string& problem);
    [[nodiscard]] const verification_report& report() const { return report_; }

private:
    class page_check;

    [[nodiscard]] error_code look(std::string& problem);
    void list_damage();
    void check_log();
    void check_end();
    void check_definitions();
    void check_messages();
    void check_segments();
    void check_segment(segment_number segment);
    void check_tiles(segment_number segment, const segment_content& content);
    /// `facts` is null for a page that nobody needs.
    void check_page(
        segment_number segment,
        const segment_page& listed,
        const recovered_page* facts);
    void check_blobs();
    void check_twice();
    void fault(std::string text);

    disk& disk_;
    recovery found_;
    verification_report report_;
    directory_content content_;
    bool log_whole_ = false;
    std::map<queue_id, std::vector<message_id>> ids_;  // of the living, in log and pages
    std::map<segment_number, std::map<page_id, const recovered_page*>> pages_in_;
};

}  // namespace lovage::broker::store
