// Checks and hashes passwords on one thread of its own, so that the node never waits for scrypt.
// Pairs of verifier and password that were checked before are answered at once, right or wrong: who
// is known never stands in line, and a client that tries the same wrong password for ever costs
// nothing. The others wait, each address in a line of its own, and the lines take turns, so that
// one address that floods does not keep the others out. On the node's thread, but for the hashing.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace lovage::broker {

class password_checker {
public:
    /// Identifies a check for cancel().
    using ticket = std::uint64_t;

    /// Marks of pairs that are remembered, right ones and wrong ones each.
    static constexpr std::size_t remembered_max = 16 * 1024;
    /// Checks that wait; more are answered with no.
    static constexpr std::size_t waiting_max = 32 * 1024;

    explicit password_checker(boost::asio::io_context& io);
    ~password_checker();
    password_checker(const password_checker&) = delete;
    password_checker& operator=(const password_checker&) = delete;

    /// Calls `done` once, now or later; never, if it is cancelled before. `address` is where the
    /// question comes from, without the port. An empty verifier fits no password, in its own time.
    ticket check(
        const std::string& address,
        std::string user,
        std::string verifier,
        std::string password,
        std::function<void(bool)> done);
    void cancel(ticket which);
    [[nodiscard]] bool waits(ticket which) const { return address_of_.contains(which); }
    /// Calls `done` later with the verifier; nothing if it cannot be made. Goes before all checks.
    void hash(std::string password, std::function<void(std::optional<std::string>)> done);
    /// That the password fits is known from elsewhere.
    void remember(const std::string& verifier, const std::string& password);

    [[nodiscard]] std::size_t waiting() const { return waiting_; }

private:
    struct question {
        ticket number = 0;
        std::string user;
        std::string verifier;
        std::string password;
        std::function<void(bool)> done;
    };
    struct order {
        std::string password;
        std::function<void(std::optional<std::string>)> done;
    };
    /// Marks in the order in which they came; the oldest makes room.
    struct memory {
        std::unordered_set<std::string> known;
        std::deque<std::string> order;
        void add(std::string mark);
    };

    [[nodiscard]] std::optional<bool> recall(const question& asked) const;
    [[nodiscard]] std::string wrong_mark(const question& asked) const;
    void work();
    std::optional<question> next_question();
    void start(question next);
    void start(order next);
    boost::asio::thread_pool& pool();

    boost::asio::io_context& io_;
    std::string key_;  ///< of the marks; of this process only
    memory right_;
    memory wrong_;
    std::deque<order> orders_;
    std::map<std::string, std::deque<question>> lines_;  ///< by address
    std::string last_served_;                            ///< address
    std::unordered_map<ticket, std::string> address_of_;
    ticket last_ticket_ = 0;
    std::size_t waiting_ = 0;
    bool busy_ = false;
    std::unique_ptr<boost::asio::thread_pool> pool_;  ///< made when first needed
};

}  // namespace lovage::broker
