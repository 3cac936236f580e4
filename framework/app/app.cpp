#include "framework/app/address.hpp"
#include "framework/app/app_engine.hpp"
#include "framework/app/publication.hpp"
#include "framework/task/call.hpp"
#include "framework/task/json_parse.hpp"
#include "framework/task/python_repr.hpp"
#include "framework/task/task_id.hpp"

#include <lovage/app.hpp>

#include <boost/asio/ip/host_name.hpp>
#include <boost/asio/system_executor.hpp>

#include <mutex>
#include <random>
#include <unistd.h>
#include <utility>

namespace lovage {
namespace {

wall_time wall_now() {
    return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

std::uint64_t entropy() {
    std::random_device device;
    return (std::uint64_t{device()} << 32U) | device();
}

/// One generator a thread, seeded again in a forked child: two processes must not make the same
/// ids.
std::string next_task_id() {
    struct generator {
        task_id_generator ids{entropy(), entropy()};
        unsigned generation = fork_generation();
    };
    thread_local generator mine;
    if (mine.generation != fork_generation()) {
        mine = generator{};
    }
    return mine.ids.next();
}

std::string origin_of_process() {
    boost::system::error_code ignored;
    return "gen" + std::to_string(::getpid()) + "@" + boost::asio::ip::host_name(ignored);
}

/// One delay for what the broker holds back; nothing for what is due.
milliseconds delay_of(const outgoing_message& message, wall_time now) {
    return message.due && *message.due > now ? *message.due - now : milliseconds(0);
}

}  // namespace

/// What an app is without connections. Lives as long as the app; its engine is made when needed.
class app_core {
public:
    app_core(app_options options, registry tasks)
        : options_(std::move(options)), tasks_(std::move(tasks)) {
        options_.url = effective_url(options_.url);
        address_ = parse_address(options_.url);
    }
    ~app_core() {
        try {
            stop();
        } catch (...) {  // a destructor that cannot say goodbye goes without
        }
    }
    app_core(const app_core&) = delete;
    app_core& operator=(const app_core&) = delete;

    [[nodiscard]] const app_options& options() const { return options_; }
    [[nodiscard]] const registry& tasks() const { return tasks_; }

    std::shared_ptr<app_engine> engine() {
        const std::scoped_lock lock(mutex_);
        if (stopped_) {
            throw broker_error(broker_errc::stopped, 0, "the app is stopped");
        }
        if (engine_ != nullptr && engine_->generation() != fork_generation()) {
            // The parent's: its thread does not exist here and its sockets are not ours to use.
            // Never destroyed, because that would wait for the thread.
            static_cast<void>(new std::shared_ptr<app_engine>(std::move(engine_)));
            engine_ = nullptr;
        }
        if (engine_ == nullptr) {
            engine_ =
                std::make_shared<app_engine>(options_, address_, "lovage.reply." + next_task_id());
            origin_ = origin_of_process();
        }
        return engine_;
    }
    /// Valid after engine().
    [[nodiscard]] const std::string& origin() const { return origin_; }

    void stop() {
        std::shared_ptr<app_engine> last;
        {
            const std::scoped_lock lock(mutex_);
            stopped_ = true;
            last = engine_;
        }
        if (last != nullptr && last->generation() == fork_generation()) {
            last->stop();
        }
    }

private:
    app_options options_;
    registry tasks_;
    net::uri address_;
    std::string origin_;
    std::mutex mutex_;
    std::shared_ptr<app_engine> engine_;
    bool stopped_ = false;
};

namespace {

/// A call made ready on the caller's thread; only sending is left to the I/O thread.
outgoing_call prepare(
    app_core& core,
    const std::shared_ptr<app_engine>& engine,
    outgoing_message message,
    std::string id,
    bool ignored,
    wall_time now) {
    outgoing_call call;
    call.queue = message.queue.empty() ? core.options().default_queue : message.queue;
    call.delay = delay_of(message, now);
    call.slot = std::make_shared<detail::reply_slot>(
        std::move(id), ignored, core.options().result_timeout, engine);
    call.message = make_publication(std::move(message), call.queue);
    return call;
}

outgoing_call prepare_call(
    app_core& core,
    const std::shared_ptr<app_engine>& engine,
    const any_signature& what,
    const how& way) {
    const wall_time now = wall_now();
    const bool ignored = way.ignores_result().value_or(what.ignore_result());
    call_facts facts;
    facts.id = way.id().empty() ? next_task_id() : way.id();
    facts.origin = core.origin();
    facts.now = now;
    if (!ignored) {
        facts.reply_to = engine->reply_queue();
    }
    std::string id = facts.id;
    return prepare(
        core, engine, make_message(what, way, std::move(facts)), std::move(id), ignored, now);
}

}  // namespace

app::app(app_options options, registry tasks)
    : core_(std::make_shared<app_core>(std::move(options), std::move(tasks))) {}
app::~app() {
    if (core_ != nullptr) {
        try {
            core_->stop();
        } catch (...) {  // as in ~app_core
        }
    }
}
app::app(app&&) noexcept = default;
app& app::operator=(app&&) noexcept = default;

const registry& app::tasks() const {
    return core_->tasks();
}
const app_options& app::options() const {
    return core_->options();
}
void app::stop() {
    core_->stop();
}

app::slot_ptr app::start_send(const any_signature& call, const how& way) {
    const auto engine = core_->engine();
    outgoing_call prepared = prepare_call(*core_, engine, call, way);
    slot_ptr slot = prepared.slot;
    engine->send(std::move(prepared));
    return slot;
}

app::slot_ptr app::send_one(const any_signature& call, const how& way) {
    slot_ptr slot = start_send(call, way);
    wait_confirmed({slot});
    return slot;
}

void app::wait_confirmed(const std::vector<slot_ptr>& slots) {
    if (core_->engine()->is_io_thread()) {
        throw std::logic_error(
            "lovage: sending on the I/O thread would never end; use async_send, or give the "
            "handler an executor of its own");
    }
    std::exception_ptr first;
    for (const slot_ptr& slot : slots) {
        try {
            slot->wait_confirmed();
        } catch (...) {
            first = first == nullptr ? std::current_exception() : first;
        }
    }
    if (first != nullptr) {
        std::rethrow_exception(first);
    }
}

void app::async_send_slot(
    const core_ptr& core,
    const any_signature& call,
    const how& way,
    sent handler) {
    std::shared_ptr<app_engine> engine;
    std::exception_ptr error;
    try {
        engine = core->engine();
        outgoing_call prepared = prepare_call(*core, engine, call, way);
        prepared.handler.emplace(std::move(handler), engine->executor());
        engine->send(std::move(prepared));
        return;
    } catch (...) {
        error = std::current_exception();
    }
    pending_completion<slot_ptr>(std::move(handler), boost::asio::system_executor())(
        error, nullptr);
}

handle<boost::json::value> app::send_raw(
    std::string_view name,
    std::string_view args,
    std::string_view kwargs,
    const how& way) {
    if (!parse_json(args).is_array()) {
        throw decode_error("the arguments of a call are a JSON list");
    }
    if (!parse_json(kwargs).is_object()) {
        throw decode_error("the keyword arguments of a call are a JSON object");
    }
    const auto engine = core_->engine();
    const task_entry* known = tasks().find(name);
    const task_options options = known != nullptr ? known->options() : task_options{};
    const any_signature what(name, options, std::string(args));
    const wall_time now = wall_now();
    const bool ignored = way.ignores_result().value_or(what.ignore_result());
    call_facts facts;
    facts.id = way.id().empty() ? next_task_id() : way.id();
    facts.origin = core_->origin();
    facts.now = now;
    if (!ignored) {
        facts.reply_to = engine->reply_queue();
    }
    std::string id = facts.id;
    outgoing_message message = make_message(what, way, std::move(facts));
    message.body = write_body(args, kwargs);
    if (message.properties.headers) {
        message.properties.headers->set("kwargsrepr", std::string_view(kwargs_repr(kwargs)));
    }
    outgoing_call call = prepare(*core_, engine, std::move(message), std::move(id), ignored, now);
    slot_ptr slot = call.slot;
    engine->send(std::move(call));
    wait_confirmed({slot});
    return handle<boost::json::value>(std::move(slot));
}

}  // namespace lovage
