#include "framework/amqp/table.hpp"

#include <algorithm>
#include <array>

namespace lovage::amqp {

table::table(std::initializer_list<entry> entries) : entries_(entries) {}

const field_value* table::find(std::string_view name) const {
    const auto found = std::ranges::find(entries_, name, &entry::first);
    return found == entries_.end() ? nullptr : &found->second;
}

void table::set(std::string_view name, field_value value) {
    const auto found = std::ranges::find(entries_, name, &entry::first);
    if (found == entries_.end()) {
        entries_.emplace_back(std::string(name), std::move(value));
    } else {
        found->second = std::move(value);
    }
}

void table::add(std::string name, field_value value) {
    entries_.emplace_back(std::move(name), std::move(value));
}

void table::erase(std::string_view name) {
    std::erase_if(entries_, [&](const entry& e) { return e.first == name; });
}

bool table::operator==(const table&) const = default;
bool field_value::operator==(const field_value&) const = default;

std::optional<std::string_view> field_value::text() const {
    if (const auto* text = as<std::string>()) {
        return *text;
    }
    if (const auto* text = as<short_text>()) {
        return text->text;
    }
    return std::nullopt;
}

std::optional<std::int64_t> field_value::integer() const {
    return std::visit(
        [](const auto& value) -> std::optional<std::int64_t> {
            using type = std::remove_cvref_t<decltype(value)>;
            if constexpr (std::is_integral_v<type> && !std::is_same_v<type, bool>) {
                return value;
            } else if constexpr (std::is_same_v<type, unsigned_long>) {
                return static_cast<std::int64_t>(value.value);
            } else {
                return std::nullopt;
            }
        },
        value_);
}

std::string_view field_value::type_name() const {
    // In the order of the variant's alternatives.
    static constexpr std::array<std::string_view, std::variant_size_v<variant>> names{
        "void",
        "bool",
        "byte",
        "unsignedbyte",
        "short",
        "unsignedshort",
        "signedint",
        "unsignedint",
        "long",
        "long",
        "float",
        "double",
        "decimal",
        "longstr",
        "binary",
        "shortstr",
        "timestamp",
        "array",
        "table"};
    return names[value_.index()];
}

}  // namespace lovage::amqp
