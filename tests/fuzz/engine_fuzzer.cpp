// libFuzzer target: octets of one connection into the whole engine. The first octet says how: bit 0
// a connection that is logged in and has a channel open, bit 1 input in small pieces, bit 2 the
// disk is as fast as memory, bit 3 the clock ticks between the pieces, bit 4 no message that nobody
// takes at once stays in memory. Any complaint of the journal and any broken invariant aborts.
#include "broker/core/engine.hpp"
#include "framework/amqp/method_codec.hpp"
#include "tests/broker/core/fake_journal.hpp"
#include "tests/broker/core/fake_pages.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

using namespace lovage;
using namespace lovage::broker;

class session {
public:
    explicit session(bool paged)
        : engine_(paged ? test::always_paged() : engine_options{}, journal_, [this] {
              return next_random();
          }) {
        engine_.use(pages_);
        id_ = engine_.connected({"fuzz", true}, output_, clock_);
    }

    void feed(octets more) {
        input_ += more;
        // A copy of exactly these octets, so that reading beyond them is seen.
        const std::string offered = input_;
        const std::size_t used = engine_.received(id_, offered, clock_);
        input_.erase(0, used);
        after_event();
        if (answer_logins() && !input_.empty()) {
            feed({});
        }
        engine_.drained(id_, 0, clock_);
        after_event();
    }
    void sync() {
        engine_.durable(journal_.last(), clock_);
        after_event();
        feed({});
    }
    void tick() {
        clock_.now += milliseconds{700};
        clock_.wall += milliseconds{700};
        engine_.tick(clock_);
        after_event();
    }
    void log_in() {
        byte_buffer out;
        out.append(amqp::protocol_header);
        amqp::connection::start_ok start;
        start.mechanism = "PLAIN";
        start.response = {octets{"\0guest\0guest", 12}};
        amqp::write_method(out, 0, start);
        amqp::write_method(out, 0, amqp::connection::tune_ok{2047, 131072, 1});
        amqp::connection::open open;
        open.virtual_host = "/";
        amqp::write_method(out, 0, open);
        amqp::write_method(out, 1, amqp::channel::open{});
        amqp::queue::declare queue;
        queue.queue = "q";
        queue.durable = true;
        amqp::write_method(out, 1, queue);
        feed(out.view());
        sync();
    }
    void end() {
        engine_.disconnected(id_, clock_);
        after_event();
    }

private:
    std::array<unsigned char, 16> next_random() {
        std::array<unsigned char, 16> bytes{};
        bytes.front() = ++serial_;
        return bytes;
    }
    /// True if the connection goes on by it.
    bool answer_logins() {
        if (asked_.empty()) {
            return false;
        }
        for (const password_check& each : std::exchange(asked_, {})) {
            engine_.password_checked(each.who, each.password == "guest", clock_);
            after_event();
        }
        return true;
    }
    void after_event() {
        output_.clear();
        const auto& checks = engine_.take_effects().password_checks;
        asked_.insert(asked_.end(), checks.begin(), checks.end());
        engine_.check_invariants();
        for (const std::string& complaint : journal_.complaints()) {
            std::fprintf(stderr, "journal: %s\n", complaint.c_str());
            std::abort();
        }
        if (const auto segment = pages_.sealed()) {
            pages_.written();
            engine_.segment_written(*segment, true, clock_);
            after_event();
        }
    }

    clock_reading clock_{
        time_point{std::chrono::hours{1}},
        wall_time{milliseconds{1'700'000'000'000}}};
    lovage::broker::test::fake_journal journal_;
    lovage::broker::test::fake_pages pages_;
    byte_buffer output_;
    unsigned char serial_ = 0;
    engine engine_;
    connection_id id_{};
    std::string input_;
    std::vector<password_check> asked_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const unsigned how = data[0];
    octets input{reinterpret_cast<const char*>(data) + 1, size - 1};
    session run{(how & 16U) != 0};
    if ((how & 1U) != 0) {
        run.log_in();
    }
    const std::size_t piece = (how & 2U) != 0 ? 1 + how / 16 : size;
    while (!input.empty()) {
        run.feed(input.substr(0, piece));
        input.remove_prefix(std::min(piece, input.size()));
        if ((how & 4U) != 0) {
            run.sync();
        }
        if ((how & 8U) != 0) {
            run.tick();
        }
    }
    run.end();
    return 0;
}
