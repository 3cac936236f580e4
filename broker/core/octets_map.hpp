// A hash map by name that is searched by view, so that looking up a name copies nothing.
#pragma once

#include "framework/base/bytes.hpp"

#include <functional>
#include <string>
#include <unordered_map>

namespace lovage::broker {

struct octets_hash {
    using is_transparent = void;
    std::size_t operator()(octets text) const { return std::hash<octets>{}(text); }
};
template <class Value>
using octets_map = std::unordered_map<std::string, Value, octets_hash, std::equal_to<>>;

}  // namespace lovage::broker
