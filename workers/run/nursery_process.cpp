#include "workers/run/nursery_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lovage::workers {

namespace {

void do_nothing(int) {}

/// A terminal and some service managers signal the whole group; only the worker decides. A handler
/// instead of SIG_IGN, because programs that tasks start must not inherit deafness.
void be_deaf() {
    struct sigaction action{};
    action.sa_handler = do_nothing;
    action.sa_flags = SA_RESTART;
    for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2}) {
        ::sigaction(number, &action, nullptr);
    }
}

/// Nobody is orphaned: the kernel ends this process with the one that made it.
void die_with(pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
        ::_exit(1);  // it died before the line above
    }
}

class nursery_loop {
public:
    nursery_loop(int socket, const nursery::child_main& body) : socket_(socket), body_(body) {
        ::signal(SIGCHLD, SIG_DFL);  // inherited SIG_IGN would keep children's ends from us
        sigset_t ended;
        ::sigemptyset(&ended);
        ::sigaddset(&ended, SIGCHLD);
        ::sigprocmask(SIG_BLOCK, &ended, &signals_before_);
        signals_ = ::signalfd(-1, &ended, SFD_NONBLOCK | SFD_CLOEXEC);
    }

    void run() {
        pollfd waits[2]{{socket_, POLLIN, 0}, {signals_, POLLIN, 0}};
        while (true) {
            if (::poll(waits, 2, -1) < 0 && errno != EINTR) {
                return;
            }
            if (waits[1].revents != 0) {
                reap();
            }
            if (waits[0].revents != 0 && !obey()) {
                return;
            }
        }
    }

    void kill_all() {
        for (const auto& [pid, serial] : children_) {
            end_group(pid);
        }
    }

private:
    /// The child and what its task has started.
    static void end_group(pid_t pid) {
        if (::kill(-pid, SIGKILL) != 0) {
            ::kill(pid, SIGKILL);  // it has not made its group yet
        }
    }

    /// False when the worker is gone.
    bool obey() {
        nursery_request request;
        const ssize_t got = ::recv(socket_, &request, sizeof request, 0);
        if (got < 0 && errno == EINTR) {
            return true;
        }
        if (got != static_cast<ssize_t>(sizeof request)) {
            return false;
        }
        if (request.what == nursery_request::bear) {
            bear(request.serial);
            return true;
        }
        for (const auto& [pid, serial] : children_) {
            if (serial == request.serial) {
                end_group(pid);  // it is ours and not yet reaped: the number is not reused
            }
        }
        return true;
    }

    void bear(child_serial serial) {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
            say({nursery_reply::failed, errno, serial, 0});
            return;
        }
        const pid_t self = ::getpid();
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::close(ends[0]);
            ::close(socket_);
            ::close(signals_);
            ::sigprocmask(SIG_SETMASK, &signals_before_, nullptr);
            die_with(self);
            ::setpgid(0, 0);
            ::prctl(PR_SET_NAME, "lovage-task");
            ::_exit(body_(ends[1]));
        }
        const int problem = errno;
        ::close(ends[1]);
        if (pid < 0) {
            say({nursery_reply::failed, problem, serial, 0});
        } else {
            ::setpgid(pid, pid);  // here, too: nobody knows who is first
            children_.emplace(pid, serial);
            if (!say({nursery_reply::born, 0, serial, pid}, ends[0])) {
                end_group(pid);  // its end is told as any other
            }
        }
        ::close(ends[0]);
    }

    void reap() {
        signalfd_siginfo ignored;
        while (::read(signals_, &ignored, sizeof ignored) > 0) {
        }
        int status = 0;
        for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0;
             pid = ::waitpid(-1, &status, WNOHANG)) {
            if (const auto found = children_.find(pid); found != children_.end()) {
                say({nursery_reply::ended, status, found->second, pid});
                children_.erase(found);
            }
        }
    }

    /// False if the worker did not get it.
    bool say(const nursery_reply& reply, int passed = -1) const {
        nursery_reply copy = reply;
        iovec part{&copy, sizeof copy};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
        if (passed >= 0) {
            message.msg_control = control;
            message.msg_controllen = sizeof control;
            cmsghdr* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int));
            std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
        }
        ssize_t sent = -1;
        do {
            sent = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
        } while (sent < 0 && errno == EINTR);
        return sent >= 0;
    }

    int socket_;
    int signals_ = -1;
    const nursery::child_main& body_;
    sigset_t signals_before_{};
    std::map<pid_t, child_serial> children_;
};

}  // namespace

void run_nursery(int socket, pid_t worker, const nursery::child_main& body) {
    die_with(worker);
    be_deaf();
    ::prctl(PR_SET_NAME, "lovage-nursery");
    nursery_loop loop(socket, body);
    loop.run();
    loop.kill_all();
    ::_exit(0);
}

}  // namespace lovage::workers
