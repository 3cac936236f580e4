#include "framework/amqp/capabilities.hpp"

namespace lovage::amqp {

bool has_capability(const table& properties, std::string_view capability) {
    const field_value* all = properties.find("capabilities");
    const auto* told = all == nullptr ? nullptr : all->as<table>();
    const field_value* value = told == nullptr ? nullptr : told->find(capability);
    const bool* set = value == nullptr ? nullptr : value->as<bool>();
    return set != nullptr && *set;
}

}  // namespace lovage::amqp
