#include "tests/framework/task/shop.hpp"

#include <lovage/task.hpp>

#include <gtest/gtest.h>

#include <type_traits>

using namespace std::chrono_literals;

static_assert(std::is_same_v<decltype(shop::add)::result_type, int>);
static_assert(std::is_same_v<decltype(shop::quiet)::result_type, void>);
static_assert(std::is_same_v<decltype(shop::who)::parameters, lovage::detail::type_list<int>>);
static_assert(shop::fragile.options().retries.max == 2);
static_assert(shop::fragile.options().time_limit == 10s);
static_assert(!std::is_aggregate_v<lovage::signature<int>>, "see the g++ 12 note in how.hpp");

// What a call accepts: see the comment in lovage/task.hpp.
static_assert(decltype(shop::add)::accepts<int, int>);
static_assert(decltype(shop::add)::accepts<const long&, unsigned char>);
static_assert(!decltype(shop::add)::accepts<int>);
static_assert(!decltype(shop::add)::accepts<int, int, int>);
static_assert(!decltype(shop::add)::accepts<int, double>);
static_assert(!decltype(shop::add)::accepts<int, bool>);
static_assert(!decltype(shop::add)::accepts<int, char>);
static_assert(!decltype(shop::add)::accepts<int, const char*>);
static_assert(decltype(shop::length)::accepts<const char (&)[3]>);
static_assert(decltype(shop::length)::accepts<std::string>);
static_assert(decltype(shop::length)::accepts<std::string_view>);
static_assert(!decltype(shop::length)::accepts<int>);
static_assert(decltype(shop::fragile)::accepts<std::string_view>);
static_assert(decltype(shop::total)::accepts<shop::order&>);
static_assert(!decltype(shop::total)::accepts<int>);

namespace {

int twice(int x) {
    return 2 * x;
}
int noexcept_twice(int x) noexcept {
    return 2 * x;
}
constexpr auto average = lovage::task<"demo.average">(
    [](double a, float b) { return (a + static_cast<double>(b)) / 2; });
constexpr auto all =
    lovage::task<"demo.all">([](std::vector<double> v, bool on) { return on ? v.size() : 0; });
constexpr auto tiny = lovage::task<"demo.tiny">([](std::uint8_t n) { return n; });

}  // namespace

TEST(Task, CallRunsTheFunctionHere) {
    EXPECT_EQ(shop::add(2, 3), 5);
    EXPECT_EQ(shop::length("abc"), 3U);
    EXPECT_EQ(shop::named(1, "x", 2), "1x2");
    EXPECT_EQ(shop::named(1, "x", std::nullopt), "1x0");
    EXPECT_THROW(shop::fragile("x"), shop::out_of_stock);
    shop::quiet();
}

TEST(Task, CallPassesAContextOrAnEmptyOne) {
    lovage::context_facts facts;
    facts.task_id = "id";
    facts.retries = 1;
    lovage::context ctx(facts);
    EXPECT_EQ(shop::who(ctx, 5), "id 10");
    EXPECT_EQ(shop::who(5), " 5");
}

TEST(Task, FunctionsAndNoexceptFunctionsAreTasks) {
    constexpr auto a = lovage::task<"math.twice">(twice);
    constexpr auto b = lovage::task<"math.twice">(&noexcept_twice);
    constexpr auto c = lovage::task<"math.twice">([](int x) noexcept { return 2 * x; });
    EXPECT_EQ(a(2) + b(2) + c(2), 12);
    EXPECT_EQ(a.name(), "math.twice");
}

TEST(Signature, HoldsNameQueueAndEncodedArguments) {
    const auto call = shop::fragile.s("gl\u00fc\"ck");
    EXPECT_EQ(call.name(), "shop.fragile");
    EXPECT_EQ(call.queue(), "money");
    EXPECT_EQ(call.time_limit(), 10s);
    EXPECT_FALSE(call.ignore_result());
    EXPECT_EQ(call.args(), "[\"gl\u00fc\\\"ck\"]");
    static_assert(std::is_same_v<decltype(call)::result_type, int>);
}

TEST(Signature, OfARemoteTaskIsTheSame) {
    const auto call = shop::resize.s("pic", 3);
    EXPECT_EQ(call.name(), "images.resize");
    EXPECT_EQ(call.queue(), "pyq");
    EXPECT_EQ(call.args(), R"(["pic",3])");
    static_assert(std::is_same_v<decltype(call)::result_type, std::string>);
}

TEST(Signature, ArgumentsBecomeTheParametersTypes) {
    EXPECT_EQ(average.s(1, 2.5).args(), "[1.0,2.5]");
    EXPECT_EQ(all.s(std::vector<double>{1, 2}, true).args(), "[[1.0,2.0],true]");
    EXPECT_EQ(shop::named.s(1, std::string_view("x"), 2).args(), R"([1,"x",2])");
    EXPECT_EQ(shop::named.s(1, "x", std::nullopt).args(), R"([1,"x",null])");
    EXPECT_EQ(shop::quiet.s().args(), "[]");
}

TEST(Signature, IntegerThatDoesNotFitIsRefusedWhereTheCallIsMade) {
    EXPECT_EQ(tiny.s(255).args(), "[255]");
    for (const int wrong : {256, -1}) {
        try {
            static_cast<void>(tiny.s(wrong));
            FAIL();
        } catch (const lovage::encode_error& problem) {
            EXPECT_EQ(
                std::string(problem.what()),
                "argument 0: " + std::to_string(wrong) + " does not fit the parameter's type");
        }
    }
    EXPECT_THROW(tiny(300), lovage::encode_error);
}

TEST(LocalTask, DirectCallNamesTheArgumentThatDoesNotFit) {
    constexpr auto three = lovage::task<"demo.three">(
        [](std::uint8_t a, std::uint8_t b, std::uint8_t c) { return a + b + c; });
    EXPECT_EQ(three(1, 2, 3), 6);
    const auto complaint = [&](int a, int b, int c) {
        try {
            static_cast<void>(three(a, b, c));
        } catch (const lovage::encode_error& problem) {
            return std::string(problem.what());
        }
        return std::string("none");
    };

    EXPECT_EQ(complaint(300, 2, 3), "argument 0: 300 does not fit the parameter's type");
    EXPECT_EQ(complaint(1, 300, 3), "argument 1: 300 does not fit the parameter's type");
    EXPECT_EQ(complaint(1, 2, 300), "argument 2: 300 does not fit the parameter's type");
}

TEST(Signature, ValueWithoutJsonFormIsRefusedWithItsPath) {
    try {
        static_cast<void>(all.s(std::vector<double>{1, 0.0 / 0.0}, true));
        FAIL();
    } catch (const lovage::encode_error& problem) {
        EXPECT_STREQ(problem.what(), "argument 0: [1]: NaN and infinity have no JSON form");
    }
}

TEST(TaskDefinition, NamesMadeAtRunTimeAreChecked) {
    lovage::task_options options;
    options.names[0] = "a";
    EXPECT_THROW(
        static_cast<void>(lovage::task<"demo.add">([](int a, int b) { return a + b; }, options)),
        std::invalid_argument);
}
