// What operators set and restarts must not change: users, permissions, policies, limits. A map from
// keys to values, each written to the journal when it changes and again when its file is to go.
// Owned by the engine; access control, policies and vhosts keep theirs in it. Who puts or erases
// must call engine::definition_logged(), so that no answer runs ahead of the disk.
#pragma once

#include "broker/core/journal.hpp"
#include "framework/amqp/table.hpp"

#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lovage::broker {

class settings_store {
public:
    explicit settings_store(journal& log) : log_(log) {}

    /// `kind` and the names, unambiguously; kinds are short words.
    [[nodiscard]] static std::string key(octets kind, std::initializer_list<octets> names);
    /// The names of a key of that kind; nothing if it is of another.
    [[nodiscard]] static std::optional<std::vector<std::string>> names(octets kind, octets key);

    /// Replaces what was there.
    void put(const std::string& key, const amqp::table& value);
    /// False if there was nothing.
    bool erase(const std::string& key);
    [[nodiscard]] bool contains(octets key) const { return kept_.find(key) != kept_.end(); }
    /// Calls `take` with the names and the value of each of that kind, in the order of their keys.
    void for_each(
        octets kind,
        const std::function<void(const std::vector<std::string>&, const amqp::table&)>& take) const;

    /// Recovery: as the log had it. False if the value cannot be read.
    bool restore(octets key, octets value, journal_location where);
    /// Writes what lies in that file of the log again.
    void rewrite(std::uint64_t file);

private:
    struct kept_value {
        std::string encoded;
        journal_location where;
    };

    journal& log_;
    std::map<std::string, kept_value, std::less<>> kept_;
};

}  // namespace lovage::broker
