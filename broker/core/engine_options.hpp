// What the engine is told once, when it is made.
#pragma once

#include "framework/amqp/spec.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lovage::broker {

/// Created when a data directory is new, as administrator with all permissions.
struct user {
    std::string name;
    std::string password;
    /// May log in from this machine only, as RabbitMQ's guest.
    bool loopback_only = false;
    /// Gets this password although the directory is not new; created if missing.
    bool reset = false;
};

struct engine_options {
    std::string product = "lovage";
    std::string version = "0";
    std::string node_name = "lovage";
    std::vector<user> users{{"guest", "guest", true}};
    /// Of a new data directory.
    std::vector<std::string> vhosts{"/"};
    std::uint16_t channel_max = amqp::channel_max_default;
    std::uint32_t frame_max = amqp::frame_size_default;
    std::uint16_t heartbeat_seconds = amqp::heartbeat_seconds_default;
    std::uint64_t message_octets_max = 128ULL * 1024 * 1024;
    /// Messages and contents in memory above which publishers are made to wait.
    std::uint64_t memory_octets_max = 1ULL << 30;
    /// What one transaction may hold. All together and all definitions take at most half of
    /// memory_octets_max: in an alarm they could not be ended.
    std::uint64_t transaction_octets_max = 256ULL * 1024 * 1024;
    /// How long consumers may keep deliveries of queues without x-consumer-timeout; 0: for ever.
    std::uint64_t consumer_timeout_ms = 0;
    /// Octets waiting to be sent on one connection above which its consumers get nothing more.
    std::size_t output_octets_high = 1024 * 1024;
    /// Dead letters that one event sends on; the rest waits for the next, because clients can make
    /// one message die in every order of all their queues.
    std::size_t dead_letters_per_event = 10'000;
    /// Messages that one event drops because they have expired or are too many; as above.
    std::size_t expired_per_event = 10'000;
    /// Delayed messages that one event routes; the rest waits for the next.
    std::size_t due_messages_per_event = 10'000;
    /// Of memory, above which messages that nobody is about to need go to disk, if the engine has
    /// been given a page_store; they do until half of it is in use.
    std::uint64_t window_octets_max = 32ULL * 1024 * 1024;
    /// Nominal size of a page, and of a segment of pages.
    std::uint64_t page_octets = 1024 * 1024;
    std::uint64_t segment_octets = 8ULL * 1024 * 1024;
    /// Persistent bodies that long lie in files of their own when they wait on disk: below that a
    /// file costs more than writing the body twice.
    std::uint64_t blob_octets_min = 1024 * 1024;
    /// What expires in the middle of a page is looked for at most so often, and in so many pages of
    /// a queue at once: each of them has to be read.
    std::uint64_t page_visit_pause_ms = 1000;
    std::size_t page_visits_max = 4;
};

}  // namespace lovage::broker
