// The state that the log's records add up to: applied one after another in log order, resolved at
// the end. Used by recovery only. Keeps for each message where it lies, not what it says.
// Pure: knows records, no files.
#pragma once

#include "broker/store/record_codec.hpp"
#include "broker/store/records.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace lovage::broker::store {

struct recovered_queue {
    queue_id id = 0;
    std::uint8_t flags = 0;
    message_id delivered = 0;
    bool marked = false;  ///< `delivered` is from a mark and more than its own record says
    std::string vhost;
    std::string name;
    std::string arguments;
    location where;
};

struct recovered_exchange {
    std::uint8_t flags = 0;
    std::string vhost;
    std::string name;
    std::string type;
    std::string arguments;
    location where;
};

struct recovered_binding {
    binding_target target = binding_target::queue;
    std::string vhost;
    std::string source;
    std::string destination;
    std::string routing_key;
    std::string arguments;
    location where;
};

struct recovered_setting {
    std::string key;
    std::string value;
    location where;
};

struct recovered_page {
    page_record record;  ///< without its spans
    std::vector<std::uint64_t> dead;
    boost::unordered_flat_map<std::uint32_t, std::uint32_t> returned;
    std::vector<paged_blob> blobs;  ///< of those that are not dead
    std::uint32_t live = 0;
    location where;
};

/// What one record's position in the log is.
struct record_place {
    file_number file = 0;
    std::uint64_t offset = 0;
    std::uint32_t bytes = 0;
    lsn number = 0;
};

class replay {
public:
    /// A message that lasts, and where its record lies.
    struct stored_message {
        message_id id = 0;
        std::uint64_t offset = 0;
        location where;
        queue_entry only;           ///< its entry if `several` is 0; queue 0: no entry
        std::uint32_t several = 0;  ///< otherwise 1 + index of its entries in several()
    };

    /// False if the payload is not what its type says.
    [[nodiscard]] bool apply(record_type type, octets payload, const record_place& place);
    /// After the last record: drops what is left of deleted queues and reclaimed files, applies
    /// the delivery marks and sorts messages by id. Nothing may be applied afterwards.
    void finish();

    [[nodiscard]] file_number first_needed() const { return first_needed_; }
    [[nodiscard]] message_id highest_message() const { return highest_message_; }
    [[nodiscard]] queue_id highest_queue() const { return highest_queue_; }
    [[nodiscard]] page_id highest_page() const { return highest_page_; }

    /// Messages, in the log and in pages, of queues that are not there: deleted ones, unless
    /// records are missing. After finish().
    [[nodiscard]] const std::map<queue_id, std::uint64_t>& homeless() const { return homeless_; }

    // Sorted and complete after finish().
    [[nodiscard]] const std::vector<recovered_queue>& queues() const { return queue_list_; }
    [[nodiscard]] const std::vector<recovered_exchange>& exchanges() const {
        return exchange_list_;
    }
    [[nodiscard]] const std::vector<recovered_binding>& bindings() const { return binding_list_; }
    [[nodiscard]] const std::vector<recovered_setting>& settings() const { return setting_list_; }
    [[nodiscard]] const std::vector<recovered_page>& pages() const { return page_list_; }
    /// That messages need, in the log or in pages, with the lengths of their bodies.
    [[nodiscard]] const std::map<blob_id, std::uint64_t>& blobs() const { return blob_list_; }
    [[nodiscard]] const std::vector<stored_message>& messages() const { return messages_; }
    [[nodiscard]] std::span<const queue_entry> entries(const stored_message& of) const {
        return of.several == 0 ? std::span<const queue_entry>{&of.only, 1}
                               : std::span<const queue_entry>{several_[of.several - 1]};
    }

private:
    using name_key = std::pair<std::string, std::string>;  // virtual host, name
    struct bound_at {
        location where;
        lsn number = 0;
    };

    bool queue_declared(octets payload, const record_place& place);
    bool queue_deleted(octets payload, const record_place& place);
    bool exchange_declared(octets payload, const record_place& place);
    bool exchange_deleted(octets payload, const record_place& place);
    bool bound(octets payload, const record_place& place);
    bool published(octets payload, const record_place& place);
    bool settled(octets payload);
    bool returned(octets payload);
    bool paged(octets payload, const record_place& place);
    bool page_settled(octets payload);
    bool page_returned(octets payload);
    bool page_dropped(octets payload);
    bool mark_lowered(octets payload);
    [[nodiscard]] bool settle_in_page(const page_run& run);
    bool marks(payload_reader& in);
    bool setting(record_type type, octets payload, const record_place& place);
    bool reclaimed(octets payload, const record_place& place);

    [[nodiscard]] std::span<queue_entry> entries_of(stored_message& of) {
        return of.several == 0 ? std::span<queue_entry>{&of.only, 1}
                               : std::span<queue_entry>{several_[of.several - 1]};
    }
    /// An id that any record mentions must not be used for something new.
    void saw(queue_id queue, message_id id) {
        highest_queue_ = std::max(highest_queue_, queue);
        highest_message_ = std::max(highest_message_, id);
    }
    /// The message if it is there and alive; valid until the next one is added.
    [[nodiscard]] stored_message* find(message_id id);
    /// Where in messages_ the first id at or above `id` is.
    [[nodiscard]] std::size_t position(message_id id) const;
    [[nodiscard]] stored_message& place_for(message_id id);
    void settle(const settled_run& run);
    void settle_in(queue_id queue, stored_message& in);
    void forget(stored_message& gone);
    void set_entries(stored_message& of, std::span<const queue_entry> entries);
    void finish_messages();
    void finish_pages();
    void finish_blobs();
    void finish_definitions();

    boost::unordered_flat_map<queue_id, recovered_queue> queues_;
    std::map<name_key, recovered_exchange> exchanges_;
    boost::unordered_flat_map<std::string, bound_at> bindings_;  // by payload: their identity
    // When a queue ("q" + names) or exchange ("e") was last deleted; older bindings are void.
    boost::unordered_flat_map<std::string, lsn> deleted_;
    std::map<std::string, recovered_setting> settings_;
    boost::unordered_flat_map<queue_id, message_id> marks_;
    std::map<page_id, recovered_page> pages_;

    // Ids ascend in the log but for what was moved out of old files; so most messages lie in a
    // sorted vector, the dead among them (file 0) until there are too many, the others beside it.
    std::vector<stored_message> messages_;
    std::size_t dead_ = 0;
    boost::unordered_flat_map<message_id, stored_message> moved_;
    std::vector<std::vector<queue_entry>> several_;
    boost::unordered_flat_map<message_id, blob_ref> blobs_;  // of the messages that have one
    std::vector<queue_entry> scratch_;

    file_number first_needed_ = 1;
    message_id highest_message_ = 0;
    queue_id highest_queue_ = 0;
    page_id highest_page_ = 0;
    std::map<queue_id, std::uint64_t> homeless_;
    std::vector<recovered_page> page_list_;
    std::map<blob_id, std::uint64_t> blob_list_;
    std::vector<recovered_queue> queue_list_;
    std::vector<recovered_exchange> exchange_list_;
    std::vector<recovered_binding> binding_list_;
    std::vector<recovered_setting> setting_list_;
};

}  // namespace lovage::broker::store
