#include "broker/server/password_checker.hpp"

#include "broker/server/password.hpp"

#include <boost/asio/post.hpp>
#include <openssl/rand.h>

#include <algorithm>
#include <utility>

namespace lovage::broker {
namespace {

constexpr std::size_t key_octets = 32;

std::string random_key() {
    std::string key(key_octets, '\0');
    RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), static_cast<int>(key.size()));
    return key;
}

}  // namespace

void password_checker::memory::add(std::string mark) {
    if (!known.insert(mark).second) {
        return;
    }
    order.push_back(std::move(mark));
    if (order.size() > remembered_max) {
        known.erase(order.front());
        order.pop_front();
    }
}

password_checker::password_checker(boost::asio::io_context& io) : io_(io), key_(random_key()) {}

password_checker::~password_checker() {
    if (pool_) {
        pool_->stop();
        pool_->join();
    }
}

boost::asio::thread_pool& password_checker::pool() {
    if (!pool_) {
        pool_ = std::make_unique<boost::asio::thread_pool>(1);
    }
    return *pool_;
}

void password_checker::remember(const std::string& verifier, const std::string& password) {
    right_.add(login_mark(key_, verifier, password));
}

/// With the user's name: all that are not there have the same verifier, and a quick answer for one
/// because another was asked for would tell that neither is there.
std::string password_checker::wrong_mark(const question& asked) const {
    const std::string size = std::to_string(asked.user.size());
    return login_mark(key_, size + ':' + asked.user + asked.verifier, asked.password);
}

std::optional<bool> password_checker::recall(const question& asked) const {
    if (right_.known.contains(login_mark(key_, asked.verifier, asked.password))) {
        return true;
    }
    return wrong_.known.contains(wrong_mark(asked)) ? std::optional{false} : std::nullopt;
}

password_checker::ticket password_checker::check(
    const std::string& address,
    std::string user,
    std::string verifier,
    std::string password,
    std::function<void(bool)> done) {
    question asked{
        ++last_ticket_, std::move(user), std::move(verifier), std::move(password), std::move(done)};
    const ticket number = asked.number;
    if (const auto known = recall(asked)) {
        asked.done(*known);
        return number;
    }
    if (waiting_ >= waiting_max) {
        asked.done(false);
        return number;
    }
    address_of_[number] = address;
    lines_[address].push_back(std::move(asked));
    ++waiting_;
    work();
    return number;
}

void password_checker::cancel(ticket which) {
    const auto found = address_of_.find(which);
    if (found == address_of_.end()) {
        return;
    }
    const auto line = lines_.find(found->second);
    address_of_.erase(found);
    waiting_ -=
        std::erase_if(line->second, [which](const question& each) { return each.number == which; });
    if (line->second.empty()) {
        lines_.erase(line);
    }
}

void password_checker::hash(
    std::string password,
    std::function<void(std::optional<std::string>)> done) {
    orders_.push_back({std::move(password), std::move(done)});
    work();
}

std::optional<password_checker::question> password_checker::next_question() {
    if (lines_.empty()) {
        return std::nullopt;
    }
    auto line = lines_.upper_bound(last_served_);
    if (line == lines_.end()) {
        line = lines_.begin();
    }
    last_served_ = line->first;
    question next = std::move(line->second.front());
    line->second.pop_front();
    if (line->second.empty()) {
        lines_.erase(line);
    }
    address_of_.erase(next.number);
    --waiting_;
    return next;
}

void password_checker::work() {
    if (busy_) {
        return;
    }
    if (!orders_.empty()) {
        order next = std::move(orders_.front());
        orders_.pop_front();
        start(std::move(next));
        return;
    }
    // Those whose answer has become known while they waited cost nothing any more.
    while (auto next = next_question()) {
        const auto known = recall(*next);
        if (!known) {
            start(std::move(*next));
            return;
        }
        boost::asio::post(io_, [done = std::move(next->done), fits = *known] { done(fits); });
    }
}

void password_checker::start(question next) {
    busy_ = true;
    boost::asio::post(pool(), [this, kept = std::make_shared<question>(std::move(next))] {
        const bool fits = fits_verifier(kept->password, kept->verifier);
        boost::asio::post(io_, [this, kept, fits] {
            busy_ = false;
            if (fits) {
                remember(kept->verifier, kept->password);
            } else {
                wrong_.add(wrong_mark(*kept));
            }
            work();
            kept->done(fits);
        });
    });
}

void password_checker::start(order next) {
    busy_ = true;
    boost::asio::post(pool(), [this, kept = std::make_shared<order>(std::move(next))] {
        auto verifier = make_verifier(kept->password);
        boost::asio::post(io_, [this, kept, made = std::move(verifier)] {
            busy_ = false;
            if (made) {
                remember(*made, kept->password);
            }
            work();
            kept->done(made);
        });
    });
}

}  // namespace lovage::broker
