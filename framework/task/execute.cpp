#include "framework/task/execute.hpp"

#include "framework/task/retry.hpp"

#include <lovage/control.hpp>

#include <boost/core/demangle.hpp>

#include <algorithm>
#include <cxxabi.h>
#include <exception>
#include <typeinfo>
#include <utility>

namespace lovage {

namespace {

/// Nested exceptions that a traceback shows; a chain can be longer only by mistake.
constexpr int nested_exceptions_max = 16;

std::string type_name(const std::type_info* type) {
    return type == nullptr ? "unknown" : boost::core::demangle(type->name());
}

void append_nested(std::string& out, const std::exception& outer, int depth) {
    if (depth == nested_exceptions_max) {
        return;
    }
    const auto* nested = dynamic_cast<const std::nested_exception*>(&outer);
    if (nested == nullptr || nested->nested_ptr() == nullptr) {
        return;
    }
    try {
        nested->rethrow_nested();
    } catch (const std::exception& inner) {
        out += "caused by " + type_name(&typeid(inner)) + ": " + inner.what() + "\n";
        append_nested(out, inner, depth + 1);
    } catch (...) {
        out += "caused by " + type_name(abi::__cxa_current_exception_type()) + "\n";
    }
}

failure describe(const std::exception& problem) {
    failure out{type_name(&typeid(problem)), problem.what(), "cpp", {}};
    out.traceback = out.type + ": " + out.message + "\n";
    append_nested(out.traceback, problem, 0);
    return out;
}

outcome rejected(reject_reason reason, failure problem) {
    outcome out;
    out.kind = outcome_kind::rejected;
    out.reason = reason;
    out.problem = std::move(problem);
    return out;
}

outcome failed(failure problem) {
    outcome out;
    out.kind = outcome_kind::failed;
    out.problem = std::move(problem);
    return out;
}

outcome repeated(failure problem, std::chrono::milliseconds delay, bool counts_attempt) {
    outcome out;
    out.kind = outcome_kind::retry;
    out.problem = std::move(problem);
    out.delay = std::clamp(delay, milliseconds(0), delay_max);
    out.counts_attempt = counts_attempt;
    return out;
}

outcome retry_or_fail(
    const retry_policy& policy,
    std::int64_t retries,
    std::uint64_t random,
    failure problem) {
    if (retries >= policy.max) {
        return failed(std::move(problem));
    }
    return repeated(std::move(problem), backoff(policy, retries, random), true);
}

outcome asked_retry(const retry_policy& policy, std::int64_t retries, const retry_after& asked) {
    const int most = policy.max > 0 ? policy.max : retry_after_max_default;
    if (retries >= most) {
        const std::string text = asked.what();
        return failed(
            {"MaxRetriesExceededError",
             text.empty() ? "no retries left" : text,
             "celery.exceptions",
             {}});
    }
    return repeated({"Retry", asked.what(), "celery.exceptions", {}}, asked.delay(), true);
}

outcome finish(run_status status, std::string text) {
    switch (status) {
        case run_status::bad_arguments:
            return rejected(
                reject_reason::bad_arguments, {"TypeError", std::move(text), "builtins", {}});
        case run_status::bad_result:
            return failed({"EncodeError", std::move(text), "kombu.exceptions", {}});
        case run_status::done: break;
    }
    outcome out;
    out.value = std::move(text);
    return out;
}

outcome run_entry(
    const task_entry& entry,
    const task_message& message,
    context& ctx,
    std::uint64_t random) {
    const retry_policy& policy = entry.options().retries;
    const std::int64_t retries = message.head.retries;
    std::string text;
    try {
        const run_status status = entry.run(message.args, message.kwargs, ctx, text);
        return finish(status, std::move(text));
    } catch (const retry_after& asked) {
        return asked_retry(policy, retries, asked);
    } catch (const snooze& asked) {
        return repeated({"Retry", asked.what(), "celery.exceptions", {}}, asked.delay(), false);
    } catch (const cancel& asked) {
        outcome out;
        out.kind = outcome_kind::cancelled;
        out.problem = revoked_failure(asked.what());
        return out;
    } catch (const reject& asked) {
        return rejected(reject_reason::by_task, {"Reject", asked.what(), "celery.exceptions", {}});
    } catch (const std::exception& problem) {
        return retry_or_fail(policy, retries, random, describe(problem));
    } catch (const abi::__forced_unwind&) {
        throw;  // the thread is being cancelled; swallowing this would end the process
    } catch (...) {
        return retry_or_fail(policy, retries, random, current_failure());
    }
}

}  // namespace

std::string_view reject_name(reject_reason reason) {
    switch (reason) {
        case reject_reason::none: return "none";
        case reject_reason::by_task: return "rejected";
        case reject_reason::unknown_task: return "unknown_task";
        case reject_reason::bad_arguments: return "bad_arguments";
        case reject_reason::unsupported: return "unsupported";
        case reject_reason::crashed: return "worker_lost";
    }
    return "none";
}

outcome execute(
    const registry& tasks,
    const task_message& message,
    context& ctx,
    std::uint64_t random) {
    const task_entry* entry = tasks.find(message.head.task);
    if (entry == nullptr) {
        return rejected(reject_reason::unknown_task, unknown_task_failure(message.head.task));
    }
    if (ctx.crashes() >= entry->options().max_crashes) {
        return rejected(
            reject_reason::crashed,
            worker_lost_failure(
                std::to_string(ctx.crashes()) + " worker processes died of this task"));
    }
    return run_entry(*entry, message, ctx, random);
}

context_facts context_of(const task_message& message) {
    context_facts facts;
    facts.task_id = message.head.id;
    facts.task_name = message.head.task;
    facts.retries = message.head.retries;
    facts.headers = &message.head.headers;
    return facts;
}

failure current_failure() {
    try {
        throw;
    } catch (const std::exception& problem) {
        return describe(problem);
    } catch (...) {
        failure out{type_name(abi::__cxa_current_exception_type()), {}, "cpp", {}};
        out.traceback = out.type + "\n";
        return out;
    }
}

failure unknown_task_failure(std::string_view task) {
    return {"NotRegistered", std::string(task), "celery.exceptions", {}};
}

failure revoked_failure(std::string_view reason) {
    return {"TaskRevokedError", std::string(reason), "celery.exceptions", {}};
}

failure time_limit_failure(std::chrono::milliseconds limit) {
    std::string seconds = std::to_string(limit.count() / 1000);
    if (limit.count() % 1000 != 0) {
        const std::string rest = std::to_string(1000 + limit.count() % 1000);
        seconds += "." + rest.substr(1);
    }
    return {"TimeLimitExceeded", seconds, "billiard.exceptions", {}};
}

failure worker_lost_failure(std::string_view what) {
    return {"WorkerLostError", std::string(what), "billiard.exceptions", {}};
}

}  // namespace lovage
