// The prefork pool seen from the worker: one socket a child, and the nursery's news.
#include "workers/run/executors.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lovage::workers {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// What one read takes from a child's socket.
constexpr std::size_t read_octets = 64 * 1024;

struct child_slot {
    explicit child_slot(asio::io_context& io) : socket(io) {}

    asio::posix::stream_descriptor socket;
    child_serial serial = 0;  ///< of the child asked for last; 0: none
    byte_buffer in;
    byte_buffer out;  ///< what the socket did not take
    bool writing = false;
    bool dead = false;       ///< its last answers are being read
    bool untouched = false;  ///< its last job came after its death, or it died before reading it
};

class prefork_executors final : public executors {
public:
    prefork_executors(
        asio::io_context& io,
        nursery source,
        std::size_t count,
        executor_events& events)
        : nursery_(std::move(source)), news_(io, ::dup(nursery_.socket())), events_(events) {
        for (std::size_t i = 0; i < count; ++i) {
            slots_.push_back(std::make_unique<child_slot>(io));
        }
        wait_for_news();
    }

    void start(executor_id executor) override {
        slots_[executor]->serial = ++last_serial_;
        nursery_.bear(last_serial_);
        send_requests();
    }

    void run(executor_id executor, const std::string& frame) override {
        child_slot& slot = *slots_[executor];
        slot.untouched = slot.dead;
        if (slot.dead) {
            return;
        }
        octets rest = frame;
        if (slot.out.empty()) {
            const ssize_t sent = ::send(
                slot.socket.native_handle(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            slot.untouched = sent < 0 && errno != EAGAIN && errno != EINTR;
            rest.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
        }
        if (!rest.empty()) {
            slot.out.append(rest);  // a dead child shows itself as news, with the reason
            write_rest(executor);
        }
    }

    void kill(executor_id executor) override { kill_child(slots_[executor]->serial); }

    [[nodiscard]] bool stop() override {
        stopped_ = true;
        error_code ignored;
        news_.close(ignored);
        for (const auto& slot : slots_) {
            slot->socket.close(ignored);
        }
        return true;
    }

private:
    void kill_child(child_serial serial) {
        nursery_.kill(serial);
        send_requests();
    }

    /// The nursery may be waiting for us to read its news: requests never block.
    void send_requests() {
        if (nursery_.flush() || flushing_) {
            return;
        }
        flushing_ = true;
        news_.async_wait(asio::posix::stream_descriptor::wait_write, [this](error_code error) {
            flushing_ = false;
            if (!error && !stopped_) {
                send_requests();
            }
        });
    }

    void wait_for_news() {
        news_.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code error) {
            if (error || stopped_) {
                return;
            }
            while (auto news = nursery_.next()) {
                take(*news);
                if (news->what == nursery_news::kind::gone) {
                    return;
                }
            }
            wait_for_news();
        });
    }

    void take(nursery_news& news) {
        if (news.what == nursery_news::kind::gone) {
            events_.executors_broken("the process that makes the children has ended");
            return;
        }
        executor_id executor = 0;
        while (executor < slots_.size() && slots_[executor]->serial != news.serial) {
            ++executor;
        }
        if (executor == slots_.size()) {
            if (news.socket >= 0) {
                ::close(news.socket);
            }
            return;
        }
        if (news.what == nursery_news::kind::born && news.socket < 0) {
            kill_child(news.serial);
            bury(executor, "no file descriptor left for its socket (ulimit -n)");
        } else if (news.what == nursery_news::kind::born) {
            slots_[executor]->dead = false;
            slots_[executor]->untouched = false;
            slots_[executor]->socket.assign(news.socket);
            slots_[executor]->socket.non_blocking(true);
            read(executor);
            events_.executor_started(executor);
        } else {
            bury(executor, news.how);
        }
    }

    void bury(executor_id executor, std::string_view how) {
        child_slot& slot = *slots_[executor];
        slot.dead = true;
        if (slot.socket.is_open()) {
            if (read_now(executor)) {  // it may have answered before it died
                read_now(executor);    // and left something unread
            }
            error_code ignored;
            slot.socket.close(ignored);
        }
        slot.serial = 0;
        slot.in.clear();
        slot.out.clear();
        slot.writing = false;
        events_.executor_lost(executor, how, slot.untouched);
    }

    void read(executor_id executor) {
        child_slot& slot = *slots_[executor];
        slot.socket.async_wait(
            asio::posix::stream_descriptor::wait_read,
            [this, executor, serial = slot.serial](error_code error) {
                if (error || stopped_ || slots_[executor]->serial != serial) {
                    return;
                }
                if (read_now(executor)) {
                    if (slots_[executor]->serial == serial) {
                        read(executor);
                    }
                } else {
                    // It has closed its socket, or writes nonsense: it can be of no use any more.
                    kill_child(serial);
                }
            });
    }

    /// False at the end of the socket or of sense.
    bool read_now(executor_id executor) {
        child_slot& slot = *slots_[executor];
        while (true) {
            const std::size_t wanted = cut_frame(slot.in.view()).wanted;
            const std::size_t room =
                std::max(read_octets, wanted > slot.in.size() ? wanted - slot.in.size() : 0);
            const ssize_t got =
                ::recv(slot.socket.native_handle(), slot.in.prepare(room), room, MSG_DONTWAIT);
            if (got < 0 && errno == ECONNRESET) {
                slot.untouched = true;  // it died with its job unread (unix(7))
            }
            if (got <= 0) {
                return got < 0 && (errno == EAGAIN || errno == EINTR);
            }
            slot.in.commit(static_cast<std::size_t>(got));
            if (!take_answers(executor)) {
                return false;
            }
            if (static_cast<std::size_t>(got) < room) {
                return true;  // there was no more; a wasted call saved
            }
        }
    }

    bool take_answers(executor_id executor) {
        child_slot& slot = *slots_[executor];
        frame_cut cut = cut_frame(slot.in.view());
        for (; cut.whole; cut = cut_frame(slot.in.view())) {
            answer what;
            if (!read_answer(cut.frame, what)) {
                return false;
            }
            slot.in.consume(cut.used);
            events_.executor_answered(executor, std::move(what));
        }
        return !cut.bad;
    }

    void write_rest(executor_id executor) {
        child_slot& slot = *slots_[executor];
        if (slot.writing) {
            return;
        }
        slot.writing = true;
        slot.socket.async_wait(
            asio::posix::stream_descriptor::wait_write,
            [this, executor, serial = slot.serial](error_code error) {
                child_slot& same = *slots_[executor];
                if (error || stopped_ || same.serial != serial) {
                    return;
                }
                same.writing = false;
                const octets rest = same.out.view();
                const ssize_t sent = ::send(
                    same.socket.native_handle(),
                    rest.data(),
                    rest.size(),
                    MSG_DONTWAIT | MSG_NOSIGNAL);
                if (sent > 0) {
                    same.out.consume(static_cast<std::size_t>(sent));
                }
                if (!same.out.empty() && (sent > 0 || errno == EAGAIN || errno == EINTR)) {
                    write_rest(executor);
                } else if (same.out.empty()) {
                    same.out.release();
                }
            });
    }

    nursery nursery_;
    asio::posix::stream_descriptor news_;
    executor_events& events_;
    std::vector<std::unique_ptr<child_slot>> slots_;
    child_serial last_serial_ = 0;
    bool stopped_ = false;
    bool flushing_ = false;
};

}  // namespace

std::unique_ptr<executors> make_prefork_executors(
    asio::io_context& io,
    nursery source,
    std::size_t count,
    executor_events& events) {
    return std::make_unique<prefork_executors>(io, std::move(source), count, events);
}

}  // namespace lovage::workers
