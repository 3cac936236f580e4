// Tasks of the app's tests.
#pragma once

#include <lovage/task.hpp>

#include <stdexcept>
#include <string>

namespace lovage::test {

inline constexpr auto add = lovage::task<"test.add">([](int a, int b) { return a + b; });
inline constexpr auto greet = lovage::task<"test.greet">(
    [](const std::string& name, int times) {
        std::string text;
        for (int i = 0; i < times; ++i) {
            text += "hello " + name + " ";
        }
        return text;
    },
    {.names = {"name", "times"}});
inline constexpr auto fail =
    lovage::task<"test.fail">([](const std::string& why) { throw std::runtime_error(why); });
inline constexpr auto nothing = lovage::task<"test.nothing">([] {});

}  // namespace lovage::test
