#include "broker/core/administration.hpp"

#include "broker/core/connection_send.hpp"

#include <set>
#include <utility>

namespace lovage::broker {
namespace {

constexpr octets vhost_kind = "vhost";
constexpr octets description_field = "description";
constexpr octets connections_field = "max-connections";
constexpr octets queues_field = "max-queues";

std::optional<std::uint64_t> limit_of(const amqp::table& value, octets name) {
    const amqp::field_value* found = value.find(name);
    const auto number = found == nullptr ? std::nullopt : found->integer();
    return number && *number >= 0 ? std::optional{static_cast<std::uint64_t>(*number)}
                                  : std::nullopt;
}

}  // namespace

void administration::put_user(octets name, std::string verifier, std::vector<std::string> tags) {
    if (!engine_.vhosts_kept_) {
        keep_vhosts();  // a directory with users but without virtual hosts would have lost them
    }
    engine_.access_.put_user(name, std::move(verifier), std::move(tags));
    engine_.definition_logged();
    engine_.log(log_level::info, format_log_line("user_set", {{"user", name}}));
}

bool administration::delete_user(octets name) {
    if (engine_.access_.find(name) == nullptr) {
        return false;
    }
    const std::string gone{name};  // it may be the record's own
    engine_.access_.erase_user(gone);
    if (!engine_.vhosts_kept_ && engine_.access_.users().empty()) {
        keep_vhosts();  // else the next start would make him again
    }
    engine_.definition_logged();
    for (const auto& [id, each] : engine_.connections_) {
        if (each->user_name() == gone) {
            each->force_close("user '" + gone + "' is deleted");
        }
    }
    engine_.log(log_level::info, format_log_line("user_deleted", {{"user", gone}}));
    return true;
}

void administration::set_user_limits(octets name, user_limits limits) {
    engine_.access_.set_limits(name, limits);
    engine_.definition_logged();
}

void administration::rights_changed(octets user) {
    engine_.definition_logged();
    for (const auto& [id, each] : engine_.connections_) {
        if (each->running() && each->user_name() == user) {
            each->rights_changed();
        }
    }
}

std::optional<std::string> administration::set_permission(
    octets user,
    octets vhost,
    const permission_texts& texts) {
    auto problem = engine_.access_.set_permission(user, vhost, texts);
    if (!problem) {
        rights_changed(user);
        engine_.log(
            log_level::info,
            format_log_line(
                "permission_set",
                {{"user", user},
                 {"vhost", vhost},
                 {"configure", texts.configure},
                 {"write", texts.write},
                 {"read", texts.read}}));
    }
    return problem;
}

bool administration::clear_permission(octets user, octets vhost) {
    if (!engine_.access_.erase_permission(user, vhost)) {
        return false;
    }
    rights_changed(user);
    engine_.log(
        log_level::info, format_log_line("permission_cleared", {{"user", user}, {"vhost", vhost}}));
    return true;
}

std::optional<std::string> administration::set_topics(
    octets user,
    octets vhost,
    octets exchange,
    const permission_texts& texts) {
    auto problem = engine_.access_.set_topics(user, vhost, exchange, texts);
    if (!problem) {
        engine_.definition_logged();
    }
    return problem;
}

bool administration::clear_topics(octets user, octets vhost, octets exchange) {
    const bool cleared = engine_.access_.erase_topics(user, vhost, exchange);
    engine_.definition_logged();
    return cleared;
}

void administration::write(const vhost& home) {
    amqp::table value;
    value.add(std::string(description_field), home.description);
    for (const auto& [name, limit] :
         {std::pair{connections_field, home.limits.connections},
          std::pair{queues_field, home.limits.queues}}) {
        if (limit) {
            value.add(std::string(name), static_cast<std::int64_t>(*limit));
        }
    }
    engine_.settings_.put(settings_store::key(vhost_kind, {home.name()}), value);
    engine_.definition_logged();
}

void administration::put_vhost(octets name, std::string description) {
    vhost& home = engine_.restore_vhost(name);
    home.description = std::move(description);
    write(home);
    engine_.log(log_level::info, format_log_line("vhost_set", {{"vhost", name}}));
}

bool administration::delete_vhost(octets name) {
    vhost* gone = engine_.find_vhost(name);
    if (gone == nullptr) {
        return false;
    }
    const std::string called = gone->name();
    for (const auto& [id, each] : engine_.connections_) {
        if (each->vhost_ == gone) {
            each->force_close("vhost '" + called + "' is deleted");
            each->vhost_ = nullptr;
        }
    }
    // First of all: what a crash leaves of it after this record goes at the next start.
    engine_.settings_.erase(settings_store::key(vhost_kind, {called}));
    forget(called);
    engine_.definition_logged();
    engine_.log(log_level::info, format_log_line("vhost_deleted", {{"vhost", called}}));
    return true;
}

void administration::forget(const std::string& name) {
    engine_.access_.forget_vhost(name);
    for (const octets kind : kinds_of_a_vhost) {
        engine_.settings_.erase_all(kind, name);
    }
    vhost* gone = engine_.find_vhost(name);
    if (gone == nullptr) {
        return;
    }
    while (!gone->queues().empty()) {
        engine_.delete_queue(*gone->queues().begin()->second);
    }
    while (!gone->exchanges().empty()) {
        gone->delete_exchange(*gone->exchanges().begin()->second);
    }
    engine_.vhosts_.erase(engine_.vhosts_.find(name));
}

void administration::set_vhost_limits(vhost& home, vhost_limits limits) {
    home.limits = limits;
    write(home);
}

bool administration::close_connection(connection_id whose, const std::string& reason) {
    connection* found = engine_.find(whose);
    if (found == nullptr || !found->running()) {
        return false;
    }
    found->force_close(reason);
    return true;
}

void administration::load_vhosts(bool is_new) {
    std::vector<std::string> kept;
    engine_.settings_.for_each(vhost_kind, [&](const auto& names, const amqp::table& value) {
        if (names.size() != 1) {
            return;
        }
        vhost& home = engine_.restore_vhost(names[0]);
        home.limits = {limit_of(value, connections_field), limit_of(value, queues_field)};
        const amqp::field_value* text = value.find(description_field);
        home.description = text == nullptr ? octets{} : text->text().value_or(octets{});
        kept.push_back(names[0]);
    });
    engine_.vhosts_kept_ = !is_new;
    if (is_new) {
        return;
    }
    std::set<std::string> leftovers;
    for (const auto& [name, home] : engine_.vhosts_) {
        leftovers.insert(name);
    }
    for (const octets kind : kinds_of_a_vhost) {
        engine_.settings_.for_each(kind, [&](const auto& names, const amqp::table&) {
            if (!names.empty()) {
                leftovers.insert(names[0]);
            }
        });
    }
    for (const std::string& name : kept) {
        leftovers.erase(name);
    }
    for (const std::string& name : leftovers) {
        engine_.log(log_level::warning, format_log_line("vhost_leftover", {{"vhost", name}}));
        forget(name);
    }
}

std::string initialized_setting() {
    return settings_store::key("initialized", {});
}

void administration::keep_vhosts() {
    engine_.vhosts_kept_ = true;
    engine_.settings_.put(initialized_setting(), {});
    for (const auto& [name, home] : engine_.vhosts_) {
        write(*home);
    }
}

}  // namespace lovage::broker
