// Content assembly under any order of calls, against a model that keeps every octet. An input is a
// list of steps: an octet that chooses, an octet of size, the payload.
#include "framework/amqp/content.hpp"
#include "tests/fuzz/fuzzing.hpp"

#include <string>

namespace {

using namespace lovage;
using namespace lovage::amqp;
using fuzz::require;

class checked_assembler {
public:
    void step(fuzz::input& in) {
        switch (in.octet() % 8) {
            case 0:
                assembler_.start();
                waits_ = waiting::header;
                break;
            case 1:
                assembler_.reset();
                waits_ = waiting::nothing;
                break;
            case 2:
            case 3: header(in.take(in.octet())); break;
            default: body(in.take(in.octet()));
        }
        require(assembler_.active() == (waits_ != waiting::nothing));
        require(assembler_.expects_header() == (waits_ == waiting::header));
    }

private:
    enum class waiting { nothing, header, body };

    void header(octets payload) {
        const auto status = assembler_.header(payload);
        content_header parsed;
        const bool taken = waits_ == waiting::header && read_content_header(payload, parsed) &&
                           parsed.class_id == class_basic && parsed.weight == 0;
        const bool accepted =
            status == content_status::incomplete || status == content_status::complete;
        require(accepted == taken);
        if (taken) {
            expected_.clear();
            size_ = parsed.body_size;
            waits_ = waiting::body;
            require(assembler_.properties() == parsed.properties);
            require(assembler_.body_size() == size_);
            finish(status);
        }
    }

    void body(octets payload) {
        const auto status = assembler_.body(payload);
        if (waits_ != waiting::body) {
            require(status == content_status::unexpected_body);
        } else if (payload.size() > size_ - expected_.size()) {
            require(status == content_status::body_too_large);
        } else {
            expected_ += payload;
            finish(status);
        }
    }

    void finish(content_status status) {
        if (expected_.size() < size_) {
            require(status == content_status::incomplete);
            require(assembler_.held() == expected_.size());
        } else {
            require(status == content_status::complete);
            require(assembler_.body() == expected_);
            waits_ = waiting::nothing;
        }
    }

    content_assembler assembler_;
    waiting waits_ = waiting::nothing;
    std::uint64_t size_ = 0;
    std::string expected_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::input in{data, size};
    checked_assembler assembler;
    while (!in.empty()) {
        assembler.step(in);
    }
    return 0;
}
