#include "framework/amqp/content.hpp"

namespace lovage::amqp {
namespace {

/// Memory of a large body is given back once the content was handed over.
constexpr std::size_t kept_capacity_octets = 64 * 1024;

}  // namespace

void content_assembler::reset() {
    state_ = state::idle;
    collected_.clear();
    if (collected_.capacity() > kept_capacity_octets) {
        collected_.shrink_to_fit();
    }
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
