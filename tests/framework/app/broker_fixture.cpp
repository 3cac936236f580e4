#include "tests/framework/app/broker_fixture.hpp"

#include <atomic>
#include <cstdlib>
#include <memory>
#include <unistd.h>

#ifdef LOVAGE_TEST_EMBEDDED_BROKER
#include <lovage/broker.hpp>
#endif

namespace lovage::test {
namespace {

std::string start_broker() {
    if (const char* given = std::getenv("LOVAGE_TEST_BROKER_URL"); given != nullptr) {
        return given;
    }
#ifdef LOVAGE_TEST_EMBEDDED_BROKER
    static broker::server server{broker::server_options{}};
    server.start();
    return server.url();
#else
    return {};
#endif
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
