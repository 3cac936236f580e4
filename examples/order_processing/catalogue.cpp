#include "examples/order_processing/catalogue.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace shop {

catalogue read_catalogue(const std::string& path) {
    std::ifstream file{path};
    if (!file) {
        throw std::runtime_error("cannot read the stock file " + path);
    }
    std::ostringstream text;
    text << file.rdbuf();
    catalogue goods;
    try {
        const auto root = boost::json::parse(text.str());
        for (const auto& entry : root.at("products").as_array()) {
            goods.products[boost::json::value_to<std::string>(entry.at("sku"))] = {
                boost::json::value_to<std::string>(entry.at("name")),
                entry.at("price_eur_cents").as_int64(),
                entry.at("stock").as_int64()};
        }
        for (const auto& [name, entry] : root.at("currencies").as_object()) {
            goods.currencies[std::string(name)] = {
                static_cast<int>(entry.at("digits").as_int64()),
                entry.at("per_eur_micros").as_int64()};
        }
        for (const auto& [name, entry] : root.at("coupons").as_object()) {
            goods.coupon_percents[std::string(name)] = entry.at("percent").as_int64();
        }
    } catch (const std::exception& wrong) {
        throw std::runtime_error("stock file " + path + ": " + wrong.what());
    }
    return goods;
}

}  // namespace shop
