// Field tables in both dialects: reading and skipping must agree, and a table that was taken must
// come out of writing and reading as the same octets.
#include "framework/amqp/table_codec.hpp"
#include "tests/fuzz/fuzzing.hpp"

#include <string>

namespace {

using namespace lovage;
using namespace lovage::amqp;
using fuzz::require;

std::string encoded(const table& from, dialect as) {
    byte_buffer out;
    write_table(out, from, as);
    return std::string(out.view());
}

void check(octets bytes, dialect as) {
    wire_reader reading{bytes};
    const table first = read_table(reading, as);
    wire_reader skipping{bytes};
    skip_table(skipping, as);
    require(reading.ok() == skipping.ok());
    require(reading.rest() == skipping.rest());
    if (!reading.ok()) {
        return;
    }
    const std::string written = encoded(first, as);
    require(written.size() == bytes.size() - reading.rest().size());
    wire_reader again{written};
    const table second = read_table(again, as);
    require(again.ok() && again.at_end());
    require(encoded(second, as) == written);
    for (const auto& [name, value] : first) {
        require(first.find(name) != nullptr);
        static_cast<void>(value.integer());
        static_cast<void>(value.text());
        require(!value.type_name().empty());
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const octets bytes = fuzz::input{data, size}.rest();
    check(bytes, dialect::rabbitmq);
    check(bytes, dialect::specification);
    return 0;
}
