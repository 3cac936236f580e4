// The one read loop and the one write loop of a connection, for the broker's sessions and the
// client's connections alike. Octets that arrive go to an owner, which says how many it has used;
// octets to send are appended to out() and go out in as few writes as possible.
//
//   auto p = pump::create(std::move(stream));
//   p->start(session);                      // keeps p and session alive until closed() was called
//   write_method(p->out(), 0, start{...});  // any amount, then
//   p->flush();                             // one write, at once if the socket takes it
//
// Everything happens on the stream's executor, which must not run handlers concurrently: no locks.
// The owner is never called from within a member function of the pump, only from its loops.
// An idle plain connection holds no read buffer: one buffer a thread is shared by all of them.
#pragma once

#include "framework/base/bytes.hpp"
#include "framework/net/stream.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace lovage::net {

/// Octets of the read buffer that the connections of a thread share.
inline constexpr std::size_t shared_read_octets = 256 * 1024;
/// Octets of one TLS read: a record holds at most 16 KiB.
inline constexpr std::size_t tls_read_octets = 16 * 1024;

/// What an empty buffer of a connection that is in use may keep.
inline constexpr std::size_t busy_buffer_octets = 64 * 1024;

/// How long the last octets to a peer may take that does not read.
inline constexpr std::chrono::seconds flush_max{10};

class pump_owner {
public:
    virtual ~pump_owner() = default;
    /// `input` is all that has arrived and was not used before. Returns how many octets at its
    /// front are done with; the rest comes again, with more behind it. `input` is valid during the
    /// call.
    virtual std::size_t received(octets input) = 0;
    /// A write that had to wait has finished. `pending` octets are still to be sent.
    virtual void drained(std::size_t pending) = 0;
    /// The connection is over; the last call. No error when this side closed it; asio::error::eof
    /// when the peer did.
    virtual void closed(error_code error) = 0;
};

class pump : public std::enable_shared_from_this<pump> {
public:
    [[nodiscard]] static std::shared_ptr<pump> create(stream connection);
    pump(const pump&) = delete;
    pump& operator=(const pump&) = delete;

    /// Begins to read. `owner` is held until closed() has returned or detach() was called.
    void start(std::shared_ptr<pump_owner> owner);

    /// Where the owner appends what is to be sent. The reference is valid until the next flush().
    [[nodiscard]] byte_buffer& out() { return out_; }
    /// Sends what out() holds, in one write; while a write is under way it stays and goes out in
    /// one write afterwards.
    void flush();
    /// flush() at the end of the current round of the executor: many owners' calls, one write.
    void flush_soon();
    /// Octets that are not yet in the socket.
    [[nodiscard]] std::size_t pending() const { return out_.size() + writing_.size(); }

    /// What its buffers take in memory; the shared one is nobody's. Not what is left of the input
    /// while reading pauses: that cannot become less before somebody else does something.
    [[nodiscard]] std::size_t buffer_octets() const {
        return (paused_ ? 0 : in_.capacity()) + out_.capacity() + writing_.capacity();
    }

    /// After pause, received() is not called until resume; octets stay in the socket, so that the
    /// peer is held back. Both may be called twice and from within received().
    void pause_reading() { paused_ = true; }
    void resume_reading();
    [[nodiscard]] bool paused() const { return paused_; }

    /// Reads at most so much at a time (shared_read_octets at first): less, and others get their
    /// turn sooner. TLS reads little at a time anyway.
    void limit_reads(std::size_t octets) { read_octets_max_ = octets; }

    /// Closes when everything in out() has been sent, or could not be within `limit`. What arrives
    /// meanwhile is dropped.
    void close_after_flush(std::chrono::milliseconds limit = flush_max);
    /// Closes at once; what is pending is lost.
    void close_now();
    /// Closes at once and lets go of the owner, which is not called any more.
    void detach();
    [[nodiscard]] bool closing() const { return state_ != state::open; }

    /// Gives back memory of empty buffers that were not used since the last call, or that have
    /// grown beyond busy_buffer_octets; e.g. with each heartbeat.
    void trim();

    [[nodiscard]] std::uint64_t octets_received() const { return octets_received_; }
    [[nodiscard]] std::uint64_t octets_sent() const { return octets_sent_; }
    [[nodiscard]] stream& connection() { return stream_; }

private:
    enum class state { open, flushing, ended };

    explicit pump(stream connection) : stream_(std::move(connection)) {}
    void read();
    void read_plain();
    void read_tls();
    void deliver(octets input);
    void write();
    void written(error_code error, std::size_t count);
    bool write_at_once();
    void end(error_code error);
    void shut_down();
    void end_after(std::chrono::milliseconds limit);

    stream stream_;
    std::shared_ptr<pump_owner> owner_;
    std::unique_ptr<asio::steady_timer> linger_;  ///< only while closing
    byte_buffer in_;       ///< what the owner has not used yet; TLS reads into it
    byte_buffer out_;      ///< what collects
    byte_buffer writing_;  ///< what the write under way sends
    std::uint64_t octets_received_ = 0;
    std::uint64_t octets_sent_ = 0;
    std::uint64_t octets_at_trim_ = 0;
    state state_ = state::open;
    std::size_t read_octets_max_ = shared_read_octets;
    bool paused_ = false;
    bool reading_ = false;     ///< a read or a wait is under way
    bool write_busy_ = false;  ///< a write is under way
    bool flush_posted_ = false;
    bool resume_posted_ = false;
    bool said_goodbye_ = false;
};

}  // namespace lovage::net
