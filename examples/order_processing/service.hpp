// The order service: reads orders, does what must be done at once (validate, reserve stock, ask the
// card's issuer, store) and hands the rest to the workers. It returns when the broker has every
// task, not when the tasks are done.
#pragma once

#include "examples/order_processing/catalogue.hpp"

#include <lovage/app.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace shop {

struct service_report {
    std::int64_t lines = 0;
    std::int64_t placed = 0;
    std::map<std::string, std::int64_t> refused;  ///< by reason
    std::int64_t tasks = 0;                       ///< handed to the broker
    double core_ms = 0;                           ///< of all orders together
    double enqueue_ms = 0;
};

struct service_files {
    std::string orders;
    std::string database;
};

/// `progress` is called after each line with the number of lines read.
service_report take_orders(
    lovage::app& app,
    catalogue goods,
    const service_files& files,
    const std::function<void(std::int64_t)>& progress);

}  // namespace shop
