// The broker that integration tests run against: one for the whole test program, from
// LOVAGE_TEST_BROKER_URL or embedded.
#pragma once

#include <string>

namespace lovage::test {

[[nodiscard]] const std::string& broker_url();
/// A name that no other test uses.
[[nodiscard]] std::string unique_name(const std::string& stem);

}  // namespace lovage::test
