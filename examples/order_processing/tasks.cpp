#include "examples/order_processing/tasks.hpp"

#include "examples/order_processing/database.hpp"

#include <lovage/control.hpp>

#include <cstdlib>
#include <functional>
#include <stdexcept>

namespace shop {
namespace {

/// One database a thread, opened when the first task runs: prefork's children each get their own.
database& shared_database() {
    thread_local const auto open = [] {
        const char* path = std::getenv(database_variable);
        if (path == nullptr) {
            throw std::runtime_error(
                std::string(database_variable) + " does not name the shop's database");
        }
        return std::make_unique<database>(path);
    }();
    return *open;
}

std::uint64_t fingerprint(const std::string& text) {
    std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a, so that a second run says the same
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    }
    return hash;
}

/// Looks up the order, runs `work` on it and notes how it ended and how long it took.
template <class Work>
std::string work_on(lovage::context& ctx, const std::string& order_id, Work&& work) {
    const auto begin = std::chrono::steady_clock::now();
    database& shop = shared_database();
    const auto found = shop.find(order_id);
    if (!found) {
        throw lovage::reject("there is no order " + order_id);
    }
    const auto note = [&](const char* result, const std::string& detail) {
        const std::chrono::duration<double, std::milli> run =
            std::chrono::steady_clock::now() - begin;
        shop.record(
            {std::string(ctx.name()), order_id, result, ctx.attempt(), detail, run.count()});
    };
    try {
        const std::string detail = work(*found);
        note("done", detail);
        return detail;
    } catch (const lovage::cancel& final) {
        note("failed", final.what());
        throw;
    } catch (const std::exception& wrong) {
        note("retried", wrong.what());
        throw;
    }
}

}  // namespace

std::string charge_card(lovage::context& ctx, const std::string& order_id) {
    return work_on(ctx, order_id, [&](const stored_order& what) {
        if (answer_of(what.card_token) == card_answer::unavailable_twice && ctx.attempt() <= 2) {
            throw std::runtime_error("the payment gateway is unavailable");
        }
        return "charge-" + std::to_string(fingerprint(order_id) % 1'000'000'000);
    });
}

std::string write_invoice(lovage::context& ctx, const std::string& order_id) {
    return work_on(ctx, order_id, [&](const stored_order& what) {
        return "Invoice for " + what.customer_name + ": " + std::to_string(what.total_minor) +
               " minor units " + what.currency;
    });
}

std::string grant_coupon(lovage::context& ctx, const std::string& order_id) {
    return work_on(ctx, order_id, [&](const stored_order& what) {
        return "THANKS-" + std::to_string(fingerprint(order_id + what.email) % 1'000'000);
    });
}

std::string send_email(lovage::context& ctx, const std::string& order_id) {
    return work_on(
        ctx, order_id, [&](const stored_order& what) { return "sent to " + what.email; });
}

std::string send_sms(lovage::context& ctx, const std::string& order_id) {
    return work_on(ctx, order_id, [&](const stored_order& what) {
        if (what.phone.ends_with("13")) {
            throw lovage::cancel("the network does not know the number " + what.phone);
        }
        return "sent to " + what.phone;
    });
}

}  // namespace shop
