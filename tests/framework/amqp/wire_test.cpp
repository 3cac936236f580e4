#include "framework/amqp/wire.hpp"

#include "tests/framework/amqp/support.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lovage::amqp {
namespace {

using testing::from_hex;
using testing::to_hex;

TEST(WireReader, ReadsNumbersInNetworkOrder) {
    const std::string input = from_hex("01 0203 04050607 08090a0b0c0d0e0f");
    wire_reader in{input};

    EXPECT_EQ(in.number<std::uint8_t>(), 0x01U);
    EXPECT_EQ(in.number<std::uint16_t>(), 0x0203U);
    EXPECT_EQ(in.number<std::uint32_t>(), 0x04050607U);
    EXPECT_EQ(in.number<std::uint64_t>(), 0x08090a0b0c0d0e0fU);
    EXPECT_TRUE(in.ok());
    EXPECT_TRUE(in.at_end());
}

TEST(WireReader, FailsOnTheFirstNumberThatIsCutShort) {
    const std::string input = from_hex("000001");
    wire_reader in{input};

    EXPECT_EQ(in.number<std::uint32_t>(), 0U);

    EXPECT_FALSE(in.ok());
}

TEST(WireReader, GivesNothingAfterAFailure) {
    const std::string input = from_hex("05 6162");
    wire_reader in{input};

    EXPECT_EQ(in.short_string(), "");
    EXPECT_EQ(in.number<std::uint8_t>(), 0U);
    EXPECT_EQ(in.take(0), "");

    EXPECT_FALSE(in.ok());
    EXPECT_TRUE(in.at_end());
}

TEST(WireReader, ReadsStringsOfBothKinds) {
    const std::string input = from_hex("02 6162 00000003 636465 00 00000000 ff");
    wire_reader in{input};

    EXPECT_EQ(in.short_string(), "ab");
    EXPECT_EQ(in.long_string(), "cde");
    EXPECT_EQ(in.short_string(), "");
    EXPECT_EQ(in.long_string(), "");
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(in.rest(), "\xff");
}

TEST(WireReader, RefusesALengthBeyondTheInput) {
    for (const auto* text : {"03 6162", "ff 6162", "01"}) {
        const std::string input = from_hex(text);
        wire_reader in{input};
        static_cast<void>(in.short_string());
        EXPECT_FALSE(in.ok()) << text;
    }
    for (const auto* text : {"00000003 6162", "ffffffff 6162", "000000", "00000001"}) {
        const std::string input = from_hex(text);
        wire_reader in{input};
        static_cast<void>(in.long_string());
        EXPECT_FALSE(in.ok()) << text;
    }
}

TEST(WireWriter, WritesNetworkOrder) {
    byte_buffer out;

    write_number(out, std::uint8_t{1});
    write_number(out, std::uint16_t{0x0203});
    write_number(out, std::uint32_t{0x04050607});
    write_number(out, std::uint64_t{0x08090a0b0c0d0e0f});

    EXPECT_EQ(to_hex(out.view()), "0102030405060708090a0b0c0d0e0f");
}

TEST(WireWriter, CutsAShortStringAt255Octets) {
    byte_buffer out;

    write_short_string(out, std::string(300, 'x'));

    EXPECT_EQ(out.view(), "\xff" + std::string(255, 'x'));
}

TEST(WireWriter, WritesStringsThatTheReaderReads) {
    const std::string longer(70000, 'y');
    byte_buffer out;
    write_short_string(out, "short");
    write_long_string(out, longer);

    wire_reader in{out.view()};
    EXPECT_EQ(in.short_string(), "short");
    EXPECT_EQ(in.long_string(), longer);
    EXPECT_TRUE(in.ok() && in.at_end());
}

TEST(WireWriter, PatchesASizeThatIsKnownLater) {
    byte_buffer out;
    write_number(out, std::uint16_t{0xaaaa});
    write_number(out, std::uint32_t{0});
    out.append("abc");

    patch_size(out, 2, 3);

    EXPECT_EQ(to_hex(out.view()), "aaaa00000003616263");
}

TEST(Utf8, TakesWellFormedText) {
    for (const auto* text :
         {"",
          "00",
          "7f",
          "6162636465666768",
          "c280",
          "dfbf",
          "e0a080",
          "e1bfbf",
          "ecbfbf",
          "ed9fbf",
          "ee8080",
          "efbfbf",
          "f0908080",
          "f1808080",
          "f3bfbfbf",
          "f48fbfbf",
          "6162636465666768c3a9",
          "61626364656667c3a968",
          "c3a9e282acf09f98806162636465666768"}) {
        EXPECT_TRUE(is_utf8(from_hex(text))) << text;
    }
}

TEST(Utf8, RefusesWhatIsNot) {
    for (const auto* text :
         {"80",        // a continuation alone
          "bf",        //
          "c080",      // overlong forms
          "c1bf",      //
          "e08080",    //
          "e09fbf",    //
          "f0808080",  //
          "f08fbfbf",  //
          "eda080",    // surrogates
          "edbfbf",    //
          "f4908080",  // above U+10FFFF
          "f5808080",  //
          "f8888080",  //
          "fe",        //
          "ff",        //
          "c3",        // cut short
          "e282",      //
          "e2",        //
          "f09f98",    //
          "f09f",      //
          "c341",      // continuation octets that are none
          "e28241",    //
          "e24182",    //
          "f09f9841",  //
          "f09f4198",  //
          "f0419898",  //
          "c3c3",      //
          "6162636465666768ff",
          "6162636465666768c3",
          "61626364656667ff68"}) {
        EXPECT_FALSE(is_utf8(from_hex(text))) << text;
    }
}

/// The 64-bit step over plain text must not jump over an octet at any offset.
TEST(Utf8, SeesOneBadOctetAtAnyPlace) {
    for (std::size_t size = 1; size <= 40; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            std::string text(size, 'a');
            EXPECT_TRUE(is_utf8(text));
            text[at] = '\x80';
            EXPECT_FALSE(is_utf8(text)) << size << ' ' << at;
        }
    }
}

}  // namespace
}  // namespace lovage::amqp
