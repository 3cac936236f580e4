// The engine without sockets, disk or clock, driven through a pipe: target `memory` of the
// conformance tests. One command a line on stdin, `octets` followed by that many octets; answers
// on stdout: `output ID SIZE` with its octets, `closed ID`, `reply STATUS SIZE` with its octets,
// `fault TEXT`, and `done MS` at the end of each command, MS being the time that has passed. The
// disk is as fast as memory, time moves only by `advance`, names are generated from a count, a
// password is its own verifier. One thread; what is wrong with a command ends it.
//
//   reset | connect ID | octets ID SIZE | gone ID | advance MS | disk_alarm 0|1 | shut_down
//   api VERB TARGET BODY_SIZE REASON_SIZE: a request of guest's to the management API, followed by
//     its body and the reason (header X-Reason)
#include "broker/admin/resources.hpp"
#include "broker/core/engine.hpp"
#include "tests/broker/core/fake_journal.hpp"
#include "tests/broker/core/fake_pages.hpp"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace lovage;
using namespace lovage::broker;

constexpr time_point start_now{std::chrono::hours{1}};
constexpr wall_time start_wall{milliseconds{1'700'000'000'000}};
constexpr milliseconds tick_interval{100};

std::string verifier_of(const std::string& password) {
    return "plain$" + password;
}

struct api_request {
    std::string verb;
    std::string target;
    std::string body;
    std::string reason;
};

class driver final : public management_backend {
public:
    driver()
        : engine_(
              test::paging_wanted() ? test::always_paged() : engine_options{},
              journal_,
              [this] { return next_random(); }) {
        engine_.use(pages_);
        engine_.tick(clock_);  // users are there from the first event on
        after_event();
    }

    void connect(std::uint64_t name) {
        peer& made = peers_[name];
        made.output = std::make_unique<byte_buffer>();
        made.id = engine_.connected({"memory", true}, *made.output, clock_);
        after_event();
    }
    void octets_came(std::uint64_t name, const std::string& more) {
        const auto found = peers_.find(name);
        if (found != peers_.end()) {  // else it was closed while they were under way
            found->second.input += more;
            found->second.readable = true;
            after_event();
        }
    }
    void gone(std::uint64_t name) {
        const auto found = peers_.find(name);
        if (found != peers_.end()) {
            const connection_id id = found->second.id;
            engine_.disconnected(id, clock_);
            peers_.erase(found);
            after_event();
        }
    }
    void advance(milliseconds by) {
        while (by > milliseconds{0}) {
            const milliseconds step = std::min({by, tick_interval, until_expiry()});
            clock_.now += step;
            clock_.wall += step;
            by -= step;
            engine_.tick(clock_);
            after_event();
        }
    }
    void disk_alarm(bool on) {
        engine_.disk_alarm(on, clock_);
        after_event();
    }
    void shut_down() {
        engine_.shut_down(clock_);
        after_event();
    }
    void ask(const api_request& what) {
        static const api_routes routes = all_routes();
        routes.answer(
            *this,
            {boost::beast::http::string_to_verb(what.verb), what.target, what.body, what.reason},
            api_caller{"guest", {std::string(administrator_tag)}},
            [](const api_reply& reply) {
                std::cout << "reply " << static_cast<unsigned>(reply.status) << ' '
                          << reply.body.size() << '\n'
                          << reply.body;
            });
    }
    [[nodiscard]] milliseconds passed() const {
        return std::chrono::duration_cast<milliseconds>(clock_.now - start_now);
    }

    [[nodiscard]] management_view management_snapshot() const override {
        management_view view;
        view.queues = engine_.queue_statuses();
        view.exchanges = engine_.exchange_statuses();
        view.connections = engine_.connection_count();
        return view;
    }
    [[nodiscard]] const engine& state() const override { return engine_; }
    void change(const std::function<void(engine&)>& what) override {
        engine_.administer(what, clock_);
        after_event();
    }
    void when_durable(std::function<void()> done) override { done(); }
    void log_in(
        const std::string& /*name*/,
        const std::string& /*password*/,
        const api_client& /*from*/,
        std::function<void(std::optional<api_caller>)> done) override {
        done(std::nullopt);  // ask() has no need of it
    }
    void hash_password(std::string password, std::function<void(std::optional<std::string>)> done)
        override {
        done(verifier_of(password));
    }
    [[nodiscard]] bool is_verifier(const std::string& /*text*/) const override { return false; }

private:
    struct peer {
        connection_id id{};
        std::unique_ptr<byte_buffer> output;
        std::string input;
        bool readable = false;  ///< input that the engine has not been offered as it is now
        bool close = false;
    };

    std::array<unsigned char, 16> next_random() {
        std::array<unsigned char, 16> bytes{};
        ++serial_;
        for (std::size_t i = 0; i < sizeof serial_; ++i) {
            bytes[bytes.size() - 1 - i] = static_cast<unsigned char>(serial_ >> (8 * i));
        }
        return bytes;
    }
    /// At least a millisecond, so that time goes on while dead letters wait for the next event.
    [[nodiscard]] milliseconds until_expiry() const {
        const auto due = engine_.next_expiry_ms();
        const auto now = static_cast<std::uint64_t>(clock_.wall.time_since_epoch().count());
        return due ? milliseconds{std::clamp<std::uint64_t>(*due > now ? *due - now : 0, 1, 100)}
                   : tick_interval;
    }
    /// What a driver does until the engine wants nothing more.
    void after_event() {
        do {
            look_at_effects();
            check();
        } while (go_on());
    }
    void look_at_effects() {
        const effects caused = engine_.take_effects();
        for (auto& [name, each] : peers_) {
            each.close = each.close || std::ranges::count(caused.close, each.id) != 0;
            each.readable = each.readable || std::ranges::count(caused.resume, each.id) != 0;
        }
        checks_.insert(checks_.end(), caused.password_checks.begin(), caused.password_checks.end());
        hashes_.insert(hashes_.end(), caused.password_hashes.begin(), caused.password_hashes.end());
    }
    /// True if there was one.
    bool answer_password() {
        if (!hashes_.empty()) {
            const password_to_hash next = hashes_.front();
            hashes_.pop_front();
            engine_.password_hashed(next.verifier, verifier_of(next.password), clock_);
            return true;
        }
        if (!checks_.empty()) {
            const password_check next = checks_.front();
            checks_.pop_front();
            engine_.password_checked(next.who, next.verifier == verifier_of(next.password), clock_);
            return true;
        }
        return false;
    }
    bool go_on() {
        if (answer_password()) {
            return true;
        }
        for (auto& [name, each] : peers_) {
            if (!each.output->empty()) {
                const octets out = each.output->view();
                std::cout << "output " << name << ' ' << out.size() << '\n' << out;
                each.output->clear();
                engine_.drained(each.id, 0, clock_);
                return true;
            }
            if (each.close) {
                std::cout << "closed " << name << '\n';
                engine_.disconnected(each.id, clock_);
                peers_.erase(name);
                return true;
            }
            if (std::exchange(each.readable, false)) {
                // A copy of exactly these octets, so that a sanitizer sees who keeps a view of
                // them.
                const std::vector<char> offered{each.input.begin(), each.input.end()};
                each.input.erase(
                    0, engine_.received(each.id, {offered.data(), offered.size()}, clock_));
                return true;
            }
        }
        if (const auto segment = pages_.sealed()) {
            pages_.written();
            engine_.segment_written(*segment, true, clock_);
            return true;
        }
        if (journal_.last() > synced_) {
            synced_ = journal_.last();
            engine_.durable(synced_, clock_);
            return true;
        }
        return false;
    }
    void check() {
        engine_.check_invariants();
        for (const std::string& complaint : journal_.complaints()) {
            std::cout << "fault " << complaint << '\n';
        }
    }

    lovage::broker::test::fake_journal journal_;
    lovage::broker::test::fake_pages pages_;
    clock_reading clock_{start_now, start_wall};
    std::uint64_t serial_ = 0;
    engine engine_;
    std::map<std::uint64_t, peer> peers_;
    std::deque<password_check> checks_;
    std::deque<password_to_hash> hashes_;
    lsn synced_ = 0;
};

/// So many octets of the input.
std::string read_octets(std::size_t size) {
    std::string input(size, '\0');
    std::cin.read(input.data(), static_cast<std::streamsize>(size));
    return input;
}

bool carry_out_request(driver& broker) {
    api_request what;
    std::size_t body_size = 0;
    std::size_t reason_size = 0;
    if (!(std::cin >> what.verb >> what.target >> body_size >> reason_size)) {
        return false;
    }
    std::cin.get();  // the end of the line
    what.body = read_octets(body_size);
    what.reason = read_octets(reason_size);
    broker.ask(what);
    return static_cast<bool>(std::cin);
}

bool carry_out(std::unique_ptr<driver>& broker, const std::string& command) {
    std::uint64_t number = 0;
    if (command == "api") {
        return carry_out_request(*broker);
    }
    if (command == "reset") {
        broker = std::make_unique<driver>();
    } else if (command == "shut_down") {
        broker->shut_down();
    } else if (!(std::cin >> number)) {
        return false;
    } else if (command == "connect") {
        broker->connect(number);
    } else if (command == "gone") {
        broker->gone(number);
    } else if (command == "advance") {
        broker->advance(milliseconds{number});
    } else if (command == "disk_alarm") {
        broker->disk_alarm(number != 0);
    } else if (std::size_t size = 0; command == "octets" && std::cin >> size) {
        std::cin.get();  // the end of the line
        broker->octets_came(number, read_octets(size));
    } else {
        return false;
    }
    return static_cast<bool>(std::cin);
}

}  // namespace

int main() {
    std::ios::sync_with_stdio(false);
    std::cin.tie(nullptr);
    auto broker = std::make_unique<driver>();
    std::string command;
    while (std::cin >> command) {
        if (!carry_out(broker, command)) {
            std::cerr << "engine_in_memory: wrong command " << command << '\n';
            return 2;
        }
        std::cout << "done " << broker->passed().count() << '\n' << std::flush;
    }
    return 0;
}
