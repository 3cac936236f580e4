// What the harness does about passwords, operators and a new start.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {

void broker_under_test::administer(const std::function<void(administration&)>& what) {
    as_event([&](engine& of) {
        administration with{of};
        what(with);
    });
}

std::string broker_under_test::verifier_of(octets password) {
    return "plain$" + std::string(password);
}

void broker_under_test::check_passwords() {
    for (const password_check& each : std::exchange(checks_, {})) {
        const auto pending = pending_.find(each.verifier);
        const bool fits = pending == pending_.end() ? each.verifier == verifier_of(each.password)
                                                    : pending->second == each.password;
        engine_->password_checked(each.who, fits, clock_);
        after_event();
    }
    follow_up();
}

void broker_under_test::hash_passwords() {
    for (const password_to_hash& each : std::exchange(hashes_, {})) {
        engine_->password_hashed(each.verifier, verifier_of(each.password), clock_);
        after_event();
    }
    follow_up();
}

void broker_under_test::restart(engine_options options) {
    for (const auto& each : clients_) {
        disconnect(*each);
    }
    clients_.clear();
    checks_.clear();
    hashes_.clear();
    engine_ = make_engine(std::move(options));
    for (const auto& [key, setting] : journal.settings) {
        engine_->restore_setting(key, setting.first, setting.second);
    }
}

}  // namespace lovage::broker::test
