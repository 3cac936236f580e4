#include "tests/broker/core/harness.hpp"

#include <algorithm>

namespace lovage::broker::test {
namespace {

constexpr wall_time start_of_tests{milliseconds{1'700'000'000'000}};

std::string describe(std::uint8_t type, octets payload) {
    amqp::method_id id;
    amqp::method method;
    std::string text = "frame of type " + std::to_string(type);
    if (type != 1 || amqp::read_method(payload, id, method) != amqp::method_error::none) {
        return text + ", " + std::to_string(payload.size()) + " octets";
    }
    text += ", method " + std::to_string(id.class_id) + "," + std::to_string(id.method);
    if (const auto* close = std::get_if<amqp::channel::close>(&method)) {
        text += " " + std::string(close->reply_text);
    }
    if (const auto* close = std::get_if<amqp::connection::close>(&method)) {
        text += " " + std::string(close->reply_text);
    }
    return text;
}

void fail(const where_t& where, const std::string& text) {
    ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line())) << text;
}

}  // namespace

std::array<unsigned char, 16> counted_random() {
    static unsigned char serial = 0;
    std::array<unsigned char, 16> bytes{};
    bytes.back() = ++serial;
    return bytes;
}

amqp::basic_properties received_message::read() const {
    return amqp::read_properties(properties).value_or(amqp::basic_properties{});
}

// client

client::client(broker_under_test& home, bool loopback) : home_(home) {
    id_ = home.engine_->connected({"test", loopback}, *output_, home.clock_);
}

void client::send_frame(std::uint8_t type, std::uint16_t channel, octets payload) {
    byte_buffer out;
    amqp::write_number(out, type);
    amqp::write_number(out, channel);
    amqp::write_long_string(out, payload);
    amqp::write_number(out, amqp::frame_end);
    send_octets(out.view());
}

void client::send_octets(octets input) {
    const std::size_t piece =
        home_.chunk == 0 ? std::max<std::size_t>(input.size(), 1) : home_.chunk;
    while (!input.empty()) {
        const octets part = input.substr(0, piece);
        input_ += part;
        input.remove_prefix(part.size());
        home_.feed(*this);
    }
}

void client::publish(std::uint16_t channel, const outgoing_message& what) {
    byte_buffer out;
    amqp::basic::publish method;
    method.exchange = what.exchange;
    method.routing_key = what.routing_key;
    method.mandatory = what.mandatory;
    amqp::write_method(out, channel, method);
    byte_buffer properties;
    amqp::write_properties(properties, what.properties);
    amqp::write_content_header(out, channel, what.body.size(), properties.view());
    amqp::write_body(out, channel, what.body, 4096);
    send_octets(out.view());
}

void client::ack(std::uint16_t channel, std::uint64_t tag, bool multiple) {
    send(channel, amqp::basic::ack{tag, multiple});
}

void client::nack(std::uint16_t channel, std::uint64_t tag, bool requeue, bool multiple) {
    send(channel, amqp::basic::nack{tag, multiple, requeue});
}

void client::log_in(const login_options& how, where_t where) {
    send_octets(amqp::protocol_header);
    expect<amqp::connection::start>(0, where);
    const std::string nul(1, '\0');
    const std::string response = nul + how.user + nul + how.password;
    send(0, plain_login(response, how));
    expect<amqp::connection::tune>(0, where);
    send(0, amqp::connection::tune_ok{how.channel_max, how.frame_max, how.heartbeat});
    amqp::connection::open open;
    open.virtual_host = how.vhost;
    send(0, open);
    expect<amqp::connection::open_ok>(0, where);
    open_channel(1, where);
}

void client::open_channel(std::uint16_t channel, where_t where) {
    send(channel, amqp::channel::open{});
    expect<amqp::channel::open_ok>(channel, where);
}

void client::vanish() {
    home_.disconnect(*this);
    home_.follow_up();
}

void client::take_output() {
    const octets fresh = output_->view();
    transcript_ += fresh;
    partial_ += fresh;
    output_->clear();
    octets rest = partial_;
    for (;;) {
        amqp::frame in;
        std::uint32_t size = 0;
        const auto status = amqp::next_frame(rest, in, std::size_t{1} << 30, size);
        if (status != amqp::frame_status::complete) {
            // The only other thing that a broker sends is its protocol header.
            EXPECT_TRUE(status == amqp::frame_status::incomplete || rest == amqp::protocol_header);
            break;
        }
        inbox_[in.channel].push_back({in.type, std::string(in.payload)});
    }
    partial_.erase(0, partial_.size() - rest.size());
}

std::optional<client::frame_in> client::pop(std::uint16_t channel) {
    auto& waiting = inbox_[channel];
    if (waiting.empty()) {
        return std::nullopt;
    }
    frame_in first = std::move(waiting.front());
    waiting.pop_front();
    return first;
}

const amqp::method* client::next_method(
    std::uint16_t channel,
    amqp::method_id id,
    const where_t& where) {
    const std::string wanted = "wanted method " + std::to_string(id.class_id) + "," +
                               std::to_string(id.method) + " on channel " +
                               std::to_string(channel) + ", but there is ";
    auto next = pop(channel);
    methods_.emplace_back();
    if (!next) {
        fail(where, wanted + "nothing");
        return &methods_.back();
    }
    kept_.push_back(std::move(next->payload));
    amqp::method_id there;
    const auto error = amqp::read_method(kept_.back(), there, methods_.back());
    if (next->type != 1 || error != amqp::method_error::none || there != id) {
        fail(where, wanted + describe(next->type, kept_.back()));
    }
    return &methods_.back();
}

void client::read_content(std::uint16_t channel, received_message& into, const where_t& where) {
    const auto header = pop(channel);
    amqp::content_header parsed;
    if (!header || header->type != 2 || !amqp::read_content_header(header->payload, parsed)) {
        fail(where, "wanted a content header");
        return;
    }
    into.properties = parsed.properties;
    while (into.body.size() < parsed.body_size) {
        const auto body = pop(channel);
        if (!body || body->type != 3) {
            fail(where, "wanted a content body");
            return;
        }
        into.body += body->payload;
    }
}

received_message client::expect_delivery(std::uint16_t channel, where_t where) {
    const auto in = expect<amqp::basic::deliver>(channel, where);
    received_message got;
    got.consumer_tag = in.consumer_tag;
    got.delivery_tag = in.delivery_tag;
    got.redelivered = in.redelivered;
    got.exchange = in.exchange;
    got.routing_key = in.routing_key;
    read_content(channel, got, where);
    return got;
}

received_message client::expect_get_ok(std::uint16_t channel, where_t where) {
    const auto in = expect<amqp::basic::get_ok>(channel, where);
    received_message got;
    got.delivery_tag = in.delivery_tag;
    got.redelivered = in.redelivered;
    got.exchange = in.exchange;
    got.routing_key = in.routing_key;
    got.left = in.message_count;
    read_content(channel, got, where);
    return got;
}

received_message client::expect_return(std::uint16_t channel, where_t where) {
    const auto in = expect<amqp::basic::return_>(channel, where);
    received_message got;
    got.reply = std::to_string(in.reply_code) + " " + std::string(in.reply_text);
    got.exchange = in.exchange;
    got.routing_key = in.routing_key;
    read_content(channel, got, where);
    return got;
}

std::vector<std::string> client::expect_bodies(
    std::uint16_t channel,
    std::size_t count,
    where_t where) {
    std::vector<std::string> bodies;
    for (std::size_t i = 0; i < count; ++i) {
        bodies.push_back(expect_delivery(channel, where).body);
    }
    return bodies;
}

void client::expect_heartbeat(where_t where) {
    const auto next = pop(0);
    if (!next || next->type != 8 || !next->payload.empty()) {
        fail(where, "wanted a heartbeat");
    }
}

std::size_t client::frames_waiting() const {
    std::size_t count = 0;
    for (const auto& [channel, waiting] : inbox_) {
        count += waiting.size();
    }
    return count;
}

std::vector<std::uint16_t> client::discard() {
    std::vector<std::uint16_t> closed;
    for (auto& [channel, waiting] : inbox_) {
        for (const frame_in& each : waiting) {
            amqp::method_id id;
            amqp::method method;
            if (each.type == 1 &&
                amqp::read_method(each.payload, id, method) == amqp::method_error::none &&
                id == amqp::channel::close::id) {
                closed.push_back(channel);
            }
        }
        waiting.clear();
    }
    return closed;
}

void client::expect_nothing(where_t where) {
    for (const auto& [channel, waiting] : inbox_) {
        expect_nothing(channel, where);
    }
}

void client::expect_nothing(std::uint16_t channel, where_t where) {
    for (const frame_in& each : inbox_[channel]) {
        fail(
            where,
            "wanted nothing on channel " + std::to_string(channel) + ", but there is " +
                describe(each.type, each.payload));
    }
}

void client::expect_channel_error(
    std::uint16_t channel,
    amqp::method_id failing,
    octets text,
    where_t where) {
    const auto close = expect<amqp::channel::close>(channel, where);
    const std::string name{amqp::reply_code_name(static_cast<amqp::reply_code>(close.reply_code))};
    const std::string got =
        std::to_string(close.reply_code) + " (" + std::to_string(close.failing_class) + "," +
        std::to_string(close.failing_method) + ") " + std::string(close.reply_text);
    const std::string code{text.substr(0, 3)};
    const std::string wanted = code + " (" + std::to_string(failing.class_id) + "," +
                               std::to_string(failing.method) + ") " + name + " - " +
                               std::string(text.substr(4));
    if (got != wanted) {
        fail(where, "wanted " + wanted + "\n   got " + got);
    }
    send(channel, amqp::channel::close_ok{});
    open_channel(channel, where);
}

void client::expect_connection_error(amqp::method_id failing, octets text, where_t where) {
    const auto close = expect<amqp::connection::close>(0, where);
    const std::string got =
        std::to_string(close.reply_code) + " (" + std::to_string(close.failing_class) + "," +
        std::to_string(close.failing_method) + ") " + std::string(close.reply_text);
    const std::string name{amqp::reply_code_name(static_cast<amqp::reply_code>(close.reply_code))};
    std::string wanted{text.substr(0, 3)};
    wanted += " (" + std::to_string(failing.class_id) + "," + std::to_string(failing.method) +
              ") " + name;
    wanted += text.size() > 4 ? " - " + std::string(text.substr(4)) : "";
    if (got != wanted) {
        fail(where, "wanted " + wanted + "\n   got " + got);
    }
    send(0, amqp::connection::close_ok{});
}

void client::expect_silent_drop(std::chrono::seconds after, where_t where) {
    expect_nothing(where);
    home_.advance(after - milliseconds{1});
    if (dropped_) {
        fail(where, "the socket was closed too early");
    }
    home_.advance(milliseconds{1});
    if (!dropped_) {
        fail(where, "the socket was not closed");
    }
    expect_nothing(where);
}

// broker_under_test

std::unique_ptr<engine> broker_under_test::make_engine(engine_options options) {
    if (paging_wanted()) {
        options = always_paged(std::move(options));
    }
    auto made = std::make_unique<engine>(std::move(options), journal, counted_random);
    made->use(pages);
    return made;
}

broker_under_test::broker_under_test(engine_options options)
    : clock_{time_point{std::chrono::hours{1}}, start_of_tests},
      engine_(make_engine(std::move(options))) {}

broker_under_test::~broker_under_test() {
    for (const auto& each : clients_) {
        disconnect(*each);
    }
    for (const std::string& complaint : journal.complaints()) {
        ADD_FAILURE() << "journal: " << complaint;
    }
    // To the last octet: what is left are messages of queues and delayed exchanges, and keys.
    std::uint64_t held = 0;
    for (const queue_status& each : engine_->queue_statuses()) {
        held += each.ready + each.dedup_keys;
        EXPECT_EQ(each.unacked, 0U) << each.name;
        EXPECT_EQ(each.consumers, 0U) << each.name;
    }
    for (const exchange_status& each : engine_->exchange_statuses()) {
        held += each.delayed.value_or(0) + each.dedup_keys;
    }
    EXPECT_EQ(held_octets() == 0, held == 0);
    EXPECT_EQ(engine_->definition_octets(), engine_->count_definitions());
}

client& broker_under_test::connect(const login_options& how, where_t where) {
    client& made = connect_raw(how.loopback);
    made.log_in(how, where);
    return made;
}

client& broker_under_test::connect_raw(bool loopback) {
    clients_.push_back(std::make_unique<client>(*this, loopback));
    after_event();
    return *clients_.back();
}

client* broker_under_test::find(connection_id id) {
    const auto found = std::ranges::find(clients_, id, [](const auto& each) { return each->id(); });
    return found == clients_.end() ? nullptr : found->get();
}

void broker_under_test::feed(client& from) {
    // A copy of exactly these octets, so that a sanitizer sees who keeps a view of the input.
    const std::vector<char> offered{from.input_.begin(), from.input_.end()};
    const std::size_t used = engine_->received(from.id_, {offered.data(), offered.size()}, clock_);
    EXPECT_LE(used, offered.size());
    from.input_.erase(0, used);
    after_event();
    follow_up();
}

void broker_under_test::disconnect(client& gone) {
    gone.known_ = false;
    gone.resume_ = false;
    engine_->disconnected(gone.id_, clock_);
    gone.output_->clear();
    after_event();
}

void broker_under_test::after_event() {
    engine_->check_invariants();
    check_blobs();
    const effects caused = engine_->take_effects();
    for (const log_line& line : caused.log) {
        log.push_back(line.text);
    }
    for (const password_to_hash& each : caused.password_hashes) {
        pending_[each.verifier] = each.password;
        hashes_.push_back(each);
    }
    checks_.insert(checks_.end(), caused.password_checks.begin(), caused.password_checks.end());
    for (const auto& each : clients_) {
        const bool named = std::ranges::count(caused.output, each->id()) != 0;
        EXPECT_TRUE(named || each->behind_ || each->output_->empty())
            << "output was written without effects::output";
        if (each->reads) {
            each->take_output();
        }
        // As the server: it tells who was behind, and of the others only whom the engine has named.
        const bool congested = std::ranges::count(caused.congested, each->id()) != 0;
        each->took_output_ =
            each->took_output_ || ((congested || each->behind_) && each->output_->empty());
        each->behind_ = !each->output_->empty();
        each->dropped_ = each->dropped_ || std::ranges::count(caused.close, each->id()) != 0;
        each->resume_ = each->resume_ || std::ranges::count(caused.resume, each->id()) != 0;
    }
    EXPECT_EQ(journal.complaints(), std::vector<std::string>{});
    if (write_segments_at_once && pages.sealed()) {
        write_segment();
    }
}

void broker_under_test::follow_up() {
    if (std::exchange(following_up_, true)) {
        return;
    }
    for (bool again = true; again;) {
        again = false;
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            client& each = *clients_[i];
            if (each.dropped_ && each.known_) {
                disconnect(each);
            }
            if (std::exchange(each.took_output_, false)) {
                drained(each, 0);
                again = true;
            }
            if (std::exchange(each.resume_, false)) {
                feed(each);
                again = true;
            }
        }
        if (check_at_once && !checks_.empty()) {
            check_passwords();
            again = true;
        }
        if (sync_at_once && journal.last() > synced_) {
            sync();
            again = true;
        }
    }
    following_up_ = false;
}

void broker_under_test::advance(milliseconds by) {
    clock_.now += by;
    clock_.wall += by;
    engine_->tick(clock_);
    after_event();
    follow_up();
}

void broker_under_test::drained(client& whose, std::size_t pending) {
    engine_->drained(whose.id_, pending, clock_);
    after_event();
    follow_up();
}

queue_status broker_under_test::status(octets queue) const {
    for (const queue_status& each : engine_->queue_statuses()) {
        if (each.name == queue) {
            return each;
        }
    }
    ADD_FAILURE() << "no queue " << queue;
    return {};
}

bool broker_under_test::has_queue(octets name) const {
    return std::ranges::count(engine_->queue_statuses(), name, &queue_status::name) != 0;
}

}  // namespace lovage::broker::test
