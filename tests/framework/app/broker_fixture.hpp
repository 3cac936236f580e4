// The broker that integration tests run against: one for the whole test program, from
// LOVAGE_TEST_BROKER_URL or embedded. Without either, tests are skipped.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace lovage::test {

/// Empty if there is no broker to test against.
[[nodiscard]] const std::string& broker_url();
/// A name that no other test uses.
[[nodiscard]] std::string unique_name(const std::string& stem);

class with_broker : public ::testing::Test {
protected:
    void SetUp() override {
        if (broker_url().empty()) {
            GTEST_SKIP() << "no broker: set LOVAGE_TEST_BROKER_URL";
        }
    }
};

}  // namespace lovage::test
