#include "tests/workers/core/support.hpp"

#include <charconv>

namespace lovage::workers::test {

namespace {

constexpr auto add = task<"t.add">([](int a, int b) { return a + b; });
constexpr auto slow = task<"t.slow">([] {}, {.time_limit = std::chrono::seconds(5)});
constexpr auto large =
    task<"t.large">([](int octets) { return std::string(static_cast<std::size_t>(octets), 'x'); });
constexpr auto fragile = task<"t.fragile">([] {}, {.max_crashes = 2});

}  // namespace

registry test_tasks() {
    return registry(std::vector<task_entry>{
        task_entry(add), task_entry(slow), task_entry(fragile), task_entry(large)});
}

sent_message make_call(
    std::string_view task,
    const std::string& id,
    const how& way,
    std::string args) {
    const any_signature call(task, task_options{}, std::move(args));
    outgoing_message out = make_message(call, way, {id, "replies", "gen1@host", {}, {}, epoch});
    return {std::move(out.properties), std::move(out.body)};
}

pool_fixture::pool_fixture(std::size_t executors) : pool_(tasks_, rules_, executors) {}

void pool_fixture::start() {
    pool_.start();
    for (const start_executor& one : all<start_executor>()) {
        pool_.executor_started(one.executor, now());
    }
    clear();
}

std::uint64_t pool_fixture::deliver(
    const sent_message& message,
    bool redelivered,
    client::consumer_id consumer) {
    const std::string properties = encode_properties(message.properties);
    const message_view view{"work", properties, message.body, redelivered, losses_counted_};
    const std::uint64_t tag = next_tag_++;
    pool_.delivered({consumer, 1, tag}, view, 42, now());
    pool_.check_invariants();
    collect();
    return tag;
}

void pool_fixture::answer_success(executor_id executor, std::string value) {
    outcome result;
    result.value = std::move(value);
    answer_outcome(executor, std::move(result));
}

void pool_fixture::answer_outcome(executor_id executor, outcome result) {
    answer what;
    what.result = std::move(result);
    pool_.answered(executor, std::move(what), now());
    pool_.check_invariants();
    collect();
}

void pool_fixture::collect() {
    for (effect& one : pool_.effects()) {
        if (const auto* result = std::get_if<publish_result>(&one)) {
            last_result_ = pool_.result_of(result->delivery)->body;
            unconfirmed_.emplace_back(
                [this, id = result->delivery] { pool_.result_published(id, false); });
        } else if (const auto* follow = std::get_if<publish_follow_up>(&one)) {
            unconfirmed_.emplace_back(
                [this, id = follow->delivery] { pool_.follow_up_published(id, false, now()); });
        }
        seen_.push_back(std::move(one));
    }
    pool_.effects().clear();
}

void pool_fixture::confirm_all() {
    collect();
    const auto confirms = std::exchange(unconfirmed_, {});
    for (const auto& confirm : confirms) {
        confirm();
        pool_.check_invariants();
    }
    collect();
}

void pool_fixture::advance(milliseconds time) {
    now_ += time;
    wall_ += time;
    pool_.tick(now());
    pool_.check_invariants();
    collect();
}

std::vector<std::string> pool_fixture::notes() {
    std::vector<std::string> out;
    for (const note& one : all<note>()) {
        out.emplace_back(one.event);
    }
    return out;
}

std::string header_text(const std::string& properties, std::string_view name) {
    const auto read = amqp::read_properties(properties);
    const amqp::field_value* found = read && read->headers ? read->headers->find(name) : nullptr;
    if (found == nullptr) {
        return "-";
    }
    if (const auto text = found->text()) {
        return std::string(*text);
    }
    return found->integer() ? std::to_string(*found->integer()) : "?";
}

}  // namespace lovage::workers::test
