#include "broker/core/settings_store.hpp"

#include "broker/core/vhost.hpp"
#include "framework/amqp/table_codec.hpp"

#include <utility>

namespace lovage::broker {

std::string settings_store::key(octets kind, std::initializer_list<octets> names) {
    byte_buffer out;
    out.append(kind);
    out.append(octets{"\0", 1});
    for (const octets name : names) {
        amqp::write_long_string(out, name);
    }
    return std::string(out.view());
}

std::optional<std::vector<std::string>> settings_store::names(octets kind, octets key) {
    if (key.size() <= kind.size() || !key.starts_with(kind) || key[kind.size()] != '\0') {
        return std::nullopt;
    }
    std::vector<std::string> found;
    amqp::wire_reader in{key.substr(kind.size() + 1)};
    while (in.ok() && !in.at_end()) {
        found.emplace_back(in.long_string());
    }
    return in.ok() ? std::optional{std::move(found)} : std::nullopt;
}

void settings_store::put(const std::string& key, const amqp::table& value) {
    kept_value& kept = kept_[key];
    kept.encoded = encode_table(value);
    const journal_location before = std::exchange(kept.where, log_.setting_put(key, kept.encoded));
    if (before.record_octets != 0) {
        log_.released(before);
    }
}

bool settings_store::erase(const std::string& key) {
    const auto found = kept_.find(key);
    if (found == kept_.end()) {
        return false;
    }
    log_.setting_erased(key);
    log_.released(found->second.where);
    kept_.erase(found);
    return true;
}

void settings_store::for_each(
    octets kind,
    const std::function<void(const std::vector<std::string>&, const amqp::table&)>& take) const {
    const std::string first = key(kind, {});
    for (auto each = kept_.lower_bound(first);
         each != kept_.end() && each->first.starts_with(first);
         ++each) {
        if (const auto found = names(kind, each->first)) {
            amqp::wire_reader in{each->second.encoded};
            take(*found, amqp::read_table(in));
        }
    }
}

bool settings_store::restore(octets key, octets value, journal_location where) {
    amqp::wire_reader in{value};
    amqp::skip_table(in);
    if (!in.ok() || !in.at_end()) {
        return false;
    }
    kept_[std::string(key)] = {std::string(value), where};
    return true;
}

void settings_store::rewrite(std::uint64_t file) {
    for (auto& [key, kept] : kept_) {
        if (kept.where.record_octets != 0 && kept.where.file == file) {
            const journal_location before =
                std::exchange(kept.where, log_.setting_put(key, kept.encoded));
            log_.released(before);
        }
    }
}

}  // namespace lovage::broker
