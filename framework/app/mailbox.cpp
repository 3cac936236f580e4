#include "framework/app/mailbox.hpp"

#include <boost/asio/post.hpp>

namespace lovage {

bool mailbox::push(std::unique_ptr<job> work) {
    {
        const std::scoped_lock lock(mutex_);
        if (closed_) {
            return false;
        }
        waiting_.push_back(std::move(work));
        if (scheduled_) {
            return true;
        }
        scheduled_ = true;
    }
    boost::asio::post(executor_, [self = shared_from_this()] { self->drain(); });
    return true;
}

void mailbox::drain() {
    {
        const std::scoped_lock lock(mutex_);
        running_.swap(waiting_);
        scheduled_ = false;
    }
    for (auto& work : running_) {
        work->run();
        work.reset();
    }
    running_.clear();
}

void mailbox::close() {
    std::vector<std::unique_ptr<job>> dropped;
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    dropped.swap(waiting_);
}

}  // namespace lovage
