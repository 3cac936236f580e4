#include "tests/framework/client/scripted_broker.hpp"

#include "framework/amqp/frame.hpp"

#include <stdexcept>

namespace lovage::client::test {
namespace {

constexpr std::uint16_t publish_channel = 2;

template <class T>
const T* as(const amqp::method& method) {
    return std::get_if<T>(&method);
}

}  // namespace

void scripted_broker::feed(octets input, byte_buffer& out) {
    input_ += input;
    if (!header_seen_) {
        if (input_.size() < amqp::protocol_header.size()) {
            return;
        }
        if (!input_.starts_with(amqp::protocol_header)) {
            throw std::logic_error("no protocol header");
        }
        input_.erase(0, amqp::protocol_header.size());
        header_seen_ = true;
        amqp::connection::start start;
        start.version_minor = 9;
        start.server_properties.set("product", "scripted");
        if (!capability.empty()) {
            amqp::table capabilities;
            capabilities.set(capability, true);
            start.server_properties.set("capabilities", std::move(capabilities));
        }
        start.mechanisms.value = "AMQPLAIN PLAIN";
        start.locales.value = "en_US";
        amqp::write_method(out, 0, start);
    }
    octets rest = input_;
    amqp::frame frame;
    std::uint32_t size = 0;
    while (amqp::next_frame(rest, frame, frame_max, size) == amqp::frame_status::complete) {
        if (frame.type == static_cast<int>(amqp::frame_type::heartbeat)) {
            log.emplace_back("heartbeat");
            continue;
        }
        if (frame.type == static_cast<int>(amqp::frame_type::method)) {
            amqp::method method;
            amqp::method_id id;
            if (amqp::read_method(frame.payload, id, method) != amqp::method_error::none) {
                throw std::logic_error("the client sent a malformed method");
            }
            if (closing_.contains(frame.channel)) {
                if (as<amqp::channel::close_ok>(method) != nullptr) {
                    closing_.erase(frame.channel);
                }
                continue;
            }
            on_method(frame.channel, method, out);
            continue;
        }
        if (closing_.contains(frame.channel)) {
            continue;
        }
        auto& assembler = channels_[frame.channel].content;
        const auto status = frame.type == static_cast<int>(amqp::frame_type::header)
                                ? assembler.header(frame.payload)
                                : assembler.body(frame.payload);
        if (status == amqp::content_status::complete) {
            published(frame.channel, assembler.properties(), assembler.body(), out);
        } else if (status != amqp::content_status::incomplete) {
            throw std::logic_error("the client sent content that does not fit");
        }
    }
    input_.erase(0, input_.size() - rest.size());
    deliver_all(out);
}

void scripted_broker::disconnect() {
    for (auto& [number, state] : channels_) {
        settle(number, 0, true, true);
    }
    for (const std::string& name : exclusive_) {
        queues.erase(name);
    }
    exclusive_.clear();
    channels_.clear();
    closing_.clear();
    input_.clear();
    header_seen_ = false;
    publish_tag_ = 0;
}

void scripted_broker::on_method(
    std::uint16_t channel,
    const amqp::method& method,
    byte_buffer& out) {
    if (const auto* start_ok = as<amqp::connection::start_ok>(method)) {
        log.push_back("login " + std::string(start_ok->response.value.substr(1)));
        if (refuse_login) {
            close_connection(out, *refuse_login, "ACCESS_REFUSED - Login was refused");
            return;
        }
        amqp::write_method(out, 0, amqp::connection::tune{channel_max, frame_max, heartbeat});
    } else if (const auto* tune = as<amqp::connection::tune_ok>(method)) {
        log.push_back(
            "tune " + std::to_string(tune->channel_max) + " " + std::to_string(tune->frame_max) +
            " " + std::to_string(tune->heartbeat));
    } else if (const auto* open = as<amqp::connection::open>(method)) {
        log.push_back("connection.open " + std::string(open->virtual_host));
        amqp::write_method(out, 0, amqp::connection::open_ok{});
    } else if (as<amqp::connection::close>(method) != nullptr) {
        log.emplace_back("connection.close");
        amqp::write_method(out, 0, amqp::connection::close_ok{});
    } else if (as<amqp::channel::open>(method) != nullptr) {
        channels_[channel];
        amqp::write_method(out, channel, amqp::channel::open_ok{});
    } else if (as<amqp::channel::close>(method) != nullptr) {
        log.push_back("channel.close " + std::to_string(channel));
        settle(channel, 0, true, true);
        channels_.erase(channel);
        amqp::write_method(out, channel, amqp::channel::close_ok{});
    } else if (as<amqp::confirm::select>(method) != nullptr) {
        channels_[channel].confirm = true;
        publish_tag_ = 0;
        amqp::write_method(out, channel, amqp::confirm::select_ok{});
    } else {
        on_queue_method(channel, method, out);
    }
}

void scripted_broker::on_queue_method(
    std::uint16_t channel,
    const amqp::method& method,
    byte_buffer& out) {
    if (const auto* declare = as<amqp::queue::declare>(method)) {
        const std::string name(declare->queue);
        log.push_back((declare->passive ? "queue.passive " : "queue.declare ") + name);
        if (!answers) {
            return;
        }
        if (!fatal_queue.empty() && name == fatal_queue) {
            close_connection(out, 540, "NOT_IMPLEMENTED - fatal", declare->id);
            return;
        }
        if (refused_queues.contains(name)) {
            close_channel(channel, 406, "PRECONDITION_FAILED - inequivalent arg", declare->id, out);
            return;
        }
        if (declare->passive && !queues.contains(name)) {
            close_channel(channel, 404, "NOT_FOUND - no queue", declare->id, out);
            return;
        }
        auto& messages = queues[name];
        if (declare->exclusive) {
            exclusive_.insert(name);
        }
        amqp::queue::declare_ok ok;
        ok.queue = name;
        ok.message_count = static_cast<std::uint32_t>(messages.size());
        amqp::write_method(out, channel, ok);
    } else if (const auto* bind = as<amqp::queue::bind>(method)) {
        log.push_back("queue.bind " + std::string(bind->queue) + " " + std::string(bind->exchange));
        amqp::write_method(out, channel, amqp::queue::bind_ok{});
    } else if (const auto* exchange = as<amqp::exchange::declare>(method)) {
        log.push_back("exchange.declare " + std::string(exchange->exchange));
        amqp::write_method(out, channel, amqp::exchange::declare_ok{});
    } else if (const auto* gone = as<amqp::queue::delete_>(method)) {
        log.push_back("queue.delete " + std::string(gone->queue));
        amqp::queue::delete_ok ok;
        ok.message_count = static_cast<std::uint32_t>(queues[std::string(gone->queue)].size());
        queues.erase(std::string(gone->queue));
        amqp::write_method(out, channel, ok);
    } else {
        on_basic_method(channel, method, out);
    }
}

void scripted_broker::on_basic_method(
    std::uint16_t channel,
    const amqp::method& method,
    byte_buffer& out) {
    channel_state& state = channels_[channel];
    if (const auto* publish = as<amqp::basic::publish>(method)) {
        state.publish_queue = publish->routing_key;
        state.mandatory = publish->mandatory;
        state.content.start();
    } else if (const auto* qos = as<amqp::basic::qos>(method)) {
        state.prefetch = qos->prefetch_count;
        amqp::write_method(out, channel, amqp::basic::qos_ok{});
    } else if (const auto* consume = as<amqp::basic::consume>(method)) {
        log.push_back("basic.consume " + std::string(consume->queue));
        if (!queues.contains(std::string(consume->queue))) {
            close_channel(channel, 404, "NOT_FOUND - no queue", consume->id, out);
            return;
        }
        state.consumed_queue = consume->queue;
        state.consumer_tag = consume->consumer_tag;
        state.no_ack = consume->no_ack;
        amqp::write_method(out, channel, amqp::basic::consume_ok{state.consumer_tag});
    } else if (const auto* cancel = as<amqp::basic::cancel>(method)) {
        log.emplace_back("basic.cancel");
        const std::string tag(cancel->consumer_tag);
        state.consumed_queue.clear();
        amqp::write_method(out, channel, amqp::basic::cancel_ok{tag});
    } else if (const auto* get = as<amqp::basic::get>(method)) {
        log.push_back("basic.get " + std::string(get->queue));
        auto& messages = queues[std::string(get->queue)];
        if (messages.empty()) {
            amqp::write_method(out, channel, amqp::basic::get_empty{});
            return;
        }
        amqp::basic::get_ok ok;
        ok.delivery_tag = ++state.delivery_tag;
        ok.message_count = static_cast<std::uint32_t>(messages.size() - 1);
        amqp::write_method(out, channel, ok);
        content(channel, messages.front(), out);
        state.unacked[ok.delivery_tag] = {std::string(get->queue), messages.front()};
        messages.pop_front();
    } else if (const auto* ack = as<amqp::basic::ack>(method)) {
        log.push_back("basic.ack " + std::to_string(ack->delivery_tag));
        settle(channel, ack->delivery_tag, ack->multiple, false);
    } else if (const auto* nack = as<amqp::basic::nack>(method)) {
        log.push_back("basic.nack " + std::to_string(nack->delivery_tag));
        settle(channel, nack->delivery_tag, nack->multiple, nack->requeue);
    } else if (
        as<amqp::channel::close_ok>(method) == nullptr &&
        as<amqp::connection::close_ok>(method) == nullptr) {
        throw std::logic_error("a method that the scripted broker does not know");
    }
}

void scripted_broker::published(
    std::uint16_t channel,
    octets properties,
    octets body,
    byte_buffer& out) {
    channel_state& state = channels_[channel];
    const std::uint64_t tag = ++publish_tag_;
    log.push_back("basic.publish " + state.publish_queue + " " + std::string(body));
    if (!poison_body.empty() && body == poison_body) {
        close_channel(channel, 406, "PRECONDITION_FAILED - poison", amqp::basic::publish::id, out);
        return;
    }
    const auto queue = queues.find(state.publish_queue);
    if (queue != queues.end()) {
        queue->second.push_back({std::string(properties), std::string(body)});
        stored_bodies.emplace_back(body);
    } else if (state.mandatory) {
        amqp::basic::return_ returned;
        returned.reply_code = 312;
        returned.reply_text = "NO_ROUTE";
        returned.routing_key = state.publish_queue;
        amqp::write_method(out, channel, returned);
        content(channel, {std::string(properties), std::string(body)}, out);
    }
    if (nacks) {
        amqp::write_method(out, channel, amqp::basic::nack{tag, false, false});
    } else if (confirms) {
        confirm(out, tag, false);
    }
}

void scripted_broker::confirm(byte_buffer& out, std::uint64_t tag, bool multiple) {
    amqp::write_method(out, publish_channel, amqp::basic::ack{tag, multiple});
}

void scripted_broker::settle(
    std::uint16_t channel,
    std::uint64_t tag,
    bool multiple,
    bool requeue) {
    auto& unacked = channels_[channel].unacked;
    for (auto one = unacked.begin(); one != unacked.end();) {
        const bool meant = one->first == tag || (multiple && (tag == 0 || one->first < tag));
        if (!meant) {
            ++one;
            continue;
        }
        const auto queue = queues.find(one->second.queue);
        if (requeue && queue != queues.end()) {
            queue->second.push_front(one->second.message);
        }
        one = unacked.erase(one);
    }
}

void scripted_broker::deliver_all(byte_buffer& out) {
    for (auto& [number, state] : channels_) {
        const auto queue = queues.find(state.consumed_queue);
        while (queue != queues.end() && !queue->second.empty() &&
               (state.prefetch == 0 || state.unacked.size() < state.prefetch)) {
            amqp::basic::deliver deliver;
            deliver.consumer_tag = state.consumer_tag;
            deliver.delivery_tag = ++state.delivery_tag;
            deliver.routing_key = state.consumed_queue;
            amqp::write_method(out, number, deliver);
            content(number, queue->second.front(), out);
            if (!state.no_ack) {
                state.unacked[deliver.delivery_tag] = {state.consumed_queue, queue->second.front()};
            }
            queue->second.pop_front();
        }
    }
}

void scripted_broker::content(
    std::uint16_t channel,
    const stored_message& message,
    byte_buffer& out) {
    amqp::write_content_header(out, channel, message.body.size(), message.properties);
    amqp::write_body(out, channel, message.body, frame_max);
}

void scripted_broker::close_channel(
    std::uint16_t channel,
    std::uint16_t code,
    const std::string& text,
    amqp::method_id refused,
    byte_buffer& out) {
    settle(channel, 0, true, true);
    channels_.erase(channel);
    closing_.insert(channel);
    amqp::channel::close close;
    close.reply_code = code;
    close.reply_text = text;
    close.failing_class = refused.class_id;
    close.failing_method = refused.method;
    amqp::write_method(out, channel, close);
}

void scripted_broker::cancel_consumers(byte_buffer& out, const std::string& queue) {
    for (auto& [number, state] : channels_) {
        if (state.consumed_queue == queue) {
            state.consumed_queue.clear();
            amqp::write_method(out, number, amqp::basic::cancel{state.consumer_tag, true});
        }
    }
}

void scripted_broker::block(byte_buffer& out, bool on) {
    if (on) {
        amqp::write_method(out, 0, amqp::connection::blocked{"low on memory"});
    } else {
        amqp::write_method(out, 0, amqp::connection::unblocked{});
    }
}

void scripted_broker::close_connection(
    byte_buffer& out,
    std::uint16_t code,
    const std::string& text,
    amqp::method_id refused) {
    amqp::connection::close close;
    close.reply_code = code;
    close.reply_text = text;
    close.failing_class = refused.class_id;
    close.failing_method = refused.method;
    amqp::write_method(out, 0, close);
}

void scripted_broker::put(byte_buffer& out, const std::string& queue, const std::string& body) {
    queues[queue].push_back({std::string(2, '\0'), body});
    deliver_all(out);
}

std::size_t scripted_broker::unacked() const {
    std::size_t count = 0;
    for (const auto& [number, state] : channels_) {
        count += state.unacked.size();
    }
    return count;
}

std::size_t scripted_broker::consumers() const {
    std::size_t count = 0;
    for (const auto& [number, state] : channels_) {
        count += state.consumed_queue.empty() ? 0U : 1U;
    }
    return count;
}

}  // namespace lovage::client::test
