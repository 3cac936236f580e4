#include "framework/task/header_values.hpp"

#include "framework/task/utf8.hpp"

#include <cmath>
#include <limits>
#include <type_traits>

namespace lovage {

namespace {

boost::json::value text_to_json(const std::string& text) {
    return is_utf8(text) ? boost::json::value(text) : boost::json::value(nullptr);
}

boost::json::value list_to_json(const amqp::field_array& list) {
    boost::json::array out;
    out.reserve(list.size());
    for (const amqp::field_value& part : list) {
        out.push_back(header_to_json(part));
    }
    return out;
}

boost::json::value table_to_json(const amqp::table& table) {
    boost::json::object out;
    for (const auto& [name, value] : table) {
        out[name] = header_to_json(value);
    }
    return out;
}

template <class T>
boost::json::value alternative_to_json(const T& value) {
    if constexpr (std::is_same_v<T, std::monostate>) {
        return nullptr;
    } else if constexpr (std::is_same_v<T, bool>) {
        return value;
    } else if constexpr (std::is_floating_point_v<T>) {
        return std::isfinite(value) ? boost::json::value(static_cast<double>(value)) : nullptr;
    } else if constexpr (std::is_arithmetic_v<T>) {
        return std::int64_t{value};
    } else if constexpr (std::is_same_v<T, amqp::unsigned_long>) {
        return static_cast<std::int64_t>(value.value);
    } else if constexpr (std::is_same_v<T, amqp::decimal>) {
        return value.value / std::pow(10.0, value.scale);
    } else if constexpr (std::is_same_v<T, amqp::timestamp>) {
        return value.seconds;
    } else if constexpr (std::is_same_v<T, amqp::byte_array>) {
        return text_to_json(value.octets);
    } else if constexpr (std::is_same_v<T, amqp::short_text>) {
        return text_to_json(value.text);
    } else if constexpr (std::is_same_v<T, std::string>) {
        return text_to_json(value);
    } else if constexpr (std::is_same_v<T, amqp::field_array>) {
        return list_to_json(value);
    } else {
        return table_to_json(value);
    }
}

}  // namespace

boost::json::value header_to_json(const amqp::field_value& value) {
    return std::visit([](const auto& held) { return alternative_to_json(held); }, value.get());
}

amqp::field_value header_from_json(const boost::json::value& value) {
    switch (value.kind()) {
        case boost::json::kind::null: return {};
        case boost::json::kind::bool_: return value.get_bool();
        case boost::json::kind::int64: {
            const std::int64_t number = value.get_int64();
            if (std::in_range<std::int32_t>(number)) {
                return static_cast<std::int32_t>(number);
            }
            return number;
        }
        case boost::json::kind::uint64:
            // Above the signed range: a double says at least how large it was.
            return static_cast<double>(value.get_uint64());
        case boost::json::kind::double_: return value.get_double();
        case boost::json::kind::string:
            return std::string(value.get_string().data(), value.get_string().size());
        case boost::json::kind::array: {
            amqp::field_array list;
            for (const boost::json::value& part : value.get_array()) {
                list.push_back(header_from_json(part));
            }
            return list;
        }
        case boost::json::kind::object: break;
    }
    amqp::table table;
    for (const auto& entry : value.get_object()) {
        table.add(
            std::string(entry.key().data(), entry.key().size()), header_from_json(entry.value()));
    }
    return table;
}

}  // namespace lovage
