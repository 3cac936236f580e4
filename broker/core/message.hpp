// A message in memory: one block with its routing, properties and body as they were published,
// shared by the queues that hold it. Counted by hand: the engine's thread is the only one.
#pragma once

#include "broker/core/ids.hpp"
#include "broker/core/journal.hpp"
#include "framework/base/bytes.hpp"

#include <cstdint>
#include <limits>
#include <utility>

namespace lovage::broker {

class page;

class message {
public:
    static constexpr std::uint32_t deaths_max = 1U << 12U;
    static constexpr std::uint64_t no_expiration = std::numeric_limits<std::uint64_t>::max();

    struct parts {
        octets exchange;
        octets routing_key;
        octets properties;  ///< flags and properties, encoded
        octets body;
    };

    /// Copies the parts into one allocation with a count of zero; held by message_ptr from then on.
    /// Its footprint is added to `account` and taken off when it is destroyed.
    static message* create(message_id id, const parts& from, std::uint64_t& account);

    [[nodiscard]] message_id id() const { return id_; }
    [[nodiscard]] octets exchange() const { return {data(), exchange_octets_}; }
    [[nodiscard]] octets routing_key() const {
        return {data() + exchange_octets_, routing_key_octets_};
    }
    [[nodiscard]] octets properties() const {
        return {data() + exchange_octets_ + routing_key_octets_, properties_octets_};
    }
    [[nodiscard]] octets body() const {
        return {data() + exchange_octets_ + routing_key_octets_ + properties_octets_, body_octets_};
    }
    /// Memory that the message takes, for the engine's account.
    [[nodiscard]] std::size_t footprint() const {
        return sizeof(message) + exchange_octets_ + routing_key_octets_ + properties_octets_ +
               body_octets_;
    }

    bool persistent = false;
    bool moved = false;  ///< comes of one that the log held, which is gone when the log says so
    std::uint8_t priority = 0;  ///< of property priority; absent is 0
    /// Copies that may come of it by dying without anybody's doing: a copy has its share of them.
    std::uint32_t deaths_left = deaths_max;
    /// Durable queues that still hold it; at zero its record in the log is released.
    std::uint32_t durable_holders = 0;
    /// Unix time in milliseconds at which it was published, for times to live.
    std::uint64_t published_at_ms = 0;
    /// Of property expiration, milliseconds after published_at_ms.
    std::uint64_t expiration_ms = no_expiration;
    journal_location location;
    message_id blob = 0;      ///< where its body lies on disk, if blobs::has() it still; 0: nowhere
    page* in_page = nullptr;  ///< where it lies on disk besides the log; it belongs there alone
    std::uint32_t page_index = 0;  ///< its place in that page

private:
    friend class message_ptr;

    message() = default;
    [[nodiscard]] const char* data() const { return reinterpret_cast<const char*>(this + 1); }
    static void destroy(message* dead);

    std::uint32_t references_ = 0;
    std::uint8_t exchange_octets_ = 0;
    std::uint8_t routing_key_octets_ = 0;
    std::uint32_t properties_octets_ = 0;
    std::uint32_t body_octets_ = 0;
    message_id id_ = 0;
    std::uint64_t* account_ = nullptr;
};

class message_ptr {
public:
    message_ptr() = default;
    explicit message_ptr(message* held) : held_(held) { retain(); }
    message_ptr(const message_ptr& other) : held_(other.held_) { retain(); }
    message_ptr(message_ptr&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
    message_ptr& operator=(message_ptr other) noexcept {
        std::swap(held_, other.held_);
        return *this;
    }
    ~message_ptr() {
        if (held_ != nullptr && --held_->references_ == 0) {
            message::destroy(held_);
        }
    }

    [[nodiscard]] message* get() const { return held_; }
    message* operator->() const { return held_; }
    message& operator*() const { return *held_; }
    explicit operator bool() const { return held_ != nullptr; }

private:
    void retain() {
        if (held_ != nullptr) {
            ++held_->references_;
        }
    }

    message* held_ = nullptr;
};

}  // namespace lovage::broker
