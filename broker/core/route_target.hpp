// What a binding leads to: a queue or another exchange. Routers know no more of their targets than
// this; the vhost, which walks from exchange to exchange, tells them apart.
// Base of queue and exchange; on the engine's thread.
#pragma once

#include "broker/core/account_share.hpp"
#include "broker/core/dedup_table.hpp"
#include "framework/base/bytes.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace lovage::broker {

struct binding;

class route_target {
public:
    enum class kind : std::uint8_t { queue, exchange };

    route_target(const route_target&) = delete;
    route_target& operator=(const route_target&) = delete;

    [[nodiscard]] bool is_queue() const { return kind_ == kind::queue; }
    /// Of the queue or exchange; unique among those of its kind in a vhost.
    [[nodiscard]] octets target_name() const;
    [[nodiscard]] bool target_durable() const;

    std::vector<binding*> incoming;      ///< bindings that lead here; kept by the vhost
    std::unique_ptr<dedup_table> dedup;  ///< what it has taken lately; null: takes everything
    std::uint64_t route_mark = 0;        ///< number of the last routing that came by here
    account_share definition;            ///< what its being there takes; set by the vhost

protected:
    explicit route_target(kind what) : kind_(what) {}
    ~route_target() = default;

private:
    kind kind_;
};

}  // namespace lovage::broker
