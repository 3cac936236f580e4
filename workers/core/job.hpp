// What the worker and the process or thread that runs tasks say to each other: jobs one way,
// answers the other, as length-prefixed frames for a socket between two processes of one program.
// Numbers are in the machine's own order: both ends are the same binary on the same machine. Pure;
// decoders check every length, so that a child that writes nonsense harms nobody.
#pragma once

#include "framework/base/bytes.hpp"
#include "framework/base/time.hpp"
#include "framework/task/envelope.hpp"
#include "framework/task/execute.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace lovage::workers {

/// Octets of a frame's length, which counts what follows it.
inline constexpr std::size_t frame_length_octets = 4;
/// Longest body of a message that is run, and longest result: the limit of task/json_parse.hpp.
inline constexpr std::size_t body_octets_max = 64U << 20U;
/// What is passed on of an exception's text and of its traceback.
inline constexpr std::size_t failure_octets_max = 1U << 20U;
/// Longest frame: such a body, its headers and our facts.
inline constexpr std::size_t frame_octets_max = 80U << 20U;

/// What a job says beside the message.
struct job_facts {
    std::int64_t delivery_count = 0;  ///< earlier deliveries of this message
    std::int64_t crashes = 0;         ///< worker processes that died of it
    std::uint64_t random = 0;         ///< for the jitter of retries
    milliseconds time_limit{0};       ///< hard limit; 0: none
    bool redelivered = false;
};

struct job_view {
    job_facts facts;
    octets properties;  ///< encoded, as they came
    octets body;
};

/// Replaces `out` by one frame, length included.
void write_job(std::string& out, const job_facts& facts, octets properties, octets body);
/// `frame` is what write_job() made, without its length. The views live as long as `frame`.
[[nodiscard]] std::optional<job_view> read_job(octets frame);

enum class answer_kind : std::uint8_t {
    done,      ///< `result`; the last answer to a job
    refused,   ///< `problem`: the message is none that can be run; the last answer
    progress,  ///< `text` is JSON; more will follow
};

struct answer {
    answer_kind kind = answer_kind::done;
    outcome result;
    refusal problem{refusal_reason::undecodable_body, {}};
    std::string text;
};

/// Appends one frame, length included.
void write_answer(std::string& out, const answer& what);
/// False if `frame` (without its length) is no answer.
[[nodiscard]] bool read_answer(octets frame, answer& out);

/// The first whole frame of `input`, without its length.
struct frame_cut {
    bool bad = false;        ///< a length beyond the limit: the peer is not to be trusted
    bool whole = false;      ///< `frame` is valid
    octets frame;            ///< a view of the input
    std::size_t used = 0;    ///< octets of the input that the frame takes
    std::size_t wanted = 0;  ///< octets that the frame takes when it is whole; 0: not yet known
};
[[nodiscard]] frame_cut cut_frame(octets input);

}  // namespace lovage::workers
