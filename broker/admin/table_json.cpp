#include "broker/admin/table_json.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <cmath>
#include <type_traits>

namespace lovage::broker {
namespace {

namespace json = boost::json;
using amqp::field_value;

json::value value_of(const field_value& what);

struct to_json {
    json::value operator()(std::monostate) const { return nullptr; }
    json::value operator()(bool flag) const { return flag; }
    template <class Number>
        requires std::is_arithmetic_v<Number>
    json::value operator()(Number number) const {
        if constexpr (std::is_floating_point_v<Number>) {
            return static_cast<double>(number);
        } else {
            return number;
        }
    }
    json::value operator()(amqp::unsigned_long number) const { return number.value; }
    json::value operator()(const amqp::decimal& number) const {
        return number.value / std::pow(10.0, number.scale);
    }
    json::value operator()(const std::string& text) const { return json::string(text); }
    json::value operator()(const amqp::byte_array& text) const { return json::string(text.octets); }
    json::value operator()(const amqp::short_text& text) const { return json::string(text.text); }
    json::value operator()(amqp::timestamp time) const { return time.seconds; }
    json::value operator()(const amqp::field_array& list) const {
        json::array all;
        for (const field_value& each : list) {
            all.push_back(value_of(each));
        }
        return all;
    }
    json::value operator()(const amqp::table& inner) const { return json_of(inner); }
};

json::value value_of(const field_value& what) {
    return std::visit(to_json{}, what.get());
}

field_value field_of(const json::value& what) {
    switch (what.kind()) {
        case json::kind::null: return field_value{};
        case json::kind::bool_: return field_value{what.get_bool()};
        case json::kind::int64: return field_value{what.get_int64()};
        case json::kind::uint64: return field_value{static_cast<double>(what.get_uint64())};
        case json::kind::double_: return field_value{what.get_double()};
        case json::kind::string: return field_value{std::string_view(what.get_string())};
        case json::kind::array: break;
        case json::kind::object: return field_value{table_of(what.get_object())};
    }
    amqp::field_array list;
    for (const json::value& each : what.get_array()) {
        list.push_back(field_of(each));
    }
    return field_value{std::move(list)};
}

}  // namespace

json::object json_of(const amqp::table& what) {
    json::object shown;
    for (const auto& [name, value] : what) {
        shown.emplace(name, value_of(value));
    }
    return shown;
}

amqp::table table_of(const json::object& what) {
    amqp::table made;
    for (const auto& [name, value] : what) {
        made.add(std::string(name), field_of(value));
    }
    return made;
}

}  // namespace lovage::broker
