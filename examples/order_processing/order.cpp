#include "examples/order_processing/order.hpp"

#include <boost/json/parse.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <array>

namespace shop {
namespace {

namespace json = boost::json;

constexpr std::int64_t quantity_max = 1000;

bool all_there(const json::object& in, std::initializer_list<std::string_view> names) {
    return std::ranges::all_of(names, [&](std::string_view name) { return in.contains(name); });
}

bool has_all_fields(const json::object& in) {
    if (!all_there(
            in, {"id", "placed_at", "customer", "currency", "items", "coupon", "card", "note"})) {
        return false;
    }
    if (const auto* customer = in.at("customer").if_object();
        customer != nullptr &&
        !all_there(*customer, {"name", "email", "phone", "country", "locale"})) {
        return false;
    }
    if (const auto* card = in.at("card").if_object();
        card != nullptr && !all_there(*card, {"brand", "token"})) {
        return false;
    }
    if (const auto* items = in.at("items").if_array()) {
        return std::ranges::all_of(*items, [](const json::value& item) {
            const auto* object = item.if_object();
            return object == nullptr || all_there(*object, {"sku", "quantity"});
        });
    }
    return true;
}

bool is_text(const json::value& value) {
    return value.is_string();
}
bool is_text_or_null(const json::value& value) {
    return value.is_string() || value.is_null();
}

bool fields_are_right(const json::object& in) {
    const auto* customer = in.at("customer").if_object();
    const auto* card = in.at("card").if_object();
    const auto* items = in.at("items").if_array();
    if (customer == nullptr || card == nullptr || items == nullptr || items->empty()) {
        return false;
    }
    const bool texts = is_text(in.at("id")) && !in.at("id").as_string().empty() &&
                       is_text(in.at("placed_at")) && is_text(in.at("currency")) &&
                       is_text_or_null(in.at("coupon")) && is_text_or_null(in.at("note")) &&
                       is_text(customer->at("name")) && is_text(customer->at("email")) &&
                       is_text(customer->at("country")) && is_text(customer->at("locale")) &&
                       is_text_or_null(customer->at("phone")) && is_text(card->at("brand")) &&
                       is_text(card->at("token"));
    return texts && std::ranges::all_of(*items, [](const json::value& item) {
               const auto* object = item.if_object();
               return object != nullptr && is_text(object->at("sku"));
           });
}

std::string text_of(const json::value& value) {
    return std::string(value.as_string());
}

std::optional<std::string> optional_text_of(const json::value& value) {
    return value.is_null() ? std::nullopt : std::optional{text_of(value)};
}

order order_of(const json::object& in) {
    const auto& customer = in.at("customer").as_object();
    order made;
    made.id = text_of(in.at("id"));
    made.customer_name = text_of(customer.at("name"));
    made.email = text_of(customer.at("email"));
    made.phone = optional_text_of(customer.at("phone"));
    made.country = text_of(customer.at("country"));
    made.currency = text_of(in.at("currency"));
    made.coupon = optional_text_of(in.at("coupon"));
    made.card_token = text_of(in.at("card").as_object().at("token"));
    for (const auto& item : in.at("items").as_array()) {
        const auto& object = item.as_object();
        made.items.push_back({text_of(object.at("sku")), object.at("quantity").as_int64()});
    }
    return made;
}

bool quantities_are_right(const json::object& in) {
    return std::ranges::all_of(in.at("items").as_array(), [](const json::value& item) {
        const auto* quantity = item.as_object().at("quantity").if_int64();
        return quantity != nullptr && *quantity >= 1 && *quantity <= quantity_max;
    });
}

}  // namespace

std::variant<order, malformed> read_order(std::string_view line, const catalogue& goods) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
        return malformed{"empty_line"};
    }
    boost::system::error_code wrong;
    const json::value root = json::parse(line, wrong);
    if (wrong) {
        return malformed{"not_json"};
    }
    const auto* object = root.if_object();
    if (object == nullptr) {
        return malformed{"not_an_object"};
    }
    if (!has_all_fields(*object)) {
        return malformed{"missing_field"};
    }
    if (!fields_are_right(*object)) {
        return malformed{"bad_field"};
    }
    if (!quantities_are_right(*object)) {
        return malformed{"bad_quantity"};
    }
    order made = order_of(*object);
    for (const auto& item : made.items) {
        if (!goods.products.contains(item.sku)) {
            return malformed{"unknown_sku"};
        }
    }
    if (!goods.currencies.contains(made.currency)) {
        return malformed{"unknown_currency"};
    }
    return made;
}

std::int64_t total_minor(const order& what, const catalogue& goods) {
    const currency& in = goods.currencies.find(what.currency)->second;
    std::int64_t scale = 1;
    for (int i = 0; i < in.digits; ++i) {
        scale *= 10;
    }
    std::int64_t subtotal = 0;
    for (const auto& item : what.items) {
        const std::int64_t price = goods.products.find(item.sku)->second.price_eur_cents;
        const std::int64_t unit = (price * in.per_eur_micros * scale + 50'000'000) / 100'000'000;
        subtotal += unit * item.quantity;
    }
    const auto coupon =
        what.coupon ? goods.coupon_percents.find(*what.coupon) : goods.coupon_percents.end();
    const std::int64_t percent = coupon == goods.coupon_percents.end() ? 0 : coupon->second;
    return subtotal - subtotal * percent / 100;
}

card_answer answer_of(std::string_view card_token) {
    if (card_token.ends_with("0002") || card_token.ends_with("0069")) {
        return card_answer::declined;
    }
    return card_token.ends_with("0119") ? card_answer::unavailable_twice
                                        : card_answer::goes_through;
}

}  // namespace shop
