#include "tests/framework/app/broker_fixture.hpp"

#include <lovage/broker.hpp>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <unistd.h>

namespace lovage::test {
namespace {

std::string start_broker() {
    if (const char* given = std::getenv("LOVAGE_TEST_BROKER_URL"); given != nullptr) {
        return given;
    }
    static broker::server server{broker::server_options{}};
    server.start();
    return server.url();
}

}  // namespace

const std::string& broker_url() {
    static const std::string url = start_broker();
    return url;
}

std::string unique_name(const std::string& stem) {
    static std::atomic<int> count{0};
    return stem + "." + std::to_string(::getpid()) + "." + std::to_string(++count);
}

}  // namespace lovage::test
