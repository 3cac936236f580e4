// engine: users, virtual hosts and logins; see access.hpp. What operators change is in
// administration.cpp.
#include "broker/core/administration.hpp"
#include "broker/core/connection_send.hpp"

#include <algorithm>
#include <utility>

namespace lovage::broker {

void engine::recovered() {
    std::vector<std::string> complaints;
    // Not by the number of users alone: where the last one was deleted, nobody comes back.
    const bool has_users = access_.load(complaints);
    const bool is_new = !has_users && !settings_.contains(initialized_setting());
    for (const std::string& each : complaints) {
        log(log_level::error, format_log_line("permission_unusable", {{"problem", each}}));
    }
    administration{*this}.load_vhosts(is_new);
    for (const user& each : options_.users) {
        if (is_new || each.reset) {
            provide(each);
        }
    }
    options_.users.clear();  // no password is kept longer than needed
}

void engine::provide(const user& wanted) {
    const std::string before = "pending$" + std::to_string(provided_.size());
    std::vector<std::string> vhosts;
    for (const auto& [name, home] : vhosts_) {
        vhosts.push_back(name);
    }
    access_.provide(wanted.name, before, wanted.loopback_only, vhosts);
    provided_.push_back({wanted.name, before, {}});
    effects_.password_hashes.push_back({before, wanted.password});
}

void engine::password_hashed(octets before, std::string verifier, clock_reading clock) {
    begin(clock);
    const auto found = std::ranges::find(provided_, before, &provided_user::before);
    const bool known = found != provided_.end();
    if (known) {
        found->verifier = std::move(verifier);
    }
    if (known && std::ranges::count(provided_, std::string{}, &provided_user::verifier) == 0) {
        administration change{*this};
        change.keep_vhosts();
        for (const provided_user& each : std::exchange(provided_, {})) {
            // Somebody may have given him another password meanwhile.
            const user_record* who = access_.find(each.name);
            if (who != nullptr && who->verifier == each.before) {
                access_.keep(each.name, each.verifier);
            }
        }
        definition_logged();
    }
    finish();
}

void engine::check_password(const connection& whose, octets verifier, octets password) {
    effects_.password_checks.push_back(
        {whose.id(),
         whose.peer_name(),
         whose.user_name(),
         std::string(verifier),
         std::string(password)});
}

void engine::password_checked(connection_id whose, bool fits, clock_reading clock) {
    begin(clock);
    if (connection* known = find(whose); known != nullptr) {
        known->login_checked(fits);
    }
    finish();
}

bool engine::may_log_in(octets name, octets verifier, bool from_loopback) const {
    const user_record* who = access_.find(name);
    return who != nullptr && who->verifier == verifier && (from_loopback || !who->loopback_only);
}

std::size_t engine::connections_in(const vhost& home) const {
    return static_cast<std::size_t>(std::ranges::count_if(connections_, [&](const auto& each) {
        return each.second->running() && &each.second->home() == &home;
    }));
}

std::size_t engine::connections_of(octets user) const {
    return static_cast<std::size_t>(std::ranges::count_if(connections_, [&](const auto& each) {
        return each.second->running() && each.second->user_name() == user;
    }));
}

std::size_t engine::channels_of(octets user) const {
    std::size_t count = 0;
    for (const auto& [id, each] : connections_) {
        if (each->running() && each->user_name() == user) {
            count += each->channel_count();
        }
    }
    return count;
}

}  // namespace lovage::broker
