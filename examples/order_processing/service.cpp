#include "examples/order_processing/service.hpp"

#include "examples/order_processing/database.hpp"
#include "examples/order_processing/tasks.hpp"

#include <chrono>
#include <fstream>
#include <set>
#include <stdexcept>
#include <vector>

namespace shop {
namespace {

using clock = std::chrono::steady_clock;

/// Orders whose tasks go to the broker together: their confirms are awaited once.
constexpr std::size_t orders_per_batch = 50;

double ms_since(clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(clock::now() - begin).count();
}

class order_taker {
public:
    order_taker(lovage::app& app, catalogue goods, const std::string& database_path)
        : app_(app), goods_(std::move(goods)), shop_(database_path) {}

    void take(std::string_view line) {
        const auto begin = clock::now();
        ++report_.lines;
        const auto read = read_order(line, goods_);
        if (const auto* wrong = std::get_if<malformed>(&read)) {
            ++report_.refused[wrong->reason];
        } else {
            place(std::get<order>(read));
        }
        report_.core_ms += ms_since(begin);
        if (placed_.size() >= orders_per_batch) {
            flush();
        }
    }

    service_report finish() {
        flush();
        return report_;
    }

private:
    void place(const order& wanted) {
        if (!known_ids_.insert(wanted.id).second) {
            ++report_.refused["duplicate"];
        } else if (!reserve(wanted)) {
            ++report_.refused["out_of_stock"];
        } else if (answer_of(wanted.card_token) == card_answer::declined) {
            give_back(wanted);
            ++report_.refused["card_declined"];
        } else {
            ++report_.placed;
            placed_.push_back(wanted);
        }
    }

    /// For the whole order or not at all; an article may stand on two lines.
    bool reserve(const order& wanted) {
        std::map<std::string_view, std::int64_t> pieces;
        for (const auto& item : wanted.items) {
            pieces[item.sku] += item.quantity;
        }
        for (const auto& [sku, count] : pieces) {
            if (goods_.products.find(sku)->second.stock < count) {
                return false;
            }
        }
        for (const auto& [sku, count] : pieces) {
            goods_.products.find(sku)->second.stock -= count;
        }
        return true;
    }

    void give_back(const order& wanted) {
        for (const auto& item : wanted.items) {
            goods_.products.find(item.sku)->second.stock += item.quantity;
        }
    }

    /// Stored first, then enqueued: a task never meets an order that is not there.
    void flush() {
        auto begin = clock::now();
        shop_.begin();
        for (const auto& each : placed_) {
            shop_.store(each, total_minor(each, goods_));
        }
        shop_.commit();
        report_.core_ms += ms_since(begin);

        begin = clock::now();
        std::vector<lovage::signature<std::string>> calls;
        for (const auto& each : placed_) {
            calls.push_back(charge.s(each.id));
            calls.push_back(invoice.s(each.id));
            calls.push_back(coupon.s(each.id));
            calls.push_back(email.s(each.id));
            if (each.phone) {
                calls.push_back(sms.s(each.id));
            }
        }
        app_.send_all(calls);
        report_.tasks += static_cast<std::int64_t>(calls.size());
        report_.enqueue_ms += ms_since(begin);
        placed_.clear();
    }

    lovage::app& app_;
    catalogue goods_;
    database shop_;
    std::set<std::string> known_ids_;
    std::vector<order> placed_;  // stock reserved, not yet stored
    service_report report_;
};

}  // namespace

service_report take_orders(
    lovage::app& app,
    catalogue goods,
    const service_files& files,
    const std::function<void(std::int64_t)>& progress) {
    std::ifstream in{files.orders, std::ios::binary};
    if (!in) {
        throw std::runtime_error("cannot read the orders in " + files.orders);
    }
    order_taker taker{app, std::move(goods), files.database};
    std::int64_t lines = 0;
    for (std::string line; std::getline(in, line);) {
        taker.take(line);
        progress(++lines);
    }
    return taker.finish();
}

}  // namespace shop
