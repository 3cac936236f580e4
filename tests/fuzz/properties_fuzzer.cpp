// Property flags and properties: the owned and the scanning reader must agree, in what they take
// and in what they say; replacing the headers must leave the other properties alone.
#include "framework/amqp/properties.hpp"
#include "framework/amqp/table_codec.hpp"
#include "tests/fuzz/fuzzing.hpp"

#include <string>

namespace {

using namespace lovage;
using namespace lovage::amqp;
using fuzz::require;

std::string encoded(const basic_properties& from) {
    byte_buffer out;
    write_properties(out, from);
    return std::string(out.view());
}

void check_view(const properties_view& view, const basic_properties& p) {
    require(view.delivery_mode == p.delivery_mode.value_or(delivery_mode_transient));
    require(view.priority == p.priority);
    require(view.reply_to == p.reply_to);
    require(view.expiration == p.expiration);
    require(view.user_id == p.user_id);
    require(view.headers.has_value() == p.headers.has_value());
    if (view.headers) {
        bool ok = false;
        byte_buffer out;
        write_table(out, read_table_content(*view.headers, ok));
        require(ok && out.size() == view.headers->size() + 4);
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const octets bytes = fuzz::input{data, size}.rest();
    const auto read = read_properties(bytes);
    const auto scanned = scan_properties(bytes);
    require(read.has_value() == scanned.has_value());
    if (!read) {
        return 0;
    }
    check_view(*scanned, *read);
    const std::string written = encoded(*read);
    require(written.size() == bytes.size());
    const auto again = read_properties(written);
    require(again && encoded(*again) == written);

    byte_buffer out;
    write_properties_with_headers(out, bytes, "\x01hV");
    auto expected = *read;
    expected.headers = table{{"h", {}}};
    require(read_properties(out.view()) == expected);
    return 0;
}
