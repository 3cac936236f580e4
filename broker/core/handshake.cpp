// connection: from the protocol header to connection.open-ok, and the methods of channel 0.
// Rows 1 to 31 and 59 to 78 of RabbitMQ's behaviour.
#include "broker/core/connection_send.hpp"
#include "framework/amqp/capabilities.hpp"
#include "framework/amqp/table_codec.hpp"

#include <algorithm>

namespace lovage::broker {
namespace {

const fault silence{fault::scope::silent, {}, {}};

constexpr octets rabbitmq_product = "RabbitMQ";

/// kombu and with it Celery, which take a broker that does not call itself RabbitMQ at the
/// standard's word: without the global bit, basic.qos is for the whole channel.
bool is_py_amqp(const amqp::table& client_properties) {
    const amqp::field_value* product = client_properties.find("product");
    return product != nullptr && product->text() == octets{"py-amqp"};
}

client_capabilities read_capabilities(const amqp::table& client_properties) {
    return {
        amqp::has_capability(client_properties, "consumer_cancel_notify"),
        amqp::has_capability(client_properties, "connection.blocked"),
        amqp::has_capability(client_properties, "authentication_failure_close")};
}

struct login {
    std::string name;
    std::string password;
};

/// NUL, name, NUL, password (RFC 4616 without an authorisation identity).
std::optional<login> read_plain(octets response) {
    if (std::ranges::count(response, '\0') != 2 || response.front() != '\0') {
        return std::nullopt;
    }
    response.remove_prefix(1);
    const std::size_t middle = response.find('\0');
    return login{std::string(response.substr(0, middle)), std::string(response.substr(middle + 1))};
}

std::optional<login> read_amqplain(octets response) {
    bool ok = true;
    const amqp::table fields = amqp::read_table_content(response, ok);
    const auto* name = fields.find("LOGIN");
    const auto* password = fields.find("PASSWORD");
    if (!ok || name == nullptr || password == nullptr || !name->text() || !password->text()) {
        return std::nullopt;
    }
    return login{std::string(*name->text()), std::string(*password->text())};
}

/// The arguments of a method are cut short, or there are octets left over.
fault undecodable(const amqp::frame& in) {
    return connection_fault(
        amqp::reply_code::frame_error, "cannot decode " + printed_octets(in.payload.substr(4)));
}

}  // namespace

fault connection::on_handshake(const amqp::frame& in) {
    if (in.type == 8) {
        return no_fault;
    }
    amqp::method_id id;
    amqp::method method;
    if (in.type != 1 || in.channel != 0 ||
        amqp::read_method(in.payload, id, method) != amqp::method_error::none) {
        if (state_ == state::open && in.type == 1 && in.channel != 0) {
            return frame_fault(
                amqp::reply_code::unexpected_frame, printed_frame(in.type, in.payload));
        }
        return silence;
    }
    if (const auto* start_ok = std::get_if<amqp::connection::start_ok>(&method);
        start_ok != nullptr && state_ == state::start_ok) {
        return on_start_ok(*start_ok);
    }
    if (const auto* tune_ok = std::get_if<amqp::connection::tune_ok>(&method);
        tune_ok != nullptr && state_ == state::tune_ok) {
        return on_tune_ok(*tune_ok);
    }
    if (const auto* open = std::get_if<amqp::connection::open>(&method);
        open != nullptr && state_ == state::open) {
        failing_ = id;
        return on_open(*open);
    }
    return silence;
}

fault connection::on_start_ok(const amqp::connection::start_ok& in) {
    capabilities_ = read_capabilities(in.client_properties);
    standard_prefetch_ =
        owner_.options().product != rabbitmq_product && is_py_amqp(in.client_properties);
    std::optional<login> given;
    if (in.mechanism == "PLAIN") {
        given = read_plain(in.response.value);
    } else if (in.mechanism == "AMQPLAIN") {
        given = read_amqplain(in.response.value);
    }
    if (!given) {
        return silence;
    }
    on_login(in.mechanism, given->name, given->password);
    return no_fault;
}

void connection::on_login(octets mechanism, octets name, octets password) {
    const user_record* known = owner_.access().find(name);
    const octets verifier = known == nullptr ? octets{} : octets{known->verifier};
    user_name_ = name;
    login_ = std::make_unique<pending_login>();
    login_->mechanism = mechanism;
    login_->verifier = verifier;
    login_->left = deadline_.value_or(owner_.now()) - owner_.now();
    state_ = state::password;
    deadline_.reset();  // the wait is ours, however many others log in
    owner_.check_password(*this, verifier, password);
}

fault connection::login_refused(octets mechanism) const {
    owner_.log(
        log_level::warning,
        format_log_line("login_refused", {{"peer", peer_.name}, {"user", user_name_}}));
    if (!capabilities_.authentication_failure_close) {
        return silence;
    }
    return frame_fault(
        amqp::reply_code::access_refused,
        "Login was refused using authentication mechanism " + std::string(mechanism) +
            ". For details see the broker logfile.");
}

void connection::login_checked(bool fits) {
    if (state_ != state::password) {
        return;
    }
    const auto asked = std::move(login_);
    deadline_ = owner_.now() + asked->left;
    if (fits && owner_.may_log_in(user_name_, asked->verifier, peer_.loopback)) {
        const auto& options = owner_.options();
        send(
            0,
            amqp::connection::tune{
                options.channel_max, options.frame_max, options.heartbeat_seconds});
        state_ = state::tune_ok;
    } else {
        failing_ = {};
        handle(login_refused(asked->mechanism), 0);
    }
    owner_.resume(*this);
}

fault connection::on_tune_ok(const amqp::connection::tune_ok& in) {
    // 0 is "no limit" in the specification, which is more than was offered.
    const auto& options = owner_.options();
    if (in.channel_max == 0 || in.channel_max > options.channel_max ||
        in.frame_max > options.frame_max || in.frame_max < amqp::frame_size_min) {
        return silence;
    }
    channel_max_ = in.channel_max;
    frame_max_ = in.frame_max;
    heartbeat_ = std::chrono::seconds{in.heartbeat};
    state_ = state::open;
    return no_fault;
}

fault connection::may_enter(const vhost& home) const {
    const auto refuse = [](const std::string& text) {
        return connection_fault(amqp::reply_code::not_allowed, text);
    };
    const auto reached = [](std::uint64_t limit) {
        return "connection limit (" + std::to_string(limit) + ") is reached";
    };
    const std::string access =
        "access to vhost '" + home.name() + "' refused for user '" + user_name_ + "'";
    if (home.limits.connections && owner_.connections_in(home) >= *home.limits.connections) {
        return refuse(access + ": " + reached(*home.limits.connections));
    }
    const user_record* who = owner_.access().find(user_name_);
    const auto most = who == nullptr ? std::nullopt : who->limits.connections;
    if (most && owner_.connections_of(user_name_) >= *most) {
        return refuse("connection refused for user '" + user_name_ + "': user " + reached(*most));
    }
    return who == nullptr || !who->permissions.contains(home.name()) ? refuse(access) : no_fault;
}

fault connection::on_open(const amqp::connection::open& in) {
    vhost* home = owner_.find_vhost(in.virtual_host);
    if (home == nullptr) {
        return connection_fault(
            amqp::reply_code::not_allowed, "vhost " + std::string(in.virtual_host) + " not found");
    }
    if (fault refused = may_enter(*home)) {
        return refused;
    }
    vhost_ = home;
    state_ = state::running;
    deadline_.reset();
    send(0, amqp::connection::open_ok{});
    owner_.log(
        log_level::info,
        format_log_line(
            "connection_opened",
            {{"peer", peer_.name}, {"user", user_name_}, {"vhost", vhost_->name()}}));
    return no_fault;
}

fault connection::on_connection_method(const amqp::frame& in) {
    amqp::method method;
    const auto error = amqp::read_method(in.payload, failing_, method);
    if (in.payload.size() < 4) {
        return frame_fault(
            amqp::reply_code::frame_error, printed_frame(in.type, in.payload) + ": unknown_frame");
    }
    if (error == amqp::method_error::unknown) {
        return {fault::scope::drop, {}, {}};
    }
    if (error == amqp::method_error::malformed) {
        return undecodable(in);
    }
    if (error == amqp::method_error::not_utf8) {
        return frame_fault(amqp::reply_code::frame_error, "Malformed UTF-8 in shortstr");
    }
    if (std::holds_alternative<amqp::connection::close>(method)) {
        close_all();
        send(0, amqp::connection::close_ok{});
        finish_in(std::chrono::seconds{30});
        return no_fault;
    }
    if (std::holds_alternative<amqp::connection::update_secret>(method)) {
        send(0, amqp::connection::update_secret_ok{});
        return no_fault;
    }
    return connection_fault(
        amqp::reply_code::channel_error, "unexpected method in connection state running");
}

fault connection::on_channel_open(std::uint16_t number, amqp::method_id id) {
    if (id != amqp::channel::open::id) {
        return connection_fault(amqp::reply_code::channel_error, "expected 'channel.open'");
    }
    if (channels_.size() >= channel_max_) {
        const std::string limit = std::to_string(channel_max_);
        return frame_fault(
            amqp::reply_code::not_allowed,
            "number of channels opened (" + limit + ") has reached the negotiated channel_max (" +
                limit + ")");
    }
    const user_record* who = owner_.access().find(user_name_);
    const auto most = who == nullptr ? std::nullopt : who->limits.channels;
    if (most && owner_.channels_of(user_name_) >= *most) {
        return frame_fault(
            amqp::reply_code::not_allowed,
            "number of channels opened for user '" + user_name_ +
                "' has reached the maximum allowed user limit of (" + std::to_string(*most) + ")");
    }
    channels_.emplace(number, std::make_unique<channel>(*this, number));
    send(number, amqp::channel::open_ok{});
    return no_fault;
}

fault connection::on_channel_method(const amqp::frame& in) {
    if (last_channel_ == nullptr || last_channel_->number() != in.channel) {
        const auto found = channels_.find(in.channel);
        last_channel_ = found == channels_.end() ? nullptr : found->second.get();
    }
    channel* to = last_channel_;
    if (to != nullptr && !to->closing() && to->expects_content()) {
        failing_ = amqp::basic::publish::id;
        return connection_fault(
            amqp::reply_code::unexpected_frame,
            to->expects_content_header()
                ? "expected content header for class 60, got non content header frame instead"
                : "expected content body, got non content body frame instead");
    }
    amqp::method method;
    const auto error = amqp::read_method(in.payload, failing_, method);
    if (in.payload.size() < 4) {
        return frame_fault(
            amqp::reply_code::frame_error, printed_frame(in.type, in.payload) + ": unknown_frame");
    }
    if (error == amqp::method_error::unknown) {
        return {fault::scope::drop, {}, {}};
    }
    if (to == nullptr) {
        return error == amqp::method_error::malformed ? undecodable(in)
                                                      : on_channel_open(in.channel, failing_);
    }
    if (failing_ == amqp::channel::open::id) {
        return connection_fault(amqp::reply_code::channel_error, "second 'channel.open' seen");
    }
    if (failing_ == amqp::channel::close::id) {
        const bool was_closing = to->closing();
        if (!was_closing) {
            close_channel(*to);
        }
        send(in.channel, amqp::channel::close_ok{});
        return no_fault;
    }
    if (to->closing()) {
        if (failing_ == amqp::channel::close_ok::id) {
            close_channel(*to);
        }
        return no_fault;
    }
    if (error == amqp::method_error::malformed) {
        return undecodable(in);
    }
    if (error == amqp::method_error::not_utf8) {
        return frame_fault(amqp::reply_code::frame_error, "Malformed UTF-8 in shortstr");
    }
    return to->on_method(failing_, method);
}

}  // namespace lovage::broker
