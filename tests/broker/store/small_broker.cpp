#include "tests/broker/store/small_broker.hpp"

#include "broker/store/directory.hpp"

#include <sstream>

namespace lovage::broker::store::testing {
namespace {

constexpr const char* vhost = "/";
constexpr int prepare_steps = 2;

std::string exchange_text(octets name) {
    return "exchange " + std::string{name};
}
std::string binding_text(octets exchange, octets queue, octets key) {
    std::string text = "binding ";
    text.append(exchange).append(" ").append(queue).append(" ").append(key);
    return text;
}
std::string setting_text(octets key, octets value) {
    return "setting " + std::string{key} + " " + std::string{value};
}
std::vector<std::string> words(const std::string& text) {
    std::istringstream in{text};
    std::vector<std::string> all;
    for (std::string word; in >> word;) {
        all.push_back(word);
    }
    return all;
}

snapshot snapshot_of(recovery& from, std::string& problem, boost::system::error_code& error) {
    snapshot found;
    for (const auto& queue : from.queues()) {
        found.queues[queue.id] = queue.name;
    }
    for (const auto& exchange : from.exchanges()) {
        found.definitions.insert(exchange_text(exchange.name));
    }
    for (const auto& binding : from.bindings()) {
        found.definitions.insert(
            binding_text(binding.source, binding.destination, binding.routing_key));
    }
    for (const auto& setting : from.settings()) {
        found.definitions.insert(setting_text(setting.key, setting.value));
    }
    message_id last = 0;
    error = from.for_each_message(
        [&](const recovered_message& message) {
            if (message.record.id <= last) {
                problem = "messages are not in the order of ids";
            }
            last = message.record.id;
            found.contents[message.record.id] = {
                std::string{message.record.exchange},
                std::string{message.record.routing_key},
                std::string{message.record.properties},
                std::string{message.record.body},
                message.record.arrived_ms,
                message.record.due_ms};
            for (const queue_entry& entry : message.record.queues) {
                found.entries[{entry.queue, message.record.id}] = {
                    entry.delivery_count, entry.redelivered};
            }
        },
        problem);
    return found;
}

}  // namespace

void crash_expectation::settle(const snapshot& now) {
    *this = {};
    durable = attempted = now;
}

std::string compare(const crash_expectation& expected, const snapshot& found) {
    std::ostringstream wrong;
    const auto& [durable, attempted, entries, queues, definitions, contents] = expected;
    for (const auto& [id, name] : durable.queues) {
        if (attempted.queues.contains(id) && !found.queues.contains(id)) {
            wrong << "queue " << name << " is lost\n";
        }
    }
    for (const auto& [id, name] : found.queues) {
        if (!durable.queues.contains(id) && !attempted.queues.contains(id) &&
            !queues.contains(id)) {
            wrong << "queue " << name << " came back\n";
        }
    }
    for (const auto& text : durable.definitions) {
        if (attempted.definitions.contains(text) && !found.definitions.contains(text)) {
            wrong << text << " is lost\n";
        }
    }
    for (const auto& text : found.definitions) {
        if (!durable.definitions.contains(text) && !attempted.definitions.contains(text) &&
            !definitions.contains(text)) {
            wrong << text << " came back\n";
        }
    }
    for (const auto& [key, entry] : durable.entries) {
        const auto later = attempted.entries.find(key);
        if (later == attempted.entries.end()) {
            continue;
        }
        const auto now = found.entries.find(key);
        if (now == found.entries.end()) {
            wrong << "message " << key.second << " is lost from queue " << key.first << "\n";
        } else if (
            now->second.delivery_count < entry.delivery_count ||
            now->second.delivery_count > later->second.delivery_count ||
            (entry.redelivered && !now->second.redelivered) ||
            (!later->second.redelivered && now->second.redelivered)) {
            wrong << "message " << key.second << " has another delivery state\n";
        }
    }
    for (const auto& [key, entry] : found.entries) {
        if (!durable.entries.contains(key) && !attempted.entries.contains(key) &&
            !entries.contains(key)) {
            wrong << "message " << key.second << " came back in queue " << key.first << "\n";
        }
    }
    for (const auto& message : found.contents) {
        const auto in = [&message](const std::map<message_id, snapshot::content>& all) {
            const auto place = all.find(message.first);
            return place != all.end() && place->second == message.second;
        };
        if (!in(durable.contents) && !in(attempted.contents) && !in(contents)) {
            wrong << "message " << message.first << " has another content\n";
        }
    }
    return wrong.str();
}

bool recover_snapshot(disk& files, snapshot& found, std::string& problem) {
    recovery reader{files, small_options{}.recovery};
    boost::system::error_code error = reader.run(problem);
    if (!error) {
        found = snapshot_of(reader, problem, error);
    }
    return !error && problem.empty();
}

bool small_broker::start() {
    recovery_ = std::make_unique<recovery>(disk_, options_.recovery);
    error_ = recovery_->run(problem_);
    if (error_) {
        return false;
    }
    state_ = snapshot_of(*recovery_, problem_, error_);
    static_cast<void>(recovery_->for_each_message(
        [this](const recovered_message& message) { load(message); }, problem_));
    for (const auto& queue : recovery_->queues()) {
        queue_places_[queue.id] = queue.where;
        marks_[queue.id] = queue.delivered;
    }
    for (const auto& exchange : recovery_->exchanges()) {
        definition_places_[exchange_text(exchange.name)] = exchange.where;
    }
    for (const auto& binding : recovery_->bindings()) {
        definition_places_[binding_text(binding.source, binding.destination, binding.routing_key)] =
            binding.where;
    }
    for (const auto& setting : recovery_->settings()) {
        definition_places_[setting_text(setting.key, setting.value)] = setting.where;
    }
    next_message_ = recovery_->next_message_id();
    next_queue_ = recovery_->next_queue_id();
    log_ = std::make_unique<log>(options_.log, recovery_->tail());
    writer_ = std::make_unique<log_writer>(disk_, options_.writer, recovery_->tail());
    expected_.settle(state_);
    return !error_;
}

void small_broker::load(const recovered_message& message) {
    held& stored = messages_[message.record.id];
    stored.where = message.where;
    stored.blob = message.record.blob.blob != 0;
    for (const queue_entry& entry : message.record.queues) {
        stored.queues[entry.queue] = {entry.delivery_count, entry.redelivered};
    }
}

queue_id small_broker::declare(const std::string& name) {
    const queue_id id = next_queue_++;
    queue_record record;
    record.id = id;
    record.flags = entity_durable;
    record.vhost = vhost;
    record.name = name;
    record.arguments = "args";
    queue_places_[id] = log_->queue_declared(record);
    state_.queues[id] = name;
    expected_.introduced_queues.insert(id);
    return id;
}

void small_broker::delete_queue(queue_id queue) {
    const std::string name = state_.queues.at(queue);
    log_->queue_deleted(queue, vhost, name);
    log_->released(queue_places_.at(queue));
    queue_places_.erase(queue);
    marks_.erase(queue);
    state_.queues.erase(queue);
    for (auto entry = state_.entries.begin(); entry != state_.entries.end();) {
        const auto key = (entry++)->first;
        if (key.first == queue) {
            drop_entry(queue, key.second);
        }
    }
    for (auto next = definition_places_.begin(); next != definition_places_.end();) {
        const std::string text = (next++)->first;
        if (const auto parts = words(text); parts[0] == "binding" && parts[2] == name) {
            drop_definition(text);
        }
    }
}

void small_broker::put_definition(const std::string& text, location where) {
    if (const auto old = definition_places_.find(text); old != definition_places_.end()) {
        log_->released(old->second);
    }
    definition_places_[text] = where;
    state_.definitions.insert(text);
    expected_.introduced_definitions.insert(text);
}

void small_broker::drop_definition(const std::string& text) {
    const auto found = definition_places_.find(text);
    if (found != definition_places_.end()) {
        log_->released(found->second);
        definition_places_.erase(found);
    }
    state_.definitions.erase(text);
}

void small_broker::declare_exchange(const std::string& name) {
    exchange_record record;
    record.flags = entity_durable;
    record.vhost = vhost;
    record.name = name;
    record.type = "direct";
    put_definition(exchange_text(name), log_->exchange_declared(record));
}

void small_broker::delete_exchange(const std::string& name) {
    log_->exchange_deleted(vhost, name);
    drop_definition(exchange_text(name));
    for (auto next = definition_places_.begin(); next != definition_places_.end();) {
        const std::string text = (next++)->first;
        if (const auto parts = words(text); parts[0] == "binding" && parts[1] == name) {
            drop_definition(text);
        }
    }
}

void small_broker::bind(const std::string& exchange, queue_id queue, const std::string& key) {
    const std::string name = state_.queues.at(queue);
    const binding_record record{binding_target::queue, vhost, exchange, name, key, {}};
    put_definition(binding_text(exchange, name, key), log_->bound(record));
}

void small_broker::unbind(const std::string& exchange, queue_id queue, const std::string& key) {
    const std::string name = state_.queues.at(queue);
    log_->unbound({binding_target::queue, vhost, exchange, name, key, {}});
    drop_definition(binding_text(exchange, name, key));
}

void small_broker::put(const std::string& key, const std::string& value) {
    erase(key);
    put_definition(setting_text(key, value), log_->setting_put(key, value));
}

void small_broker::erase(const std::string& key) {
    for (auto next = definition_places_.begin(); next != definition_places_.end();) {
        const std::string text = (next++)->first;
        if (const auto parts = words(text); parts[0] == "setting" && parts[1] == key) {
            log_->setting_erased(key);
            drop_definition(text);
        }
    }
}

location small_broker::append(message_id id, std::optional<message_ref> replaces) {
    const snapshot::content& content = state_.contents.at(id);
    std::vector<queue_entry> entries;
    for (const auto& [queue, entry] : messages_.at(id).queues) {
        entries.push_back({queue, entry.delivery_count, entry.redelivered});
    }
    publish_record record;
    record.id = id;
    record.arrived_ms = content.arrived_ms;
    record.due_ms = content.due_ms;
    record.exchange = content.exchange;
    record.routing_key = content.routing_key;
    record.properties = content.properties;
    held& stored = messages_.at(id);
    if (stored.blob ||
        (options_.blob_bytes_min != 0 && content.body.size() >= options_.blob_bytes_min)) {
        if (!std::exchange(stored.blob, true)) {
            log_->keep_blob(id, open_blobs_.bodies.emplace_back(content.body));
        }
        record.blob = {id, content.body.size()};
    } else {
        record.body = content.body;
    }
    record.queues = entries;
    record.replaces = replaces;
    return log_->published(record);
}

message_id small_broker::publish(const std::vector<queue_id>& queues, const std::string& body) {
    const message_id id = next_message_++;
    state_.contents[id] = {"ex", "key", "properties", body, 1000 + id, id % 3};
    for (const queue_id queue : queues) {
        messages_[id].queues[queue] = {};
        state_.entries[{queue, id}] = {};
        expected_.introduced_entries.insert({queue, id});
    }
    expected_.introduced_contents[id] = state_.contents[id];
    messages_[id].where = append(id);
    return id;
}

void small_broker::deliver(queue_id queue, message_id message) {
    log_->delivered(queue, message);
    marks_[queue] = std::max(marks_[queue], message);
    // A mark says it of all messages before, too: redelivered may be true too often, never too
    // seldom.
    for (auto& [key, entry] : state_.entries) {
        if (key.first == queue && key.second <= message) {
            entry.redelivered = true;
            messages_.at(key.second).queues.at(queue).redelivered = true;
        }
    }
}

void small_broker::drop_entry(queue_id queue, message_id message) {
    held& stored = messages_.at(message);
    stored.queues.erase(queue);
    state_.entries.erase({queue, message});
    if (stored.queues.empty()) {
        log_->released(stored.where);
        if (stored.blob) {
            open_blobs_.gone.push_back(message);
        }
        messages_.erase(message);
        state_.contents.erase(message);
    }
}

void small_broker::ack(queue_id queue, message_id message) {
    log_->settled(queue, message);
    drop_entry(queue, message);
}

void small_broker::requeue(queue_id queue, message_id message) {
    held_entry& entry = messages_.at(message).queues.at(queue);
    ++entry.delivery_count;
    entry.redelivered = true;
    state_.entries.at({queue, message}) = entry;
    log_->returned(queue, message, entry.delivery_count);
}

message_id small_broker::move(queue_id from, message_id message, queue_id to) {
    const message_id id = next_message_++;
    state_.contents[id] = state_.contents.at(message);
    state_.contents[id].routing_key = "dead";
    messages_[id].queues[to] = {};
    state_.entries[{to, id}] = {};
    expected_.introduced_entries.insert({to, id});
    expected_.introduced_contents[id] = state_.contents[id];
    messages_[id].where = append(id, message_ref{from, message});
    drop_entry(from, message);
    return id;
}

void small_broker::rewrite_if_wanted() {
    const std::uint64_t room = writer_->room();
    const auto file = log_->wants_rewrite(room - std::min(room, log_->batch_bytes()));
    if (!file) {
        return;
    }
    for (auto& [id, where] : queue_places_) {
        if (where.file == *file) {
            queue_record record;
            record.id = id;
            record.flags = entity_durable;
            record.delivered = marks_[id];
            record.vhost = vhost;
            record.name = state_.queues.at(id);
            record.arguments = "args";
            log_->released(std::exchange(where, log_->queue_declared(record)));
        }
    }
    for (auto& [text, where] : definition_places_) {
        if (where.file != *file) {
            continue;
        }
        const auto parts = words(text);
        location moved;
        if (parts[0] == "exchange") {
            moved = log_->exchange_declared({entity_durable, vhost, parts[1], "direct", {}});
        } else if (parts[0] == "binding") {
            moved = log_->bound({binding_target::queue, vhost, parts[1], parts[2], parts[3], {}});
        } else {
            moved = log_->setting_put(parts[1], parts[2]);
        }
        log_->released(std::exchange(where, moved));
    }
    for (auto& [id, stored] : messages_) {
        if (stored.where.file == *file) {
            log_->released(std::exchange(stored.where, append(id)));
        }
    }
}

bool small_broker::commit() {
    if (error_ && error_ != errc::disk_full) {
        return false;
    }
    if (!waiting_) {
        if (!log_->has_batch()) {
            return true;
        }
        const lsn promised = log_->last_lsn();
        waiting_ = log_->take_batch();
        waiting_state_ = state_;
        waiting_blobs_ = std::exchange(open_blobs_, {});
        expected_.attempted = state_;
        if (waiting_->highest < promised) {
            problem_ = "last_lsn() is never reached";
            error_ = errc::damaged;
            return false;
        }
    }
    error_ = writer_->write(*waiting_);
    if (error_) {
        problem_ = writer_->problem();
        return false;
    }
    log_->give_back(std::move(*waiting_));
    waiting_.reset();
    for (const blob_id gone : waiting_blobs_.gone) {
        static_cast<void>(disk_.remove(blob_name(gone)));
    }
    waiting_blobs_ = {};
    expected_.settle(waiting_state_);
    log_->space_is_low(writer_->space_low());
    for (int step = 0; options_.prepares && !error_ && step < prepare_steps; ++step) {
        error_ = writer_->prepare();
    }
    return true;
}

}  // namespace lovage::broker::store::testing
