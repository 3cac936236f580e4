#include "broker/core/access.hpp"

#include <algorithm>
#include <utility>

namespace lovage::broker {
namespace {

constexpr octets everything = ".*";

constexpr octets verifier_field = "verifier";
constexpr octets tags_field = "tags";
constexpr octets loopback_field = "loopback_only";
constexpr octets connections_field = "max-connections";
constexpr octets channels_field = "max-channels";

std::string text_of(const amqp::table& value, octets name) {
    const amqp::field_value* found = value.find(name);
    return std::string(found == nullptr ? octets{} : found->text().value_or(octets{}));
}

std::optional<std::uint64_t> limit_of(const amqp::table& value, octets name) {
    const amqp::field_value* found = value.find(name);
    const auto number = found == nullptr ? std::nullopt : found->integer();
    return number && *number >= 0 ? std::optional{static_cast<std::uint64_t>(*number)}
                                  : std::nullopt;
}

void add_limit(amqp::table& to, octets name, std::optional<std::uint64_t> value) {
    if (value) {
        to.add(std::string(name), static_cast<std::int64_t>(*value));
    }
}

amqp::table encoded(const user_record& what) {
    amqp::field_array tags;
    for (const std::string& tag : what.tags) {
        tags.emplace_back(tag);
    }
    amqp::table value;
    value.add(std::string(verifier_field), what.verifier);
    value.add(std::string(tags_field), std::move(tags));
    value.add(std::string(loopback_field), what.loopback_only);
    add_limit(value, connections_field, what.limits.connections);
    add_limit(value, channels_field, what.limits.channels);
    return value;
}

user_record decoded(const amqp::table& value) {
    user_record what;
    what.kept = true;
    what.verifier = text_of(value, verifier_field);
    const amqp::field_value* tags = value.find(tags_field);
    if (const auto* list = tags == nullptr ? nullptr : tags->as<amqp::field_array>()) {
        for (const amqp::field_value& tag : *list) {
            what.tags.emplace_back(tag.text().value_or(octets{}));
        }
    }
    const amqp::field_value* loopback = value.find(loopback_field);
    const bool* only = loopback == nullptr ? nullptr : loopback->as<bool>();
    what.loopback_only = only != nullptr && *only;
    what.limits = {limit_of(value, connections_field), limit_of(value, channels_field)};
    return what;
}

/// Three patterns, or the first problem.
std::optional<std::string> compile(const permission_texts& texts, permission& into) {
    for (const auto& [name, text, rule] :
         {std::tuple{"configure", &texts.configure, &into.configure},
          std::tuple{"write", &texts.write, &into.write},
          std::tuple{"read", &texts.read, &into.read}}) {
        std::string problem;
        auto made = access_rule::compile(*text, problem);
        if (!made) {
            return "the pattern of '" + std::string(name) + "' " + problem;
        }
        *rule = std::move(*made);
    }
    return std::nullopt;
}

std::string no_such_user(octets user) {
    return "there is no user '" + std::string(user) + "'";
}

permission_texts texts_of(const amqp::table& value) {
    return {text_of(value, "configure"), text_of(value, "write"), text_of(value, "read")};
}

std::optional<std::string> compile_topics(
    octets user,
    octets vhost,
    const permission_texts& texts,
    topic_permission& into) {
    permission rules;
    const permission_texts expanded{
        {},
        expanded_topic_pattern(texts.write, user, vhost),
        expanded_topic_pattern(texts.read, user, vhost)};
    if (auto problem = compile(expanded, rules)) {
        return problem;
    }
    into = {std::move(rules.write), std::move(rules.read), texts.write, texts.read};
    return std::nullopt;
}

}  // namespace

const access_rule& permission::of(access_right right) const {
    switch (right) {
        case access_right::configure: return configure;
        case access_right::write: return write;
        case access_right::read: break;
    }
    return read;
}

bool user_record::has_tag(octets tag) const {
    return std::ranges::find(tags, tag) != tags.end();
}

const user_record* access_control::find(octets user) const {
    const auto found = users_.find(user);
    return found == users_.end() ? nullptr : &found->second;
}

user_record* access_control::edit(octets user) {
    ++generation_;
    const auto found = users_.find(user);
    return found == users_.end() ? nullptr : &found->second;
}

const permission* access_control::find_permission(octets user, octets vhost) const {
    const user_record* who = find(user);
    if (who == nullptr) {
        return nullptr;
    }
    const auto found = who->permissions.find(vhost);
    return found == who->permissions.end() ? nullptr : &found->second;
}

bool access_control::may(octets user, octets vhost, access_right right, octets name) const {
    const permission* has = find_permission(user, vhost);
    return has != nullptr && has->of(right).matches(name);
}

bool access_control::has_tag(octets user, octets tag) const {
    const user_record* who = find(user);
    return who != nullptr && who->has_tag(tag);
}

const topic_permission* access_control::find_topics(octets user, octets vhost, octets exchange)
    const {
    const user_record* who = find(user);
    if (who == nullptr || who->topics.empty()) {
        return nullptr;
    }
    const auto found = who->topics.find({std::string(vhost), std::string(exchange)});
    return found == who->topics.end() ? nullptr : &found->second;
}

void access_control::write(octets user, const user_record& what) {
    settings_.put(settings_store::key(user_kind, {user}), encoded(what));
}

void access_control::write_permission(octets user, octets vhost, const permission& what) {
    settings_.put(
        settings_store::key(permission_kind, {vhost, user}),
        {{"configure", what.configure.text()},
         {"write", what.write.text()},
         {"read", what.read.text()}});
}

void access_control::write_topics(
    octets user,
    const topic_place& where,
    const topic_permission& what) {
    settings_.put(
        settings_store::key(topic_permission_kind, {where.first, user, where.second}),
        {{"write", what.write_text}, {"read", what.read_text}});
}

void access_control::put_user(octets user, std::string verifier, std::vector<std::string> tags) {
    const bool is_new = edit(user) == nullptr;
    user_record& who = users_[std::string(user)];
    if (is_new) {
        who.loopback_only = user == octets{"guest"};
    }
    who.verifier = std::move(verifier);
    who.tags = std::move(tags);
    keep(user, who.verifier);
}

void access_control::provide(
    octets user,
    std::string verifier,
    bool loopback_only,
    const std::vector<std::string>& vhosts) {
    const bool is_new = edit(user) == nullptr;
    user_record& who = users_[std::string(user)];
    who.verifier = std::move(verifier);
    who.kept = false;
    if (!is_new) {
        return;
    }
    who.loopback_only = loopback_only;
    who.tags = {std::string(administrator_tag)};
    std::string problem;
    for (const std::string& vhost : vhosts) {
        permission& all = who.permissions[vhost];
        for (access_rule* rule : {&all.configure, &all.write, &all.read}) {
            *rule = *access_rule::compile(everything, problem);
        }
    }
}

void access_control::keep(octets user, std::string verifier) {
    user_record* who = edit(user);
    if (who == nullptr) {
        return;
    }
    who->verifier = std::move(verifier);
    write(user, *who);
    if (!std::exchange(who->kept, true)) {
        for (const auto& [vhost, has] : who->permissions) {
            write_permission(user, vhost, has);
        }
        for (const auto& [where, has] : who->topics) {
            write_topics(user, where, has);
        }
    }
}

void access_control::erase_user(octets user) {
    const user_record* who = edit(user);
    if (who == nullptr) {
        return;
    }
    for (const auto& [vhost, has] : who->permissions) {
        settings_.erase(settings_store::key(permission_kind, {vhost, user}));
    }
    for (const auto& [where, has] : who->topics) {
        settings_.erase(
            settings_store::key(topic_permission_kind, {where.first, user, where.second}));
    }
    settings_.erase(settings_store::key(user_kind, {user}));
    users_.erase(users_.find(user));
}

void access_control::set_limits(octets user, user_limits limits) {
    if (user_record* who = edit(user); who != nullptr) {
        who->limits = limits;
        if (who->kept) {
            write(user, *who);
        }
    }
}

std::optional<std::string> access_control::set_permission(
    octets user,
    octets vhost,
    const permission_texts& texts) {
    permission made;
    if (auto problem = compile(texts, made)) {
        return problem;
    }
    user_record* who = edit(user);
    if (who == nullptr) {
        return no_such_user(user);
    }
    permission& kept = who->permissions[std::string(vhost)] = std::move(made);
    if (who->kept) {
        write_permission(user, vhost, kept);
    }
    return std::nullopt;
}

bool access_control::erase_permission(octets user, octets vhost) {
    user_record* who = edit(user);
    if (who == nullptr) {
        return false;
    }
    const auto found = who->permissions.find(vhost);
    if (found == who->permissions.end()) {
        return false;
    }
    who->permissions.erase(found);
    settings_.erase(settings_store::key(permission_kind, {vhost, user}));
    return true;
}

std::optional<std::string> access_control::set_topics(
    octets user,
    octets vhost,
    octets exchange,
    const permission_texts& texts) {
    topic_permission made;
    if (auto problem = compile_topics(user, vhost, texts, made)) {
        return problem;
    }
    user_record* who = edit(user);
    if (who == nullptr) {
        return no_such_user(user);
    }
    const topic_place where{vhost, exchange};
    topic_permission& kept = who->topics[where] = std::move(made);
    if (who->kept) {
        write_topics(user, where, kept);
    }
    return std::nullopt;
}

bool access_control::erase_topics(octets user, octets vhost, octets exchange) {
    user_record* who = edit(user);
    if (who == nullptr) {
        return false;
    }
    return std::erase_if(who->topics, [&](const auto& each) {
               const auto& [home, name] = each.first;
               const bool gone = home == vhost && (exchange.empty() || name == exchange);
               if (gone) {
                   settings_.erase(settings_store::key(topic_permission_kind, {home, user, name}));
               }
               return gone;
           }) != 0;
}

void access_control::forget_vhost(octets vhost) {
    for (auto& [name, who] : users_) {
        erase_permission(name, vhost);
        erase_topics(name, vhost, {});
    }
}

void access_control::load_permission(
    const std::vector<std::string>& names,
    const amqp::table& value,
    std::vector<std::string>& complaints) {
    if (names.size() != 2 || find(names[1]) == nullptr) {
        return;
    }
    if (const auto problem = compile(texts_of(value), edit(names[1])->permissions[names[0]])) {
        complaints.push_back("user " + names[1] + " in vhost " + names[0] + ": " + *problem);
    }
}

void access_control::load_topics(
    const std::vector<std::string>& names,
    const amqp::table& value,
    std::vector<std::string>& complaints) {
    if (names.size() != 3 || find(names[1]) == nullptr) {
        return;
    }
    topic_permission& into = edit(names[1])->topics[{names[0], names[2]}];
    if (const auto problem = compile_topics(names[1], names[0], texts_of(value), into)) {
        complaints.push_back("topics of user " + names[1] + ": " + *problem);
    }
}

bool access_control::load(std::vector<std::string>& complaints) {
    settings_.for_each(user_kind, [&](const auto& names, const amqp::table& value) {
        if (names.size() == 1) {
            users_[names[0]] = decoded(value);
        }
    });
    settings_.for_each(permission_kind, [&](const auto& names, const amqp::table& value) {
        load_permission(names, value, complaints);
    });
    settings_.for_each(topic_permission_kind, [&](const auto& names, const amqp::table& value) {
        load_topics(names, value, complaints);
    });
    ++generation_;
    return !users_.empty();
}

}  // namespace lovage::broker
