#include "tests/framework/task/shop.hpp"

#include <lovage/registry.hpp>

#include <gtest/gtest.h>

using lovage::parse_json;
using lovage::run_status;
using lovage::task_entry;

namespace {

struct ran {
    run_status status;
    std::string text;
    bool operator==(const ran&) const = default;
};
std::ostream& operator<<(std::ostream& out, const ran& what) {
    return out << static_cast<int>(what.status) << " " << what.text;
}

ran run(const task_entry& entry, std::string_view args, std::string_view kwargs = "{}") {
    lovage::context ctx;
    ran out{};
    out.status =
        entry.run(parse_json(args).as_array(), parse_json(kwargs).as_object(), ctx, out.text);
    return out;
}

ran done(std::string text) {
    return {run_status::done, std::move(text)};
}
ran bad(std::string text) {
    return {run_status::bad_arguments, std::move(text)};
}

}  // namespace

TEST(Arguments, PositionalOnesAreDecodedAndTheResultEncoded) {
    EXPECT_EQ(run(shop::add, "[2, 3]"), done("5"));
    EXPECT_EQ(
        run(shop::total, R"([{"number": 1, "items": [{"sku": "x", "quantity": 4}]}])"), done("4"));
    EXPECT_EQ(run(shop::length, R"(["abc"])"), done("3"));
    EXPECT_EQ(run(shop::quiet, "[]"), done("null"));
}

TEST(Arguments, KeywordsGoByTheDeclaredNames) {
    EXPECT_EQ(run(shop::named, R"([1, "x", 2])"), done("\"1x2\""));
    EXPECT_EQ(run(shop::named, "[1]", R"({"text": "x", "rest": 2})"), done("\"1x2\""));
    EXPECT_EQ(run(shop::named, "[]", R"({"rest": 2, "text": "x", "a": 1})"), done("\"1x2\""));
}

TEST(Arguments, OptionalParametersMayMiss) {
    EXPECT_EQ(run(shop::named, R"([1, "x"])"), done("\"1x0\""));
    EXPECT_EQ(run(shop::named, R"([1, "x", null])"), done("\"1x0\""));
}

TEST(Arguments, WrongCountsAreRefused) {
    EXPECT_EQ(run(shop::add, "[1]"), bad("missing argument 1, got 1 of 2"));
    EXPECT_EQ(run(shop::add, "[1, 2, 3]"), bad("expected 2 arguments, got 3"));
    EXPECT_EQ(run(shop::named, "[1]"), bad("missing argument 1 (text), got 1 of 3"));
    EXPECT_EQ(run(shop::quiet, "[1]"), bad("expected 0 arguments, got 1"));
}

TEST(Arguments, WrongKeywordsAreRefused) {
    EXPECT_EQ(run(shop::named, "[1]", R"({"txt": "x"})"), bad("unknown keyword argument \"txt\""));
    EXPECT_EQ(run(shop::named, "[1]", R"({"a": 2})"), bad("argument \"a\" given twice"));
    EXPECT_EQ(
        run(shop::add, "[1]", R"({"b": 2})"),
        bad("the task declares no parameter names, so it takes no keyword arguments"));
    EXPECT_EQ(run(shop::quiet, "[]", R"({"b": 2})"), bad("unknown keyword argument \"b\""));
}

TEST(Arguments, WrongTypesAreRefusedWithTheirPath) {
    EXPECT_EQ(run(shop::add, R"([1, "x"])"), bad("argument 1: expected integer, got string \"x\""));
    EXPECT_EQ(
        run(shop::total,
            R"([{"number": 1, "items": [{"sku": "a", "quantity": 1}, {"sku": "a", "quantity": "x"}]}])"),
        bad("argument 0: .items[1].quantity: expected integer, got string \"x\""));
    EXPECT_EQ(
        run(shop::add, "[1, 2147483648]"),
        bad("argument 1: expected integer from -2147483648 to 2147483647, got integer 2147483648"));
}

TEST(Arguments, ContextIsInjected) {
    lovage::context_facts facts;
    facts.task_id = "id-7";
    facts.retries = 2;
    lovage::context ctx(facts);
    std::string text;
    const auto status = task_entry(shop::who).run({5}, {}, ctx, text);
    EXPECT_EQ(status, run_status::done);
    EXPECT_EQ(text, "\"id-7 15\"");
}

TEST(Arguments, ResultWithoutJsonFormIsReported) {
    constexpr auto nan = lovage::task<"demo.nan">([](double x) { return std::vector{1.0, x / x}; });
    EXPECT_EQ(
        run(nan, "[0]"), (ran{run_status::bad_result, "[1]: NaN and infinity have no JSON form"}));
}

TEST(Arguments, ValueAndRvalueParametersAreTaken) {
    constexpr auto sink =
        lovage::task<"demo.sink">([](std::vector<std::string> v, std::string&& s) {
            v.push_back(std::move(s));
            return v;
        });
    EXPECT_EQ(run(sink, R"([["a"], "b"])"), done(R"(["a","b"])"));
}
