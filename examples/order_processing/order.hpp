// An order as it stands on a line of the input, and why a line may be no order. See README.md.
#pragma once

#include "examples/order_processing/catalogue.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace shop {

struct order_item {
    std::string sku;
    std::int64_t quantity = 0;
};

struct order {
    std::string id;
    std::string customer_name;
    std::string email;
    std::optional<std::string> phone;
    std::string country;
    std::string currency;
    std::vector<order_item> items;
    std::optional<std::string> coupon;
    std::string card_token;
};

/// Why a line is refused: empty_line, not_json, missing_field, ...
struct malformed {
    std::string reason;
};

/// Reads one line; the first reason that applies, in the order of README.md.
[[nodiscard]] std::variant<order, malformed> read_order(
    std::string_view line,
    const catalogue& goods);

/// What the customer pays, in minor units of the order's currency.
[[nodiscard]] std::int64_t total_minor(const order& what, const catalogue& goods);

/// What the card's issuer will say, which the test cards' last digits tell.
enum class card_answer { goes_through, declined, unavailable_twice };
[[nodiscard]] card_answer answer_of(std::string_view card_token);

}  // namespace shop
