// A program that uses the installed package: a task, a broker in the process, a call, and the
// message that it became.
#include <lovage/broker.hpp>
#include <lovage/lovage.hpp>
#include <lovage/main.hpp>

#include <boost/describe/class.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <string>

namespace shop {

struct order {
    std::string sku;
    int quantity = 0;
    std::optional<std::string> note;
};
BOOST_DESCRIBE_STRUCT(order, (), (sku, quantity, note))

constexpr auto price = lovage::task<"shop.price">(
    [](const order& wanted) { return wanted.quantity * 2.5; },
    {.queue = "shop"});

}  // namespace shop

namespace {

bool check(bool good, const char* what) {
    if (!good) {
        std::cerr << "consumer: " << what << '\n';
    }
    return good;
}

bool send_and_look() {
    lovage::broker::server broker{lovage::broker::server_options{}};
    broker.start();
    lovage::app app{broker.url(), shop::price};
    const auto call = app.delay(shop::price, shop::order{"tea", 4, std::nullopt});

    lovage::connection connection{broker.url()};
    bool good = check(connection.queue_status("shop").messages == 1, "the call is not queued");
    const auto found = connection.get("shop", true);
    good = check(found.has_value(), "the queue gives no message") && good;
    good = check(found && found->message.correlation_id == call.id(), "another call's id") && good;
    good =
        check(found && found->message.body.find("tea") != std::string::npos, "no argument") && good;
    return check(!call.ready(), "a result without a worker") && good;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc > 1) {
            lovage::app app{lovage::app_options{}, shop::price};
            return lovage::main(argc, argv, app);
        }
        if (!check(shop::price(shop::order{"tea", 4, std::nullopt}) == 10, "wrong price") ||
            !send_and_look()) {
            return EXIT_FAILURE;
        }
        std::cout << "all is well\n";
        return EXIT_SUCCESS;
    } catch (const std::exception& error) {
        std::cerr << "consumer: " << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
