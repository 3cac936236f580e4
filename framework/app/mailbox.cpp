#include "framework/app/mailbox.hpp"

#include "framework/app/guarded.hpp"

#include <boost/asio/post.hpp>

namespace lovage {

void mailbox::push(std::unique_ptr<job> work) {
    {
        const std::scoped_lock lock(mutex_);
        waiting_.push_back(std::move(work));
        if (scheduled_) {
            return;
        }
        scheduled_ = true;
    }
    boost::asio::post(executor_, [self = shared_from_this()] { self->drain(); });
}

void mailbox::drain() {
    {
        const std::scoped_lock lock(mutex_);
        running_.swap(waiting_);
        scheduled_ = false;
    }
    for (auto& work : running_) {
        call_guarded([&] { work->run(); });
        work.reset();
    }
    running_.clear();
}

}  // namespace lovage
