#include "workers/core/job.hpp"

#include <cstring>
#include <type_traits>

namespace lovage::workers {

namespace {

template <class Number>
void put(std::string& out, Number number) {
    static_assert(std::is_arithmetic_v<Number>);
    char raw[sizeof(Number)];
    std::memcpy(raw, &number, sizeof number);
    out.append(raw, sizeof raw);
}

void put_text(std::string& out, octets text) {
    put(out, static_cast<std::uint32_t>(text.size()));
    out += text;
}

/// Sets the length of the frame that begins at `begin`.
void close_frame(std::string& out, std::size_t begin) {
    const auto length = static_cast<std::uint32_t>(out.size() - begin - frame_length_octets);
    std::memcpy(out.data() + begin, &length, sizeof length);
}

/// Reads fields one after the other; the first that does not fit makes all others empty.
class field_reader {
public:
    explicit field_reader(octets input) : rest_(input) {}

    template <class Number>
    Number get() {
        Number number{};
        if (rest_.size() < sizeof number) {
            fail();
            return number;
        }
        std::memcpy(&number, rest_.data(), sizeof number);
        rest_.remove_prefix(sizeof number);
        return number;
    }
    octets text() {
        const auto length = get<std::uint32_t>();
        if (rest_.size() < length) {
            fail();
            return {};
        }
        const octets out = rest_.substr(0, length);
        rest_.remove_prefix(length);
        return out;
    }
    octets all() { return std::exchange(rest_, {}); }
    [[nodiscard]] bool good() const { return good_; }

private:
    void fail() {
        good_ = false;
        rest_ = {};
    }

    octets rest_;
    bool good_ = true;
};

template <class Enum>
bool read_enum(field_reader& reader, Enum& out, Enum last) {
    const auto value = reader.get<std::uint8_t>();
    out = static_cast<Enum>(value);
    return value <= static_cast<std::uint8_t>(last);
}

void put_outcome(std::string& out, const outcome& result) {
    put(out, static_cast<std::uint8_t>(result.kind));
    put(out, static_cast<std::uint8_t>(result.reason));
    put(out, static_cast<std::uint8_t>(result.counts_attempt));
    put(out, static_cast<std::int64_t>(result.delay.count()));
    put_text(out, result.problem.type);
    put_text(out, result.problem.message);
    put_text(out, result.problem.module);
    put_text(out, result.problem.traceback);
    out += result.value;
}

bool get_outcome(field_reader& reader, outcome& out) {
    const bool kinds = read_enum(reader, out.kind, outcome_kind::rejected) &&
                       read_enum(reader, out.reason, reject_reason::crashed);
    out.counts_attempt = reader.get<std::uint8_t>() != 0;
    out.delay = milliseconds(reader.get<std::int64_t>());
    out.problem.type = reader.text();
    out.problem.message = reader.text();
    out.problem.module = reader.text();
    out.problem.traceback = reader.text();
    out.value = reader.all();
    return kinds;
}

}  // namespace

void write_job(std::string& out, const job_facts& facts, octets properties, octets body) {
    out.clear();
    out.append(frame_length_octets, '\0');
    put(out, facts.delivery_count);
    put(out, facts.crashes);
    put(out, facts.random);
    put(out, static_cast<std::int64_t>(facts.time_limit.count()));
    put(out, static_cast<std::uint8_t>(facts.redelivered));
    put_text(out, properties);
    out += body;
    close_frame(out, 0);
}

std::optional<job_view> read_job(octets frame) {
    field_reader reader(frame);
    job_view out;
    out.facts.delivery_count = reader.get<std::int64_t>();
    out.facts.crashes = reader.get<std::int64_t>();
    out.facts.random = reader.get<std::uint64_t>();
    out.facts.time_limit = milliseconds(reader.get<std::int64_t>());
    out.facts.redelivered = reader.get<std::uint8_t>() != 0;
    out.properties = reader.text();
    out.body = reader.all();
    if (!reader.good()) {
        return std::nullopt;
    }
    return out;
}

void write_answer(std::string& out, const answer& what) {
    const std::size_t begin = out.size();
    out.append(frame_length_octets, '\0');
    put(out, static_cast<std::uint8_t>(what.kind));
    switch (what.kind) {
        case answer_kind::done: put_outcome(out, what.result); break;
        case answer_kind::refused:
            put(out, static_cast<std::uint8_t>(what.problem.reason));
            out += what.problem.text;
            break;
        case answer_kind::progress: out += what.text; break;
    }
    close_frame(out, begin);
}

bool read_answer(octets frame, answer& out) {
    field_reader reader(frame);
    bool known = read_enum(reader, out.kind, answer_kind::progress);
    if (!known || !reader.good()) {
        return false;
    }
    switch (out.kind) {
        case answer_kind::done: known = get_outcome(reader, out.result); break;
        case answer_kind::refused:
            known = read_enum(reader, out.problem.reason, refusal_reason::bad_header);
            out.problem.text = reader.all();
            break;
        case answer_kind::progress: out.text = reader.all(); break;
    }
    return known && reader.good();
}

frame_cut cut_frame(octets input) {
    frame_cut out;
    std::uint32_t length = 0;
    if (input.size() < frame_length_octets) {
        return out;
    }
    std::memcpy(&length, input.data(), sizeof length);
    out.bad = length > frame_octets_max;
    out.wanted = frame_length_octets + length;
    if (!out.bad && input.size() >= out.wanted) {
        out.whole = true;
        out.frame = input.substr(frame_length_octets, length);
        out.used = out.wanted;
    }
    return out;
}

}  // namespace lovage::workers
