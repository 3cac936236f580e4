// Takes over from a damaged data directory what is provably whole, into a new one, and lists what
// is not recovered or doubtful (docs/store_format.md, Salvage). Called by lovage-broker --salvage,
// single-threaded. The old directory is not changed. The new one is written through the log, its
// writer and segments, as by a broker. Knows nothing of AMQP.
#pragma once

#include "broker/store/directory.hpp"
#include "broker/store/log.hpp"
#include "broker/store/log_scan.hpp"
#include "broker/store/log_writer.hpp"
#include "broker/store/page_scan.hpp"
#include "broker/store/replay.hpp"

#include <functional>
#include <set>

namespace lovage::broker::store {

struct salvage_options {
    log_options log;
    writer_options writer;
    /// A random number for the new directory.
    std::uint64_t new_salt = 0;
    /// How much of a file is read at once.
    std::size_t window_bytes = std::size_t{1} << 20U;
    std::size_t batch_bytes = std::size_t{1} << 20U;
    std::uint64_t segment_bytes = std::uint64_t{8} << 20U;
    /// Key and value of the setting that says that a virtual host is there: a start deletes what
    /// belongs to one that is not. May be empty.
    std::function<std::pair<std::string, std::string>(const std::string& vhost)> vhost_setting;
};

struct salvage_report {
    std::uint64_t records = 0;  ///< of the old log, whole and understood
    std::uint64_t queues = 0;   ///< and delay lines
    std::uint64_t exchanges = 0;
    std::uint64_t bindings = 0;
    std::uint64_t settings = 0;
    std::uint64_t messages_from_log = 0;
    std::uint64_t messages_from_pages = 0;
    std::vector<std::string> notes;  ///< what was wrong and cost nothing
    std::vector<std::string> lost;   ///< what is not recovered, or doubtful; the first ones
    std::uint64_t lost_count = 0;    ///< of all
};

class salvage {
public:
    using error_code = boost::system::error_code;

    salvage(disk& from, disk& into, salvage_options options);
    ~salvage();

    /// Once. An error means that nothing could be done, or that the new directory could not be
    /// written and is of no use; `problem` says why.
    [[nodiscard]] error_code run(std::string& problem);
    [[nodiscard]] const salvage_report& report() const { return report_; }

private:
    class new_store;

    [[nodiscard]] error_code look(std::string& problem);
    [[nodiscard]] error_code salt_of_logs(std::string& problem);
    [[nodiscard]] error_code begin_new(std::string& problem);
    [[nodiscard]] error_code read_logs(std::string& problem);
    void apply_records(const std::vector<scanned_record>& records);
    void list_damage(const log_scan& scan);
    void choose_queues();
    void list_homeless();
    [[nodiscard]] error_code write_all();
    void write_definitions();
    void write_vhosts();
    [[nodiscard]] error_code write_pages();
    void copy_page(const recovered_page& page);
    [[nodiscard]] error_code write_messages();
    void list_unknown_pages();
    void list_unknown_blobs();
    /// Puts the body into the record if it lies in a blob; false, and lost, if it cannot be read.
    [[nodiscard]] bool inline_body(publish_record& record);
    void lose(std::string text);

    disk& from_;
    disk& into_;
    salvage_options options_;
    directory_content content_;
    std::uint64_t salt_ = 0;
    replay replay_;
    salvage_report report_;
    std::unique_ptr<new_store> new_;
    bool damaged_ = false;  // records may be missing
    std::set<queue_id> deleted_;
    std::set<queue_id> chosen_;
    std::set<page_id> seen_pages_;
    std::map<queue_id, std::vector<message_id>> in_pages_;
    std::set<blob_id> seen_blobs_;
    byte_buffer blob_;
};

}  // namespace lovage::broker::store
