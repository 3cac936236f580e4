// Task messages and results as a peer may send them: properties with headers, a JSON body. What is
// read is executed with tasks of several kinds of parameters; nothing may crash, and what is
// refused must say why.
#include "framework/amqp/properties.hpp"
#include "framework/task/envelope.hpp"
#include "framework/task/execute.hpp"
#include "framework/task/result_message.hpp"
#include "tests/fuzz/fuzzing.hpp"

#include <lovage/task.hpp>

#include <boost/describe/class.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fuzzed {

struct parcel {
    std::string name;
    std::optional<int> weight;
    std::vector<std::map<std::string, double>> prices;
};
BOOST_DESCRIBE_STRUCT(parcel, (), (name, weight, prices))

constexpr auto add = lovage::task<"add">([](int a, unsigned char b) { return a + b; });
constexpr auto pack = lovage::task<"pack">(
    [](const parcel& what) { return what.prices.size(); },
    {.names = {"what"}});
constexpr auto echo = lovage::task<"echo">([](boost::json::value any) { return any; });

}  // namespace fuzzed

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace lovage;
    static const registry tasks{std::vector<task_entry>{
        task_entry(fuzzed::add), task_entry(fuzzed::pack), task_entry(fuzzed::echo)}};
    fuzz::input in{data, size};
    const auto kind = in.octet();
    amqp::basic_properties properties;
    properties.content_type = "application/json";
    properties.content_encoding = "utf-8";
    if ((kind & 1U) != 0) {
        const auto encoded = in.take(in.octet());
        properties = amqp::read_properties(encoded).value_or(properties);
    } else {
        const char* names[] = {"add", "pack", "echo", "none"};
        properties.headers = amqp::table{{"task", names[(kind >> 1U) & 3U]}, {"id", "1"}};
    }
    const octets body = in.rest();

    task_message message;
    if (const auto refused = read_task_message(properties, body, message)) {
        fuzz::require(!refused->text.empty());
    } else {
        context ctx{context_of(message)};
        static_cast<void>(execute(tasks, message, ctx, 1));
    }
    std::string reason;
    if (!read_result(properties, body, reason)) {
        fuzz::require(!reason.empty());
    }
    return 0;
}
