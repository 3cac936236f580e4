// node: passwords that connections and the management API bring, and those of users that come with
// the options. The engine says what is to be checked or hashed, password_checker does it.
#include "broker/server/node.hpp"
#include "broker/server/password.hpp"
#include "framework/base/log.hpp"

#include <utility>

namespace lovage::broker {
namespace {

std::string without_port(const std::string& peer) {
    return peer.substr(0, peer.rfind(':'));
}

}  // namespace

void node::check_passwords(std::vector<password_check> asked) {
    for (password_check& each : asked) {
        const connection_id whose = each.who;
        if (find(whose) == nullptr) {
            continue;  // gone meanwhile
        }
        const auto ticket = passwords_->check(
            without_port(each.peer),
            std::move(each.user),
            std::move(each.verifier),
            std::move(each.password),
            [this, whose](bool fits) {
                logins_.erase(whose);
                engine_->password_checked(whose, fits, read_clocks());
                perform();
            });
        if (passwords_->waits(ticket)) {
            logins_[whose] = ticket;
        }
    }
}

void node::hash_passwords(std::vector<password_to_hash> asked) {
    for (const password_to_hash& each : asked) {
        passwords_->remember(each.verifier, each.password);
        passwords_->hash(
            each.password, [this, before = each.verifier](std::optional<std::string> verifier) {
                if (!verifier) {
                    log_event(log_level::error, "password_not_hashed", {});
                    return;
                }
                engine_->password_hashed(before, std::move(*verifier), read_clocks());
                perform();
            });
    }
}

void node::hash_password(
    std::string password,
    std::function<void(std::optional<std::string>)> done) {
    passwords_->hash(std::move(password), std::move(done));
}

bool node::is_verifier(const std::string& text) const {
    return broker::is_verifier(text);
}

void node::log_in(
    const std::string& name,
    const std::string& password,
    const api_client& from,
    std::function<void(std::optional<api_caller>)> done) {
    const user_record* known = engine_->access().find(name);
    const std::string verifier = known == nullptr ? std::string{} : known->verifier;
    passwords_->check(
        from.address,
        name,
        verifier,
        password,
        [this, name, verifier, here = from.loopback, done = std::move(done)](bool fits) {
            if (!fits || !engine_->may_log_in(name, verifier, here)) {
                log_event(log_level::warning, "management_login_refused", {{"user", name}});
                done(std::nullopt);
                return;
            }
            done(api_caller{name, engine_->access().find(name)->tags});
        });
}

}  // namespace lovage::broker
