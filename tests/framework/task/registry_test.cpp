#include "tests/framework/task/shop.hpp"

#include <lovage/registry.hpp>

#include <gtest/gtest.h>

using lovage::registration_error;
using lovage::registry;
using lovage::task_entry;
using namespace std::chrono_literals;

namespace {

task_entry entry(std::string name, const lovage::task_options& options = {}) {
    return {std::move(name), options, [](const auto&, const auto&, auto&, std::string& text) {
                text = "null";
                return lovage::run_status::done;
            }};
}

std::string refusal_of(std::vector<task_entry> entries) {
    try {
        const registry made(std::move(entries));
        return "no error";
    } catch (const registration_error& problem) {
        EXPECT_EQ(problem.code(), lovage::errc::invalid_registration);
        return problem.what();
    }
}

}  // namespace

TEST(Registry, FindsWhatWasListed) {
    const registry tasks({shop::total, shop::add, shop::fragile});
    ASSERT_NE(tasks.find("demo.add"), nullptr);
    EXPECT_EQ(tasks.find("demo.add")->name(), "demo.add");
    EXPECT_EQ(tasks.find("shop.fragile")->options().queue, "money");
    EXPECT_EQ(tasks.find("demo.ad"), nullptr);
    EXPECT_EQ(tasks.find("demo.added"), nullptr);
    EXPECT_EQ(tasks.find(""), nullptr);
    EXPECT_EQ(tasks.entries().size(), 3U);
    EXPECT_EQ(tasks.entries().front().name(), "demo.add");
}

TEST(Registry, EmptyOneKnowsNothing) {
    EXPECT_EQ(registry().find("demo.add"), nullptr);
}

TEST(Registry, DuplicateIsRefusedByName) {
    EXPECT_EQ(
        refusal_of({shop::add, shop::total, entry("demo.add")}),
        "task \"demo.add\" is registered twice");
}

TEST(Registry, InvalidNamesAreRefused) {
    const std::vector<std::string> names{
        "", "a b", "a\n", "caf\u00e9", "a\"b", "a'b", "a\\b", std::string(256, 'a')};
    for (const std::string& name : names) {
        EXPECT_NE(refusal_of({entry(name)}).find("is not a valid name"), std::string::npos) << name;
    }
    EXPECT_EQ(refusal_of({entry(std::string(255, 'a')), entry("<lambda>:1/x-y_z")}), "no error");
}

TEST(Registry, OptionsThatMakeNoSenseAreRefused) {
    EXPECT_EQ(
        refusal_of({entry("t", {.retries = {.max = -1}})}),
        "task \"t\" has a negative number of retries");
    EXPECT_EQ(
        refusal_of({entry("t", {.retries = {.base = -1s}})}),
        "task \"t\" has a negative retry delay");
    EXPECT_EQ(
        refusal_of({entry("t", {.time_limit = -1s})}), "task \"t\" has a negative time limit");
    EXPECT_NE(refusal_of({entry("t", {.max_crashes = 0})}), "no error");
}
