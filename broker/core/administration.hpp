// What operators may change while the broker runs: users, permissions, limits, virtual hosts, each
// with all that follows (connections that end, consumers that are cancelled, settings that go).
// Made for one change and used inside engine::administer(); whoever asked has been found to have
// the right. Everything is in the journal when a call returns; engine::durable() tells when on
// disk.
#pragma once

#include "broker/core/access.hpp"
#include "broker/core/policy.hpp"
#include "broker/core/vhost.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace lovage::broker {

class connection;
class engine;

/// Settings of these kinds have a virtual host as their first name and go with it.
inline constexpr std::array<octets, 5> kinds_of_a_vhost{
    permission_kind,
    topic_permission_kind,
    policy_setting,
    operator_policy_setting,
    paused_setting};

/// The key of the setting that says that users and virtual hosts have been made once.
[[nodiscard]] std::string initialized_setting();

class administration {
public:
    explicit administration(engine& of) : engine_(of) {}

    /// `verifier` as the driver made it; empty for a user whom no password fits.
    void put_user(octets name, std::string verifier, std::vector<std::string> tags);
    /// Ends his connections (320 "user 'u' is deleted"). False if he is not there.
    bool delete_user(octets name);
    void set_user_limits(octets name, user_limits limits);

    /// Nothing, or what is wrong: a pattern, or no such user. The virtual host must be there.
    /// Consumers of queues that he may not read any more are cancelled.
    std::optional<std::string> set_permission(
        octets user,
        octets vhost,
        const permission_texts& texts);
    bool clear_permission(octets user, octets vhost);
    std::optional<std::string> set_topics(
        octets user,
        octets vhost,
        octets exchange,
        const permission_texts& texts);
    /// An empty exchange stands for all.
    bool clear_topics(octets user, octets vhost, octets exchange);

    /// Creates it or changes its description.
    void put_vhost(octets name, std::string description);
    /// Ends its connections (320 "vhost 'v' is deleted"); queues, exchanges, messages, permissions
    /// and whatever is set for it are gone. False if it is not there.
    bool delete_vhost(octets name);
    void set_vhost_limits(vhost& home, vhost_limits limits);

    /// Tells the client 320 with that text, which is UTF-8. False if it is not open.
    bool close_connection(connection_id whose, const std::string& reason);

    // For the engine.

    /// After recovery. Unless the data directory is new, only what was kept is there; leftovers of
    /// a virtual host whose deletion was cut short by a crash go.
    void load_vhosts(bool is_new);
    /// Writes all of them.
    void keep_vhosts();

private:
    void rights_changed(octets user);
    /// What the name has: permissions, settings, queues and exchanges.
    void forget(const std::string& name);
    void write(const vhost& home);

    engine& engine_;
};

}  // namespace lovage::broker
