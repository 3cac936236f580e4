// A broker's engine reduced to what the store needs, for tests: holds queues, messages and their
// locations, passes every change to a log, writes batches, empties old files when the log wants
// it. Its snapshots are the reference that recovery is compared with.
#pragma once

#include "broker/store/log.hpp"
#include "broker/store/log_writer.hpp"
#include "broker/store/recovery.hpp"

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace lovage::broker::store::testing {

struct held_entry {
    std::uint32_t delivery_count = 0;
    bool redelivered = false;
    friend bool operator==(const held_entry&, const held_entry&) = default;
};

/// What a broker has stored, without locations: comparable.
struct snapshot {
    struct content {
        std::string exchange, routing_key, properties, body;
        std::uint64_t arrived_ms = 0;
        std::uint64_t due_ms = 0;
        friend bool operator==(const content&, const content&) = default;
    };
    std::map<queue_id, std::string> queues;
    std::set<std::string> definitions;  // exchanges, bindings, settings as text
    std::map<std::pair<queue_id, message_id>, held_entry> entries;
    std::map<message_id, content> contents;
    friend bool operator==(const snapshot&, const snapshot&) = default;
};

/// Names in the first lines what a recovered state lacks or has too much after a crash, between
/// the last snapshot known to be durable and the one being made durable; empty if all is well.
/// `introduced` are entries and definitions that existed only between the two.
struct crash_expectation {
    snapshot durable;
    snapshot attempted;
    std::set<std::pair<queue_id, message_id>> introduced_entries;
    std::set<queue_id> introduced_queues;
    std::set<std::string> introduced_definitions;
    std::map<message_id, snapshot::content> introduced_contents;
    /// Sets all back to `now`, which is durable.
    void settle(const snapshot& now);
};
[[nodiscard]] std::string compare(const crash_expectation& expected, const snapshot& found);

struct small_options {
    log_options log{1024, 2, 1U << 16U};
    writer_options writer{256, 2, 4096, 1024};
    recovery_options recovery{0x5EED, 128, 2};
    /// commit() lets the writer prepare a little, as a disk thread that has time.
    bool prepares = false;
    /// Bodies of that length and more go into blobs; 0: none.
    std::size_t blob_bytes_min = 0;
};

class small_broker {
public:
    small_broker(disk& files, const small_options& options) : disk_(files), options_(options) {}

    /// Recovers; false with problem() and error() set if that fails.
    [[nodiscard]] bool start();

    queue_id declare(const std::string& name);
    void delete_queue(queue_id queue);
    void declare_exchange(const std::string& name);
    void delete_exchange(const std::string& name);
    void bind(const std::string& exchange, queue_id queue, const std::string& key);
    void unbind(const std::string& exchange, queue_id queue, const std::string& key);
    void put(const std::string& key, const std::string& value);
    void erase(const std::string& key);
    message_id publish(const std::vector<queue_id>& queues, const std::string& body);
    void deliver(queue_id queue, message_id message);
    void ack(queue_id queue, message_id message);
    void requeue(queue_id queue, message_id message);
    /// Dead-letters: a new message in `to` takes the place of this one, in one record.
    message_id move(queue_id from, message_id message, queue_id to);
    /// Appends again what the log wants to have out of its oldest file.
    void rewrite_if_wanted();

    /// Writes the open batch, if any; true if it is durable. After a failure nothing is done any
    /// more, as by a broker that is dead, except for a full disk: then commit() tries again.
    bool commit();

    [[nodiscard]] const snapshot& state() const { return state_; }
    [[nodiscard]] const crash_expectation& expectation() const { return expected_; }
    [[nodiscard]] boost::system::error_code error() const { return error_; }
    [[nodiscard]] const std::string& problem() const { return problem_; }
    [[nodiscard]] log& store() { return *log_; }
    [[nodiscard]] log_writer& writer() { return *writer_; }
    [[nodiscard]] recovery& recovered() { return *recovery_; }
    /// Its body lies in a blob of its own.
    [[nodiscard]] bool has_blob(message_id message) const { return messages_.at(message).blob; }

private:
    struct held {
        location where;
        bool blob = false;
        std::map<queue_id, held_entry> queues;
    };
    void load(const recovered_message& message);
    void drop_entry(queue_id queue, message_id message);
    location append(message_id id, std::optional<message_ref> replaces = {});
    void put_definition(const std::string& text, location where);
    void drop_definition(const std::string& text);

    disk& disk_;
    small_options options_;
    std::unique_ptr<recovery> recovery_;
    std::unique_ptr<log> log_;
    std::unique_ptr<log_writer> writer_;
    std::optional<batch> waiting_;  // for space on the disk
    snapshot waiting_state_;
    /// Of the open batch and of the one that is written: bodies for blobs, and blobs to be removed.
    struct blob_changes {
        std::deque<std::string> bodies;
        std::vector<blob_id> gone;
    };
    blob_changes open_blobs_;
    blob_changes waiting_blobs_;
    std::map<message_id, held> messages_;
    std::map<queue_id, location> queue_places_;
    std::map<queue_id, message_id> marks_;
    std::map<std::string, location> definition_places_;
    snapshot state_;
    crash_expectation expected_;
    message_id next_message_ = 1;
    queue_id next_queue_ = 1;
    boost::system::error_code error_;
    std::string problem_;
};

/// What recovery finds on `files`; false if it refuses, with `problem`.
[[nodiscard]] bool recover_snapshot(disk& files, snapshot& found, std::string& problem);

}  // namespace lovage::broker::store::testing
