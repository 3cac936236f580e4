#include "workers/run/child.hpp"

#include "framework/base/log.hpp"
#include "workers/core/perform.hpp"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace lovage::workers {

namespace {

/// What one read takes; longer jobs take several.
constexpr std::size_t read_octets = 64 * 1024;
/// A buffer that a long job made larger than this is given back afterwards.
constexpr std::size_t kept_octets = 1024 * 1024;

class child_session final : public progress_sink {
public:
    child_session(const registry& tasks, int socket) : tasks_(tasks), socket_(socket) {}

    int run() {
        while (read_some()) {
            frame_cut cut = cut_frame(in_.view());
            for (; cut.whole; cut = cut_frame(in_.view())) {
                if (!work(cut.frame)) {
                    return 1;
                }
                in_.consume(cut.used);
            }
            if (cut.bad) {
                return 1;
            }
            if (in_.empty() && in_.capacity() > kept_octets) {
                in_.release();
            }
        }
        return 0;
    }

    void progress(std::string_view json) override {
        if (json.size() > body_octets_max) {
            log_event(log_level::warning, "progress_dropped", {{"octets", json.size()}});
            return;
        }
        answer state;
        state.kind = answer_kind::progress;
        state.text = json;
        send(state);
    }

private:
    /// False at the end.
    bool read_some() {
        const std::size_t wanted = cut_frame(in_.view()).wanted;
        const std::size_t room =
            std::max(read_octets, wanted > in_.size() ? wanted - in_.size() : 0);
        while (true) {
            const ssize_t got = ::read(socket_, in_.prepare(room), room);
            if (got > 0) {
                in_.commit(static_cast<std::size_t>(got));
                return true;
            }
            if (got == 0 || errno != EINTR) {
                return false;
            }
        }
    }

    bool work(octets frame) {
        const auto job = read_job(frame);
        if (!job.has_value()) {
            return false;
        }
        const answer done = perform(tasks_, *job, {std::chrono::steady_clock::now(), {}, this});
        // This process ends without the library's goodbye; what the task has printed would be lost.
        std::fflush(nullptr);
        return send(done);
    }

    bool send(const answer& what) {
        out_.clear();
        write_answer(out_, what);
        for (std::size_t sent = 0; sent < out_.size();) {
            const ssize_t count =
                ::send(socket_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
            if (count < 0 && errno != EINTR) {
                return false;
            }
            sent += count > 0 ? static_cast<std::size_t>(count) : 0;
        }
        if (out_.capacity() > kept_octets) {
            out_ = {};
        }
        return true;
    }

    const registry& tasks_;
    int socket_;
    byte_buffer in_;
    std::string out_;
};

}  // namespace

int run_child(const registry& tasks, int socket) {
    child_session session(tasks, socket);
    return session.run();
}

}  // namespace lovage::workers
