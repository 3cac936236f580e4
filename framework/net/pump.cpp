#include "framework/net/pump.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace lovage::net {
namespace {

/// Octets that a connection did not use are put in front of the next read, in the shared buffer,
/// as long as at least half of it is left for the read.
constexpr std::size_t carried_octets_max = shared_read_octets / 2;
/// Buffers up to this size are kept by a connection that was just busy.
constexpr std::size_t kept_octets_max = 1024;

/// How long a connection that we closed waits for the peer to close, too.
constexpr std::chrono::seconds linger_max{2};

char* shared_buffer() {
    thread_local const std::unique_ptr<char[]> buffer{new char[shared_read_octets]};
    return buffer.get();
}

}  // namespace

std::shared_ptr<pump> pump::create(stream connection) {
    return std::shared_ptr<pump>(new pump(std::move(connection)));
}

void pump::start(std::shared_ptr<pump_owner> owner) {
    owner_ = std::move(owner);
    read();
}

// Reading: wait, read once, hand over, again. One read a round keeps connections fair to each
// other.

void pump::read() {
    if (paused_ || reading_ || state_ == state::ended) {
        return;
    }
    reading_ = true;
    if (stream_.is_tls()) {
        char* into = in_.prepare(tls_read_octets);
        stream_.async_read_some(
            asio::buffer(into, tls_read_octets),
            [self = shared_from_this()](error_code error, std::size_t count) {
                self->reading_ = false;
                if (error) {
                    self->end(error);
                    return;
                }
                self->in_.commit(count);
                self->octets_received_ += count;
                self->read_tls();
            });
        return;
    }
    stream_.async_wait_readable([self = shared_from_this()](error_code error) {
        self->reading_ = false;
        if (error) {
            self->end(error);
        } else {
            self->read_plain();
        }
    });
}

void pump::read_tls() {
    if (!paused_) {
        deliver(in_.view());
    }
    read();
}

void pump::read_plain() {
    if (paused_ || state_ == state::ended) {
        return;
    }
    error_code error;
    const std::size_t carried = in_.size();
    std::size_t count = 0;
    if (carried > carried_octets_max) {
        count = stream_.read_now(
            asio::buffer(in_.prepare(carried_octets_max), carried_octets_max), error);
        in_.commit(count);
        octets_received_ += count;
        if (!error) {
            deliver(in_.view());
        }
    } else {
        char* buffer = shared_buffer();
        count = stream_.read_now(
            asio::buffer(
                buffer + carried, std::min(read_octets_max_, shared_read_octets - carried)),
            error);
        octets_received_ += count;
        if (!error) {
            if (carried != 0) {
                std::memcpy(buffer, in_.view().data(), carried);
                in_.clear();
            }
            deliver({buffer, carried + count});
        }
    }
    if (error && error != asio::error::would_block && error != asio::error::try_again) {
        end(error);
        return;
    }
    read();
}

/// `input` is either in_'s own view or in a buffer that belongs to the thread, with in_ empty.
void pump::deliver(octets input) {
    const bool own = !in_.empty();
    // A copy, because the owner may detach() from within its own member function.
    const auto owner = state_ == state::open ? owner_ : nullptr;
    const std::size_t used = owner != nullptr ? owner->received(input) : input.size();
    if (own) {
        in_.consume(used);
    } else if (used < input.size()) {
        in_.append(input.substr(used));
    }
    if (in_.empty() && in_.capacity() > kept_octets_max) {
        in_.release();
    }
}

void pump::resume_reading() {
    if (!paused_) {
        return;
    }
    paused_ = false;
    if (resume_posted_ || state_ == state::ended) {
        return;
    }
    resume_posted_ = true;
    // Posted, because what was left over is delivered first and the owner is not called from here.
    asio::post(stream_.executor(), [self = shared_from_this()] {
        self->resume_posted_ = false;
        if (!self->in_.empty() && !self->paused_ && self->state_ == state::open &&
            !(self->stream_.is_tls() && self->reading_)) {
            self->deliver(self->in_.view());
        }
        self->read();
    });
}

// Writing.

void pump::flush() {
    if (write_busy_ || out_.empty() || state_ == state::ended) {
        return;
    }
    if (stream_.is_tls() || !write_at_once()) {
        write();
    }
}

/// True if nothing is left to do: all is sent, or the failure is on its way to end().
bool pump::write_at_once() {
    error_code error;
    const std::size_t count =
        stream_.write_now(asio::buffer(out_.view().data(), out_.size()), error);
    out_.consume(count);
    octets_sent_ += count;
    if (!error || error == asio::error::would_block || error == asio::error::try_again) {
        return out_.empty();
    }
    write_busy_ = true;  // nothing more can be sent
    asio::post(stream_.executor(), [self = shared_from_this(), error] { self->end(error); });
    return true;
}

void pump::write() {
    writing_.swap(out_);
    write_busy_ = true;
    stream_.async_write(
        asio::buffer(writing_.view().data(), writing_.size()),
        [self = shared_from_this()](error_code error, std::size_t count) {
            self->written(error, count);
        });
}

void pump::written(error_code error, std::size_t count) {
    octets_sent_ += count;
    writing_.clear();
    write_busy_ = false;
    if (error) {
        end(error);
        return;
    }
    flush();
    if (const auto owner = state_ == state::open ? owner_ : nullptr) {
        owner->drained(pending());
    }
    if (state_ == state::flushing && pending() == 0 && !write_busy_) {
        shut_down();
    }
}

void pump::flush_soon() {
    if (flush_posted_ || state_ == state::ended) {
        return;
    }
    flush_posted_ = true;
    asio::post(stream_.executor(), [self = shared_from_this()] {
        self->flush_posted_ = false;
        self->flush();
    });
}

// Closing. closed() is called once, by end(), which only loops and posted handlers call.

void pump::close_after_flush(std::chrono::milliseconds limit) {
    if (state_ != state::open) {
        return;
    }
    state_ = state::flushing;
    paused_ = false;
    end_after(limit);
    flush();
    // Posted, because this may be a call from within received(), whose input lies in our buffer.
    asio::post(stream_.executor(), [self = shared_from_this()] {
        self->read();
        if (self->pending() == 0 && !self->write_busy_) {
            self->shut_down();
        }
    });
}

/// Closing a socket with unread octets makes the kernel send a reset, which may destroy our last
/// octets before the peer has read them. So: say goodbye, drop what still comes, wait for the
/// peer's goodbye, but not for long.
void pump::shut_down() {
    if (state_ == state::ended || std::exchange(said_goodbye_, true)) {
        return;
    }
    end_after(linger_max);
    stream_.async_shutdown([self = shared_from_this()](error_code error) {
        if (error || self->stream_.is_tls()) {
            self->end({});
        }
    });
}

/// A peer that does not read, or does not answer, keeps nothing longer than that.
void pump::end_after(std::chrono::milliseconds limit) {
    linger_ = std::make_unique<asio::steady_timer>(stream_.executor(), limit);
    linger_->async_wait([self = shared_from_this()](error_code error) {
        if (!error) {
            self->end({});
        }
    });
}

void pump::close_now() {
    if (state_ == state::ended) {
        return;
    }
    state_ = state::flushing;
    asio::post(stream_.executor(), [self = shared_from_this()] { self->end({}); });
}

void pump::detach() {
    owner_ = nullptr;
    if (state_ != state::ended) {
        state_ = state::ended;
        stream_.close();
        linger_.reset();
    }
}

void pump::end(error_code error) {
    if (state_ == state::ended) {
        return;
    }
    if (state_ == state::flushing) {
        error = {};
    }
    state_ = state::ended;
    stream_.close();
    linger_.reset();
    out_.release();
    // in_ and writing_ stay: cancelled operations may still refer to them until they complete.
    if (const auto owner = std::exchange(owner_, nullptr)) {
        owner->closed(error);
    }
}

void pump::trim() {
    const std::uint64_t octets = octets_received_ + octets_sent_;
    const bool idle = octets == std::exchange(octets_at_trim_, octets);
    const auto release = [idle](byte_buffer& unused) {
        if (unused.empty() && (idle || unused.capacity() > busy_buffer_octets)) {
            unused.release();
        }
    };
    release(out_);
    if (!write_busy_) {
        release(writing_);
    }
    if (!stream_.is_tls()) {
        release(in_);
    }
}

}  // namespace lovage::net
