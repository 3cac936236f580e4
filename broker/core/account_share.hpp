// What one thing adds to a sum of octets, for as long as it is there: taken off when the share is
// destroyed, so that the sum is exact however a thing goes.
// Held by queues, exchanges and bindings; the sum must outlive them. On the engine's thread.
#pragma once

#include <cstdint>
#include <utility>

namespace lovage::broker {

class account_share {
public:
    account_share() = default;
    account_share(std::uint64_t& account, std::uint64_t octets)
        : account_(&account), octets_(octets) {
        account += octets;
    }
    ~account_share() { take_off(); }
    account_share(account_share&& other) noexcept
        : account_(std::exchange(other.account_, nullptr)),
          octets_(std::exchange(other.octets_, 0)) {}
    account_share& operator=(account_share&& other) noexcept {
        take_off();
        account_ = std::exchange(other.account_, nullptr);
        octets_ = std::exchange(other.octets_, 0);
        return *this;
    }

    [[nodiscard]] std::uint64_t octets() const { return octets_; }

private:
    void take_off() {
        if (account_ != nullptr) {
            *account_ -= octets_;
        }
    }

    std::uint64_t* account_ = nullptr;
    std::uint64_t octets_ = 0;
};

}  // namespace lovage::broker
