// The order-processing example: `order_processing demo` shows it all; `order_processing worker` and
// the other verbs are those of any lovage application.
#include "examples/order_processing/demo.hpp"
#include "examples/order_processing/tasks.hpp"

#include <lovage/app.hpp>
#include <lovage/main.hpp>

#include <exception>
#include <iostream>
#include <string_view>

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "demo") {
        try {
            return shop::run_demo(argc - 1, argv + 1);
        } catch (const std::exception& error) {
            std::cerr << "order_processing demo: " << error.what() << '\n';
            return 1;
        }
    }
    lovage::app app{
        lovage::app_options{}, shop::charge, shop::invoice, shop::coupon, shop::email, shop::sms};
    return lovage::main(argc, argv, app);
}
