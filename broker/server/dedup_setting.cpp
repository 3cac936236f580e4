#include "broker/server/dedup_setting.hpp"

#include "broker/store/record_codec.hpp"

namespace lovage::broker {
namespace {

constexpr octets prefix{"dedup\0", 6};

}  // namespace

std::string dedup_setting_name(const dedup_mark& of) {
    std::string name;
    name.resize(
        prefix.size() + of.vhost.size() + of.exchange.size() + of.key.size() +
        3 * store::varint_bytes_max);
    store::payload_writer out{name.data()};
    out.raw(prefix);
    out.text(of.vhost);
    out.text(of.exchange);
    out.varint(static_cast<std::uint64_t>(of.queue));
    out.raw(of.key);
    name.resize(static_cast<std::size_t>(out.position() - name.data()));
    return name;
}

std::string dedup_setting_value(const dedup_mark& of) {
    std::string value;
    value.resize(2 * store::varint_bytes_max);
    store::payload_writer out{value.data()};
    out.varint(of.until_ms);
    out.varint(of.serial);
    value.resize(static_cast<std::size_t>(out.position() - value.data()));
    return value;
}

bool read_dedup_setting(octets name, octets value, dedup_mark& into) {
    if (!name.starts_with(prefix)) {
        return false;
    }
    store::payload_reader from_name{name.substr(prefix.size())};
    into.vhost = from_name.text();
    into.exchange = from_name.text();
    into.queue = queue_id{from_name.varint()};
    into.key = from_name.rest();
    store::payload_reader from_value{value};
    into.until_ms = from_value.varint();
    into.serial = from_value.varint();
    return from_name.ok() && from_value.ok() && from_value.at_end();
}

}  // namespace lovage::broker
