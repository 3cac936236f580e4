#include "broker/core/connection.hpp"

#include "broker/core/connection_send.hpp"
#include "framework/amqp/capabilities.hpp"
#include "framework/amqp/wire.hpp"

namespace lovage::broker {
namespace {

using std::chrono::seconds;

constexpr seconds handshake_patience{10};
/// After a refused login or an unreadable frame, so that guessing and flooding is slow.
constexpr seconds error_patience{3};
constexpr seconds close_patience{30};
/// A silent client is dropped after this many heartbeat intervals, as RabbitMQ does.
constexpr int silent_heartbeats_max = 3;
/// Unread replies beyond this many times the output limit stop the connection's input.
constexpr std::size_t input_stop_factor = 4;

}  // namespace

connection::connection(engine& owner, connection_id id, peer_address peer, byte_buffer& output)
    : owner_(owner),
      id_(id),
      peer_(std::move(peer)),
      output_(output),
      last_received_(owner.now()),
      last_sent_(owner.now()),
      deadline_(owner.now() + handshake_patience) {}

connection::~connection() = default;

std::size_t connection::payload_max() const {
    // RabbitMQ takes payloads of up to frame-max itself, though its texts say eight less.
    return state_ == state::running || state_ == state::closing ? frame_max_ : amqp::frame_size_min;
}

std::size_t connection::consume(octets input) {
    const std::size_t offered = input.size();
    last_received_ = owner_.now();
    input_stopped_ = false;
    if (state_ == state::protocol_header && !read_protocol_header(input)) {
        return offered - input.size();
    }
    while (state_ != state::finished) {
        amqp::frame in;
        std::uint32_t size = 0;
        octets rest = input;
        const auto status = amqp::next_frame(rest, in, payload_max(), size);
        if (status == amqp::frame_status::incomplete) {
            return offered - input.size();
        }
        if (status == amqp::frame_status::complete) {
            if (must_wait(in)) {
                input_stopped_ = true;
                return offered - input.size();
            }
            input = rest;
            if (!on_frame(in)) {
                input_stopped_ = held_until_ != 0;
                return offered - input.size();
            }
            continue;
        }
        if (state_ == state::closing) {
            finish_in(error_patience);
            break;
        }
        std::string what;
        if (status == amqp::frame_status::too_large) {
            what = "type " + std::to_string(in.type) + ", all octets = <<>>: {frame_too_large," +
                   std::to_string(size) + "," + std::to_string(frame_max_ - amqp::frame_overhead) +
                   "}";
        } else {
            const auto end = static_cast<unsigned char>(input[7 + in.payload.size()]);
            what = printed_frame(in.type, in.payload) + ": {invalid_frame_end_marker," +
                   std::to_string(end) + "}";
        }
        handle(
            state_ == state::running ? frame_fault(amqp::reply_code::frame_error, what)
                                     : fault{fault::scope::silent, {}, {}},
            0);
        finish_in(error_patience);
    }
    return offered;
}

bool connection::read_protocol_header(octets& input) {
    constexpr std::size_t header_octets = 8;
    if (input.size() < header_octets) {
        return false;
    }
    const octets header = input.substr(0, header_octets);
    // Clients of 8-0 have always been let in and speak 0-9-1 from then on, as with RabbitMQ.
    const bool as_8_0 =
        header == octets{"AMQP\1\1\x08\0", 8} || header == octets{"AMQP\1\1\x09\1", 8};
    const bool ours =
        as_8_0 || header == amqp::protocol_header || header == octets{"AMQP\1\1\0\x09", 8};
    if (!ours) {
        input = {};
        output_.append(amqp::protocol_header);
        written();
        state_ = state::finished;
        owner_.close(*this);
        return true;
    }
    input.remove_prefix(header_octets);
    send_start(as_8_0);
    state_ = state::start_ok;
    return true;
}

void connection::send_start(bool as_8_0) {
    const auto& options = owner_.options();
    amqp::table capabilities;
    for (const octets name :
         {octets{"publisher_confirms"},
          octets{"exchange_exchange_bindings"},
          octets{"basic.nack"},
          octets{"consumer_cancel_notify"},
          octets{"connection.blocked"},
          octets{"consumer_priorities"},
          octets{"authentication_failure_close"},
          octets{"per_consumer_qos"},
          octets{"direct_reply_to"},
          amqp::ordered_store_capability,
          amqp::uncounted_requeue_capability}) {
        capabilities.add(std::string(name), true);
    }
    amqp::connection::start start;
    start.version_major = as_8_0 ? 8 : 0;
    start.version_minor = as_8_0 ? 0 : 9;
    start.server_properties = {
        {"capabilities", std::move(capabilities)},
        {"cluster_name", options.node_name},
        {"platform", "C++"},
        {"product", options.product},
        {"version", options.version}};
    start.mechanisms = {"AMQPLAIN PLAIN"};
    start.locales = {"en_US"};
    send(0, start);
}

bool connection::must_wait(const amqp::frame& in) {
    if (held_until_ != 0 || state_ == state::password) {
        return true;
    }
    if (output_octets() > input_stop_factor * owner_.options().output_octets_high) {
        return true;
    }
    const bool publish = in.type == 1 && in.payload.starts_with(octets{"\0\x3c\0\x28", 4});
    if (state_ != state::running || !publish || !owner_.publishes_wait(*this)) {
        return false;
    }
    if (!blocked_) {
        blocked_ = true;
        owner_.block(*this);
        if (capabilities_.connection_blocked && owner_.alarmed()) {
            told_blocked_ = true;
            send_past_gates(amqp::connection::blocked{owner_.alarm_reason()});
        }
    }
    return true;
}

void connection::input_resumed() {
    input_stopped_ = false;
    last_received_ = owner_.now();
}

bool connection::holds_deliveries() const {
    return std::ranges::any_of(
        channels_, [](const auto& each) { return !each.second->unacked().empty(); });
}

void connection::unblock() {
    blocked_ = false;
    if (std::exchange(told_blocked_, false) && state_ == state::running) {
        send_past_gates(amqp::connection::unblocked{});
    }
    owner_.resume(*this);
}

bool connection::on_frame(const amqp::frame& in) {
    failing_ = {};
    fault wrong;
    switch (state_) {
        case state::running: wrong = on_running(in); break;
        case state::closing: on_closing(in); break;
        case state::protocol_header:
        case state::finished: break;
        default: wrong = on_handshake(in); break;
    }
    if (wrong) {
        handle(wrong, in.channel);
    }
    return state_ != state::finished && held_until_ == 0;
}

void connection::on_closing(const amqp::frame& in) {
    amqp::method_id id;
    amqp::method method;
    if (in.type != 1 || in.channel != 0 ||
        amqp::read_method(in.payload, id, method) != amqp::method_error::none) {
        return;
    }
    if (id == amqp::connection::close::id) {
        send(0, amqp::connection::close_ok{});
    } else if (id == amqp::connection::close_ok::id) {
        state_ = state::finished;
        owner_.close(*this);
    }
}

fault connection::on_running(const amqp::frame& in) {
    switch (in.type) {
        case 1: return in.channel == 0 ? on_connection_method(in) : on_channel_method(in);
        case 2:
        case 3: return on_content(in);
        case 8: return on_heartbeat(in);
        default:
            return frame_fault(
                amqp::reply_code::frame_error,
                printed_frame(in.type, in.payload) + ": unknown_frame");
    }
}

fault connection::on_heartbeat(const amqp::frame& in) const {
    if (in.channel != 0) {
        return frame_fault(amqp::reply_code::unexpected_frame, printed_frame(in.type, in.payload));
    }
    if (!in.payload.empty()) {
        return frame_fault(
            amqp::reply_code::frame_error, printed_frame(in.type, in.payload) + ": unknown_frame");
    }
    return no_fault;
}

fault connection::on_content(const amqp::frame& in) {
    if (in.channel == 0) {
        return frame_fault(amqp::reply_code::unexpected_frame, printed_frame(in.type, in.payload));
    }
    const auto found = channels_.find(in.channel);
    if (found != channels_.end() && found->second->closing()) {
        return no_fault;
    }
    if (found == channels_.end() || !found->second->expects_content()) {
        return frame_fault(
            amqp::reply_code::unexpected_frame,
            "expected method frame, got non method frame instead");
    }
    failing_ = amqp::basic::publish::id;
    channel& to = *found->second;
    const bool header = in.type == 2;
    if (to.expects_content_header() != header) {
        return connection_fault(
            amqp::reply_code::unexpected_frame,
            header ? "expected content body, got non content body frame instead"
                   : "expected content header for class 60, got non content header frame instead");
    }
    return header ? to.on_header(in.payload) : to.on_body(in.payload);
}

void connection::handle(const fault& what, std::uint16_t number) {
    const bool names_method =
        what.where == fault::scope::channel || what.where == fault::scope::connection;
    const amqp::method_id method = names_method ? failing_ : amqp::method_id{};
    const std::string text = reply_text(what);
    const auto code = static_cast<std::uint16_t>(what.code);
    switch (what.where) {
        case fault::scope::none: return;
        case fault::scope::channel: {
            owner_.log(
                log_level::warning,
                format_log_line(
                    "channel_error", {{"peer", peer_.name}, {"channel", number}, {"text", text}}));
            channels_.find(number)->second->mark_closing();
            send(number, amqp::channel::close{code, text, method.class_id, method.method});
            return;
        }
        case fault::scope::silent:
            owner_.log(
                log_level::warning, format_log_line("handshake_failed", {{"peer", peer_.name}}));
            close_all();
            finish_in(error_patience);
            return;
        case fault::scope::drop:
            owner_.log(
                log_level::warning, format_log_line("unknown_method", {{"peer", peer_.name}}));
            close_all();
            state_ = state::finished;
            owner_.close(*this);
            return;
        case fault::scope::connection:
        case fault::scope::frame: break;
    }
    owner_.log(
        log_level::warning,
        format_log_line("connection_error", {{"peer", peer_.name}, {"text", text}}));
    close_all();
    send(0, amqp::connection::close{code, text, method.class_id, method.method});
    state_ = state::closing;
    const bool login = what.code == amqp::reply_code::access_refused;
    deadline_ = owner_.now() + (login ? error_patience : close_patience);
}

void connection::finish_in(seconds patience) {
    state_ = state::finished;
    deadline_ = owner_.now() + patience;
}

void connection::close_all() {
    // All before the first gives something back, which another one would take and lose.
    for (const auto& [number, open] : channels_) {
        open->end_consumers();
    }
    for (const auto& [number, open] : channels_) {
        open->release();
    }
    channels_.clear();
    last_channel_ = nullptr;
    held_.clear();   // a reply on a channel that is gone
    gates_.clear();  // and deliveries
    gated_.clear();
    owner_.delete_exclusive_queues(*this);
}

void connection::lost() {
    close_all();
}

void connection::close_channel(channel& what) {
    what.release();
    last_channel_ = nullptr;
    channels_.erase(what.number());
}

void connection::note_output() {
    if (!output_noted_) {
        output_noted_ = true;
        owner_.output_added(*this);
    }
}

void connection::written() {
    if (gates_.empty()) {
        note_output();
    }
    if (!congested_ && output_octets() > owner_.output_octets_high()) {
        congested_ = true;
        owner_.congested(*this);
    }
}

void connection::drained(std::size_t pending) {
    if (!congested_ || pending + gated_.size() > owner_.output_octets_high() / 2) {
        return;
    }
    congested_ = false;
    for (const auto& [number, open] : channels_) {
        open->consumers_ready();
    }
    owner_.resume(*this);
}

void connection::hold_output(lsn until) {
    if (!gates_.empty() && until <= gates_.back().until) {
        return;
    }
    // What follows in the same batch opens with it.
    if (!gates_.empty() && gates_.back().until > owner_.log().taken()) {
        gates_.back().until = until;
    } else {
        gates_.push_back({until, gated_.size()});
    }
    owner_.wait_for_disk(*this);
}

bool connection::disk_reached(lsn reached) {
    open_gates(reached);
    if (held_until_ != 0 && held_until_ <= reached) {
        held_until_ = 0;
        output().append(held_.view());
        held_.clear();
        written();
        owner_.resume(*this);
    }
    waits_for_disk = held_until_ != 0 || !gates_.empty();
    return !waits_for_disk;
}

void connection::open_gates(lsn reached) {
    const auto closed =
        std::ranges::find_if(gates_, [reached](const gate& each) { return each.until > reached; });
    if (closed == gates_.begin()) {
        return;
    }
    const std::size_t opened = closed == gates_.end() ? gated_.size() : closed->begin;
    output_.append(gated_.view().substr(0, opened));
    gated_.consume(opened);
    gates_.erase(gates_.begin(), closed);
    for (gate& each : gates_) {
        each.begin -= opened;
    }
    if (congested_) {
        owner_.congested(*this);  // until now nothing was sent whose end could be told
    }
    note_output();
    written();
}

void connection::tick() {
    if (deadline_ && owner_.now() >= *deadline_) {
        deadline_.reset();
        state_ = state::finished;
        owner_.close(*this);
        return;
    }
    if (times_deliveries) {
        for (const auto& [number, open] : channels_) {
            open->tick();
        }
    }
    if (gated_.empty() && gated_.capacity() != 0) {
        gated_.release();
    }
    if (state_ != state::running || heartbeat_ == seconds{0}) {
        return;
    }
    if (owner_.now() - last_sent_ >= heartbeat_ / 2.0) {
        amqp::write_heartbeat(output_);  // not behind what waits for a slow disk
        note_output();
    }
    // A connection that we do not read from ourselves is not silent.
    if (!input_stopped_ && owner_.now() - last_received_ >= silent_heartbeats_max * heartbeat_) {
        owner_.log(log_level::warning, format_log_line("heartbeat_missed", {{"peer", peer_.name}}));
        close_all();  // the socket may take its time, and nobody is there for further deliveries
        state_ = state::finished;
        owner_.close(*this);
    }
}

void connection::force_close(const std::string& text) {
    if (state_ == state::running) {
        failing_ = {};
        handle(frame_fault(amqp::reply_code::connection_forced, text), 0);
        owner_.resume(*this);  // what is left of its input may hold the close-ok
    } else if (state_ != state::closing && state_ != state::finished) {
        state_ = state::finished;
        owner_.close(*this);
    }
}

void connection::rights_changed() {
    for (const auto& [number, open] : channels_) {
        open->end_unreadable_consumers();
    }
}

void connection::shut_down() {
    if (state_ == state::running) {
        failing_ = {};
        handle(
            frame_fault(
                amqp::reply_code::connection_forced,
                "broker forced connection closure with reason 'shutdown'"),
            0);
    }
    owner_.close(*this);
}

}  // namespace lovage::broker
