// A stream of frames as a connection gets it: frames, methods in both dialects, content headers.
// What is taken must come out of writing and reading as the same octets.
#include "framework/amqp/frame.hpp"
#include "framework/amqp/method_codec.hpp"
#include "framework/amqp/properties.hpp"
#include "tests/fuzz/fuzzing.hpp"

#include <string>

namespace {

using namespace lovage;
using namespace lovage::amqp;
using fuzz::require;

constexpr std::size_t payload_max = frame_size_default - frame_overhead;

std::string payload_of(const method& from, dialect as) {
    byte_buffer out;
    std::visit(
        [&]<class Method>(const Method& m) {
            if constexpr (!std::is_same_v<Method, std::monostate>) {
                write_number(out, Method::id.class_id);
                write_number(out, Method::id.method);
                write_arguments(out, m, as);
            }
        },
        from);
    return std::string(out.view());
}

void check_method(octets payload, dialect as) {
    method_id id;
    method first;
    if (read_method(payload, id, first, as) != method_error::none) {
        return;
    }
    const std::string written = payload_of(first, as);
    // Booleans in tables and unused bits may differ from what came, but nothing is lost: what was
    // written is as long as what came, and reads as what it was written from.
    require(written.size() == payload.size());
    method second;
    require(read_method(written, id, second, as) == method_error::none);
    require(payload_of(second, as) == written);
}

void check_header(octets payload) {
    content_header header;
    if (read_content_header(payload, header)) {
        require(
            scan_properties(header.properties).has_value() ==
            read_properties(header.properties).has_value());
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    octets stream = fuzz::input{data, size}.rest();
    frame next;
    std::uint32_t announced = 0;
    while (next_frame(stream, next, payload_max, announced) == frame_status::complete) {
        if (next.type == static_cast<std::uint8_t>(frame_type::method)) {
            check_method(next.payload, dialect::rabbitmq);
            check_method(next.payload, dialect::specification);
        } else if (next.type == static_cast<std::uint8_t>(frame_type::header)) {
            check_header(next.payload);
        }
    }
    return 0;
}
