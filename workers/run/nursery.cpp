#include "workers/run/nursery.hpp"

#include "workers/run/nursery_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace lovage::workers {

std::string describe_status(int status) {
    if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        return "signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
    }
    return "exit status " + std::to_string(WEXITSTATUS(status));
}

std::optional<nursery> nursery::open(const child_main& body) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return std::nullopt;
    }
    const pid_t parent = ::getpid();
    // What the program has printed but not yet written would be written by every child, too.
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::close(ends[0]);
        run_nursery(ends[1], parent, body);
    }
    ::close(ends[1]);
    if (pid < 0) {
        ::close(ends[0]);
        return std::nullopt;
    }
    return nursery(ends[0], pid);
}

nursery::nursery(nursery&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      pid_(std::exchange(other.pid_, -1)),
      requests_(std::move(other.requests_)),
      gone_(other.gone_) {}

nursery& nursery::operator=(nursery&& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(pid_, other.pid_);
    std::swap(requests_, other.requests_);
    std::swap(gone_, other.gone_);
    return *this;
}

nursery::~nursery() {
    if (socket_ >= 0) {
        ::close(socket_);
    }
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
}

void nursery::bear(child_serial serial) {
    requests_.push_back({nursery_request::bear, serial});
    flush();
}

void nursery::kill(child_serial serial) {
    requests_.push_back({nursery_request::kill, serial});
    flush();
}

bool nursery::flush() {
    while (!requests_.empty()) {
        const nursery_request& first = requests_.front();
        const ssize_t sent = ::send(socket_, &first, sizeof first, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno == EAGAIN) {
            return false;
        }
        requests_.pop_front();  // a nursery that is gone shows itself in next()
    }
    return true;
}

namespace {

int passed_socket(msghdr& message) {
    for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr;
         control = CMSG_NXTHDR(&message, control)) {
        if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS) {
            int socket = -1;
            std::memcpy(&socket, CMSG_DATA(control), sizeof socket);
            return socket;
        }
    }
    return -1;
}

}  // namespace

std::optional<nursery_news> nursery::next() {
    if (gone_) {
        return std::nullopt;
    }
    nursery_reply reply;
    iovec part{&reply, sizeof reply};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(socket_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    nursery_news news;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return std::nullopt;
    }
    if (got != static_cast<ssize_t>(sizeof reply)) {
        gone_ = true;
        return news;
    }
    news.serial = reply.serial;
    news.pid = reply.pid;
    switch (reply.what) {
        case nursery_reply::born:
            news.what = nursery_news::kind::born;
            news.socket = passed_socket(message);
            break;
        case nursery_reply::failed:
            news.what = nursery_news::kind::failed;
            news.how = std::string("cannot fork: ") + std::strerror(reply.status);
            break;
        case nursery_reply::ended:
            news.what = nursery_news::kind::ended;
            news.how = describe_status(reply.status);
            break;
    }
    return news;
}

}  // namespace lovage::workers
