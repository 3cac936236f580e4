// Who there is and who may do what: users with their tags and limits, permissions of users in
// virtual hosts, permissions on the topics of exchanges. Reads and writes the settings store; the
// engine calls it, tells the disk and closes what must be closed (engine_access.cpp). Knows no
// password, only verifiers, which the driver makes and checks. Checks are bounded: see
// name_pattern.
#pragma once

#include "broker/core/access_rule.hpp"
#include "broker/core/octets_map.hpp"
#include "broker/core/settings_store.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lovage::broker {

/// As the default exchange is called in permissions and in the texts of refusals.
inline constexpr octets default_exchange_resource = "amq.default";

inline constexpr octets administrator_tag = "administrator";
/// May publish under the names of others (property user-id).
inline constexpr octets impersonator_tag = "impersonator";

/// Nothing is no limit.
struct user_limits {
    std::optional<std::uint64_t> connections;  ///< max-connections
    std::optional<std::uint64_t> channels;     ///< max-channels
};

enum class access_right : std::uint8_t { configure, write, read };
enum class resource_kind : std::uint8_t { queue, exchange };

/// What a user may do in one virtual host, by names of queues and exchanges.
struct permission {
    access_rule configure;
    access_rule write;
    access_rule read;

    [[nodiscard]] const access_rule& of(access_right right) const;
};

/// Which topics of one exchange a user may publish to and bind. The rules are expanded; the texts
/// are as they were set.
struct topic_permission {
    access_rule write;
    access_rule read;
    std::string write_text;
    std::string read_text;
};

/// A virtual host and an exchange in it.
using topic_place = std::pair<std::string, std::string>;

struct user_record {
    /// Opaque; the password fits if the driver says so. Empty: no password fits.
    std::string verifier;
    std::vector<std::string> tags;
    /// May log in from this machine only, as RabbitMQ's guest.
    bool loopback_only = false;
    user_limits limits;
    std::map<std::string, permission, std::less<>> permissions;  ///< by virtual host
    std::map<topic_place, topic_permission> topics;
    /// In the settings store; else only until the process ends.
    bool kept = false;

    [[nodiscard]] bool has_tag(octets tag) const;
};

/// The patterns of a permission as they were written.
struct permission_texts {
    std::string configure;
    std::string write;
    std::string read;
};

class access_control {
public:
    explicit access_control(settings_store& settings) : settings_(settings) {}

    /// Changes whenever an earlier answer may be another now.
    [[nodiscard]] std::uint64_t generation() const { return generation_; }
    [[nodiscard]] const user_record* find(octets user) const;
    [[nodiscard]] const std::map<std::string, user_record, std::less<>>& users() const {
        return users_;
    }
    /// The user's permission there; null if he has none.
    [[nodiscard]] const permission* find_permission(octets user, octets vhost) const;
    /// `name` is a queue's or an exchange's; see default_exchange_resource.
    [[nodiscard]] bool may(octets user, octets vhost, access_right right, octets name) const;
    [[nodiscard]] bool has_tag(octets user, octets tag) const;
    /// Null if the user may use all topics of that exchange. Lives until generation() changes.
    [[nodiscard]] const topic_permission* find_topics(octets user, octets vhost, octets exchange)
        const;

    // Changes are written to the settings store, except those of provide().

    /// Replaces or creates; keeps limits, permissions and where an old user may come from.
    void put_user(octets user, std::string verifier, std::vector<std::string> tags);
    /// With all that is his.
    void erase_user(octets user);
    void set_limits(octets user, user_limits limits);
    /// Nothing, or what is wrong: a pattern, or no such user.
    std::optional<std::string> set_permission(
        octets user,
        octets vhost,
        const permission_texts& texts);
    bool erase_permission(octets user, octets vhost);
    std::optional<std::string> set_topics(
        octets user,
        octets vhost,
        octets exchange,
        const permission_texts& texts);
    /// An empty exchange stands for all of them.
    bool erase_topics(octets user, octets vhost, octets exchange);
    /// What all users have in a virtual host that is being deleted.
    void forget_vhost(octets vhost);

    /// A user for now: nothing is written before keep(), when his real verifier is known. A new one
    /// is administrator and may do everything in these virtual hosts.
    void provide(
        octets user,
        std::string verifier,
        bool loopback_only,
        const std::vector<std::string>& vhosts);
    void keep(octets user, std::string verifier);

    /// Recovery: everything from the settings store; texts of what could not be used go to
    /// `complaints`. False if there are no users.
    bool load(std::vector<std::string>& complaints);

private:
    user_record* edit(octets user);
    void write(octets user, const user_record& what);
    void write_permission(octets user, octets vhost, const permission& what);
    void write_topics(octets user, const topic_place& where, const topic_permission& what);
    void load_permission(
        const std::vector<std::string>& names,
        const amqp::table& value,
        std::vector<std::string>& complaints);
    void load_topics(
        const std::vector<std::string>& names,
        const amqp::table& value,
        std::vector<std::string>& complaints);

    settings_store& settings_;
    std::map<std::string, user_record, std::less<>> users_;
    std::uint64_t generation_ = 1;
};

// Kinds of settings, and their names: user; virtual host and user; virtual host, user and exchange.
inline constexpr octets user_kind = "user";
inline constexpr octets permission_kind = "permission";
inline constexpr octets topic_permission_kind = "topic_permission";

}  // namespace lovage::broker
