#include "framework/amqp/content.hpp"

namespace lovage::amqp {
namespace {

/// Memory of large bodies and properties is given back once the content was handed over.
constexpr std::size_t kept_body_octets = 64 * 1024;
constexpr std::size_t kept_properties_octets = 4 * 1024;

void empty(std::string& text, std::size_t kept_octets) {
    text.clear();
    if (text.capacity() > kept_octets) {
        text.shrink_to_fit();
    }
}

}  // namespace

void content_assembler::reset() {
    state_ = state::idle;
    empty(collected_, kept_body_octets);
    empty(properties_, kept_properties_octets);
    body_ = {};
}

content_status content_assembler::header(octets payload) {
    if (state_ != state::header) {
        return content_status::unexpected_header;
    }
    content_header parsed;
    if (!read_content_header(payload, parsed)) {
        return content_status::malformed_header;
    }
    if (parsed.class_id != class_basic) {
        header_class_ = parsed.class_id;
        return content_status::wrong_class;
    }
    if (parsed.weight != 0) {
        return content_status::wrong_weight;
    }
    reset();
    properties_.assign(parsed.properties);
    size_ = parsed.body_size;
    if (size_ == 0) {
        return content_status::complete;
    }
    state_ = state::body;
    return content_status::incomplete;
}

content_status content_assembler::body(octets payload) {
    if (state_ != state::body) {
        return content_status::unexpected_body;
    }
    if (payload.size() > size_ - collected_.size()) {
        return content_status::body_too_large;
    }
    if (payload.size() == size_) {
        body_ = payload;
    } else {
        collected_.append(payload);
        if (collected_.size() < size_) {
            return content_status::incomplete;
        }
        body_ = collected_;
    }
    state_ = state::idle;
    return content_status::complete;
}

}  // namespace lovage::amqp
