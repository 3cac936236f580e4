// What the management API needs of the broker: a view of its state, logins, changes as one event of
// the engine, and word of when they are on disk. The node implements it; called on its thread.
#pragma once

#include "broker/core/engine.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lovage::broker {

/// What the API shows, as of one moment.
struct management_view {
    std::vector<queue_status> queues;
    std::vector<exchange_status> exchanges;
    std::size_t connections = 0;
    std::uint64_t memory_octets = 0;
    std::uint64_t definition_octets = 0;  ///< of these, those of queues, exchanges and bindings
    std::uint64_t log_syncs = 0;
    std::uint64_t log_octets_written = 0;
    std::uint64_t log_records = 0;
    std::uint64_t log_file_octets = 0;
    std::uint64_t log_live_octets = 0;
};

/// Where a request comes from.
struct api_client {
    std::string address;  ///< without the port
    bool loopback = false;
};

/// Who asks, once the password was right.
struct api_caller {
    std::string name;
    std::vector<std::string> tags;

    [[nodiscard]] bool has_tag(octets tag) const;
};

class management_backend {
public:
    virtual ~management_backend() = default;

    [[nodiscard]] virtual management_view management_snapshot() const = 0;
    /// To be read only, and not kept beyond the call.
    [[nodiscard]] virtual const engine& state() const = 0;
    /// Calls `what` as one event of the engine and carries out what comes of it.
    virtual void change(const std::function<void(engine&)>& what) = 0;
    /// Calls `done` once all that has been written to the journal so far is on disk; at once if it
    /// is. Never, if the broker ends before.
    virtual void when_durable(std::function<void()> done) = 0;
    /// Calls `done`, now or later, with nothing if user and password do not fit or may not come
    /// from there.
    virtual void log_in(
        const std::string& name,
        const std::string& password,
        const api_client& from,
        std::function<void(std::optional<api_caller>)> done) = 0;
    /// Calls `done` later with the verifier; nothing if it cannot be made.
    virtual void hash_password(
        std::string password,
        std::function<void(std::optional<std::string>)> done) = 0;
    /// Can be kept as a user's verifier.
    [[nodiscard]] virtual bool is_verifier(const std::string& text) const = 0;
};

}  // namespace lovage::broker
