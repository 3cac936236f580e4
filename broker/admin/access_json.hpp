// Users' limits and permissions as the management API shows them, in RabbitMQ's names; shared by
// the files of users, permissions and limits.
#pragma once

#include "broker/core/access.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <utility>

namespace lovage::broker {

inline boost::json::object user_limits_json(const user_limits& limits) {
    boost::json::object shown;
    if (limits.connections) {
        shown["max-connections"] = *limits.connections;
    }
    if (limits.channels) {
        shown["max-channels"] = *limits.channels;
    }
    return shown;
}

inline boost::json::object permission_json(
    const std::string& user,
    const std::string& vhost,
    const permission& has) {
    return {
        {"user", user},
        {"vhost", vhost},
        {"configure", has.configure.text()},
        {"write", has.write.text()},
        {"read", has.read.text()}};
}

inline boost::json::object topic_permission_json(
    const std::string& user,
    const topic_place& where,
    const topic_permission& has) {
    return {
        {"user", user},
        {"vhost", where.first},
        {"exchange", where.second},
        {"write", has.write_text},
        {"read", has.read_text}};
}

}  // namespace lovage::broker
