#include "broker/store/crc32c.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace lovage::broker::store {
namespace {

// RFC 3720 B.4, and the check value of the catalogue of CRCs.
TEST(Crc32c, MatchesThePublishedVectors) {
    std::string ascending(32, '\0');
    std::string descending(32, '\0');
    for (std::size_t i = 0; i < 32; ++i) {
        ascending[i] = static_cast<char>(i);
        descending[31 - i] = static_cast<char>(i);
    }

    for (const auto& crc : {crc32c_by_table, crc32c}) {
        EXPECT_EQ(crc("123456789", 0), 0xE3069283U);
        EXPECT_EQ(crc(std::string(32, '\0'), 0), 0x8A9136AAU);
        EXPECT_EQ(crc(std::string(32, '\xFF'), 0), 0x62A8AB43U);
        EXPECT_EQ(crc(ascending, 0), 0x46DD794EU);
        EXPECT_EQ(crc(descending, 0), 0x113FDB5CU);
        EXPECT_EQ(crc("", 7), 7U);
    }
}

TEST(Crc32c, HardwareAndTableAgreeForAllLengthsAndSeeds) {
    // Where the processor has no instruction for it, the chosen way is the table itself.
    const auto fast = crc32c_has_hardware() ? crc32c_by_hardware : crc32c;
    std::mt19937 random{1};
    std::string bytes;
    for (int length = 0; length < 300; ++length) {
        const auto seed = static_cast<std::uint32_t>(random());

        EXPECT_EQ(fast(bytes, seed), crc32c_by_table(bytes, seed)) << length;

        bytes += static_cast<char>(random());
    }
}

TEST(Crc32c, ContinuesOverPieces) {
    const std::string bytes = "lovage broker store";
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        EXPECT_EQ(crc32c(bytes.substr(cut), crc32c(bytes.substr(0, cut))), crc32c(bytes));
    }
}

}  // namespace
}  // namespace lovage::broker::store
