#include "broker/core/exchange.hpp"

#include "broker/core/delay_line.hpp"
#include "broker/core/queue.hpp"

namespace lovage::broker {
namespace {

std::string identity(const route_target& target, octets key, octets arguments) {
    std::string text{target.is_queue() ? "q" : "x"};
    text += target.target_name();
    text += '\0';
    text += std::to_string(key.size());
    text += '\0';
    text += key;
    text += arguments;
    return text;
}

std::optional<std::string> declared_alternate(const exchange_settings& settings) {
    const auto* value = settings.arguments.find("alternate-exchange");
    const auto text = value == nullptr ? std::nullopt : value->text();
    return text ? std::optional{std::string(*text)} : std::nullopt;
}

}  // namespace

octets route_target::target_name() const {
    return is_queue() ? static_cast<const queue*>(this)->name()
                      : static_cast<const exchange*>(this)->name();
}

bool route_target::target_durable() const {
    return is_queue() ? static_cast<const queue*>(this)->settings().durable
                      : static_cast<const exchange*>(this)->settings().durable;
}

exchange::exchange(exchange_settings settings)
    : route_target(kind::exchange),
      settings_(std::move(settings)),
      alternate_(declared_alternate(settings_)),
      router_(make_router(settings_.type)) {}

void exchange::set_alternate_by_policy(const std::optional<std::string>& name) {
    auto declared = declared_alternate(settings_);
    alternate_ = declared ? std::move(declared) : name;
}

exchange::~exchange() = default;

binding* exchange::find(const route_target& target, octets key, octets arguments) {
    const auto found = bindings_.find(identity(target, key, arguments));
    return found == bindings_.end() ? nullptr : found->second.get();
}

binding& exchange::bind(route_target& target, octets key, octets arguments) {
    auto made = std::make_unique<binding>();
    made->source = this;
    made->target = &target;
    made->key = key;
    made->arguments = arguments;
    router_->add(*made);
    auto& kept = bindings_[identity(target, key, arguments)];
    kept = std::move(made);
    return *kept;
}

void exchange::unbind(binding& gone) {
    router_->remove(gone);
    bindings_.erase(identity(*gone.target, gone.key, gone.arguments));
}

}  // namespace lovage::broker
