// The process that makes the worker's children. It is forked before the worker has any thread or
// io_context, so that a fork is always one of a small process with one thread; it forks a child
// when asked, passes the worker one end of a socket pair, reaps children and says how they ended.
// It never runs tasks itself. When the worker dies, however, nursery and children die with it. Made
// by the worker verb at start; used on the I/O thread. Linux.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>

namespace lovage::workers {

/// Numbers the children that were asked for, from 1, so that late news about one that has been
/// replaced are recognised.
using child_serial = std::uint64_t;

/// What a nursery is asked for, as it goes through the socket.
struct nursery_request {
    enum kind : std::uint32_t { bear, kill };
    kind what = bear;
    child_serial serial = 0;
};

struct nursery_news {
    enum class kind {
        born,    ///< `socket` is ours from now on; `pid`
        failed,  ///< there is no child: `how` says why
        ended,   ///< reaped: `how` says how
        gone,    ///< the nursery itself has ended; all children are dying
    };
    kind what = kind::gone;
    child_serial serial = 0;
    int socket = -1;
    pid_t pid = 0;
    std::string how;  ///< "signal 11 (Segmentation fault)", "exit status 3"
};

class nursery {
public:
    /// Runs in each child with its end of the socket pair; what it returns is the exit status.
    using child_main = std::function<int(int socket)>;

    /// Forks. Nothing if that fails, with errno set. `body` must not return into the caller's
    /// frames otherwise than by returning.
    [[nodiscard]] static std::optional<nursery> open(const child_main& body);
    /// Ends nursery and children by force.
    ~nursery();
    nursery(nursery&& other) noexcept;
    nursery& operator=(nursery&& other) noexcept;

    /// Readable when there is news.
    [[nodiscard]] int socket() const { return socket_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Answered by born or failed. Neither of these two waits: what the nursery does not take now
    /// is sent by flush().
    void bear(child_serial serial);
    /// SIGKILL to the child and what its task has started, unless it has ended already. Answered by
    /// ended.
    void kill(child_serial serial);
    /// False if requests are left; then the socket becomes writable when it is worth another try.
    bool flush();
    /// Does not wait; nothing if there is none.
    [[nodiscard]] std::optional<nursery_news> next();

private:
    nursery(int socket, pid_t pid) : socket_(socket), pid_(pid) {}

    int socket_;
    pid_t pid_;
    std::deque<nursery_request> requests_;  ///< not yet taken
    bool gone_ = false;
};

/// "signal 9 (Killed)", "exit status 1" of a status of waitpid().
[[nodiscard]] std::string describe_status(int status);

}  // namespace lovage::workers
