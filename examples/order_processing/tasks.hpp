// The tasks of the shop: what is done for an order after it was taken. Each looks the order up,
// does its work and notes in the database that it did; running twice changes nothing.
#pragma once

#include <lovage/task.hpp>

#include <chrono>
#include <string>

namespace shop {

using namespace std::chrono_literals;

/// Where the workers find the shop's database; inherited from who starts them.
inline constexpr const char* database_variable = "SHOP_DATABASE";

/// What the tasks do; tasks.cpp.
std::string charge_card(lovage::context& ctx, const std::string& order_id);
std::string write_invoice(lovage::context& ctx, const std::string& order_id);
std::string grant_coupon(lovage::context& ctx, const std::string& order_id);
std::string send_email(lovage::context& ctx, const std::string& order_id);
std::string send_sms(lovage::context& ctx, const std::string& order_id);

/// Collects the money. The gateway may be unavailable, so it is tried again.
inline constexpr auto charge = lovage::task<"orders.charge">(
    &charge_card,
    {.queue = "payments",
     .retries = {.max = 5, .base = 100ms, .cap = 2s},
     .time_limit = 30s,
     .ignore_result = true});
inline constexpr auto invoice = lovage::task<"orders.invoice">(
    &write_invoice,
    {.queue = "paperwork", .time_limit = 30s, .ignore_result = true});
/// A coupon for the next purchase.
inline constexpr auto coupon = lovage::task<"orders.coupon">(
    &grant_coupon,
    {.queue = "paperwork", .time_limit = 30s, .ignore_result = true});
inline constexpr auto email = lovage::task<"orders.email">(
    &send_email,
    {.queue = "messages", .time_limit = 30s, .ignore_result = true});
/// Fails for numbers that the network does not know; that is final.
inline constexpr auto sms = lovage::task<"orders.sms">(
    &send_sms,
    {.queue = "messages", .time_limit = 30s, .ignore_result = true});

}  // namespace shop
