// What the shop sells: products with their stock, currencies, coupons. Read once from stock.json.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace shop {

struct product {
    std::string name;
    std::int64_t price_eur_cents = 0;
    std::int64_t stock = 0;
};
struct currency {
    int digits = 2;
    std::int64_t per_eur_micros = 1'000'000;
};

struct catalogue {
    std::map<std::string, product, std::less<>> products;
    std::map<std::string, currency, std::less<>> currencies;
    std::map<std::string, std::int64_t, std::less<>> coupon_percents;
};

/// Throws std::runtime_error naming the file and what is wrong with it.
[[nodiscard]] catalogue read_catalogue(const std::string& path);

}  // namespace shop
