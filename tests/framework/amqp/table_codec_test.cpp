#include "framework/amqp/table_codec.hpp"

#include "framework/amqp/spec.hpp"
#include "tests/framework/amqp/support.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace lovage::amqp {
namespace {

using namespace testing;

constexpr auto dialects = {dialect::rabbitmq, dialect::specification};

std::string encoded(const table& from, dialect as = dialect::rabbitmq) {
    byte_buffer out;
    write_table(out, from, as);
    return std::string(out.view());
}

/// Nothing if the table is refused; also checks that read_table and skip_table agree.
std::optional<table> decoded(octets bytes, dialect as = dialect::rabbitmq) {
    wire_reader reading{bytes};
    table result = read_table(reading, as);
    wire_reader skipping{bytes};
    skip_table(skipping, as);
    EXPECT_EQ(skipping.ok(), reading.ok()) << to_hex(bytes);
    EXPECT_EQ(skipping.rest(), reading.rest()) << to_hex(bytes);
    if (!reading.ok()) {
        return std::nullopt;
    }
    return result;
}

/// A table around the octets of its entries.
std::string sized(octets content) {
    byte_buffer out;
    write_long_string(out, content);
    return std::string(out.view());
}

struct letter_case {
    const char* hex;  // letter and value
    field_value value;
};

void expect_letters(dialect as, std::initializer_list<letter_case> cases) {
    for (const auto& [hex, value] : cases) {
        const std::string bytes = sized("\x01k" + from_hex(hex));

        EXPECT_EQ(decoded(bytes, as), (table{{"k", value}})) << hex;
        EXPECT_EQ(to_hex(encoded({{"k", value}}, as)), to_hex(bytes)) << hex;
    }
}

TEST(TableCodec, LettersThatBothDialectsShare) {
    for (const auto as : dialects) {
        expect_letters(
            as,
            {{"74 01", true},                                             // t
             {"74 00", false},                                            //
             {"62 ff", std::int8_t{-1}},                                  // b
             {"42 ff", std::uint8_t{255}},                                // B
             {"75 fffe", std::uint16_t{65534}},                           // u
             {"49 fffffffe", -2},                                         // I
             {"69 fffffffe", 4294967294U},                                // i
             {"6c fffffffffffffffe", std::int64_t{-2}},                   // l
             {"4c fffffffffffffffe", unsigned_long{~0ULL - 1}},           // L
             {"66 3fc00000", 1.5F},                                       // f
             {"64 bff8000000000000", -1.5},                               // d
             {"44 02 0000013a", decimal{2, 314}},                         // D
             {"44 ff ffffffff", decimal{255, -1}},                        //
             {"53 00000002 6869", "hi"},                                  // S
             {"53 00000000", ""},                                         //
             {"78 00000002 00ff", byte_array{std::string("\0\xff", 2)}},  // x
             {"54 000000005e0d5a35", timestamp{1577933365}},              // T
             {"56", {}},                                                  // V
             {"41 00000000", field_array{}},                              // A
             {"41 00000004 7401 7400", field_array{true, false}},         //
             {"46 00000000", table{}},                                    // F
             {"46 00000004 02 6162 56", table{{"ab", {}}}}});
    }
}

TEST(TableCodec, LettersOfRabbitMq) {
    expect_letters(dialect::rabbitmq, {{"73 fffe", std::int16_t{-2}}});
    EXPECT_EQ(decoded(sized("\x01k" + from_hex("55 fffe"))), std::nullopt);
}

TEST(TableCodec, LettersOfTheSpecification) {
    expect_letters(
        dialect::specification,
        {{"55 fffe", std::int16_t{-2}}, {"73 02 6869", short_text{"hi"}}, {"73 00", short_text{}}});
}

TEST(TableCodec, RabbitMqGetsShortTextAsALongString) {
    EXPECT_EQ(encoded({{"k", short_text{"hi"}}}), encoded({{"k", "hi"}}));
}

TEST(TableCodec, AnyBooleanOctetButZeroIsTrue) {
    EXPECT_EQ(decoded(sized("\x01kt\x02")), (table{{"k", true}}));
}

TEST(TableCodec, EveryOtherLetterIsRefused) {
    for (const auto as : dialects) {
        const std::string known = as == dialect::rabbitmq ? "tbBsuIilLfdDSxATFV"  //
                                                          : "tbBUsuIilLfdDSxATFV";
        for (int letter = 0; letter < 256; ++letter) {
            std::string content = "\x01k";
            content += static_cast<char>(letter);
            content += std::string(8, '\0');
            const bool expected_known = known.find(static_cast<char>(letter)) != std::string::npos;
            // A known letter takes one of these lengths.
            bool taken = false;
            for (std::size_t size = 0; size <= 8 && !taken; ++size) {
                static_cast<void>(
                    read_table_content(octets{content}.substr(0, 3 + size), taken, as));
            }
            EXPECT_EQ(taken, expected_known) << letter;
            static_cast<void>(decoded(sized(content), as));
        }
    }
}

TEST(TableCodec, KeepsOrderAndDuplicates) {
    const table sent{{"b", 1}, {"a", "x"}, {"b", 2}, {"", true}};

    EXPECT_EQ(decoded(encoded(sent)), sent);
}

TEST(TableCodec, NestsTablesAndArrays) {
    const table sent{
        {"list", field_array{1, field_array{"in", table{{"deep", {}}}}, table{}}},
        {"table", table{{"list", field_array{}}}}};

    EXPECT_EQ(decoded(encoded(sent)), sent);
}

TEST(TableCodec, NamesOf255OctetsAreTheLongest) {
    const std::string name(255, 'n');

    EXPECT_EQ(decoded(encoded({{name, 1}})), (table{{name, 1}}));
    EXPECT_EQ(decoded(encoded({{name + "cut", 1}})), (table{{name, 1}}));
}

TEST(TableCodec, ReadsOnlyItsOwnOctets) {
    const std::string bytes = encoded({{"k", 1}}) + "rest";
    wire_reader in{bytes};

    EXPECT_EQ(read_table(in), (table{{"k", 1}}));
    EXPECT_EQ(in.rest(), "rest");
}

TEST(TableCodec, ReadsContentWithoutItsLength) {
    bool ok = false;
    const std::string bytes = encoded({{"LOGIN", "guest"}});

    EXPECT_EQ(read_table_content(octets{bytes}.substr(4), ok), (table{{"LOGIN", "guest"}}));
    EXPECT_TRUE(ok);
    static_cast<void>(read_table_content(octets{bytes}.substr(5), ok));
    EXPECT_FALSE(ok);
}

TEST(TableCodec, RefusesATableCutShortAnywhere) {
    for (const auto as : dialects) {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            SCOPED_TRACE(seed);
            random_source random{seed};
            const std::string bytes = encoded(random.any_table(as), as);
            for (std::size_t size = 0; size < bytes.size(); ++size) {
                ASSERT_EQ(decoded(octets{bytes}.substr(0, size), as), std::nullopt) << size;
            }
        }
    }
}

TEST(TableCodec, RefusesInnerLengthsPastTheEnd) {
    for (const auto* entry :
         {"01 6b 53 00000003 6162",     // long string
          "01 6b 78 00000001",          // octets
          "01 6b 41 00000003 7401",     // array
          "01 6b 46 00000001",          // table
          "01 6b 53 ffffffff 61",       // the largest length
          "01 6b 46 ffffffff",          //
          "02 6b",                      // name
          "ff 6b 56",                   //
          "01 6b 49 000001",            // numbers
          "01 6b 6c 00000000000001",    //
          "01 6b 44 02 000001",         //
          "01 6b",                      // letter missing
          "01 6b 41 00000001 74",       // an array's element cut short by the array's end
          "01 6b 41 00000002 53 00",    //
          "01 6b 46 00000002 016b 56",  // an inner table's entry likewise
          "01 6b 46 00000003 026b 56 56"}) {
        EXPECT_EQ(decoded(sized(from_hex(entry))), std::nullopt) << entry;
    }
}

field_value in_arrays(int count) {
    return count == 0 ? field_value{true} : field_value{field_array{in_arrays(count - 1)}};
}
field_value in_tables(int count) {
    return count == 0 ? field_value{true} : field_value{table{{"k", in_tables(count - 1)}}};
}

TEST(TableCodec, FollowsNestingToTheLimitOnly) {
    // A value of the outermost table stands at depth 1.
    EXPECT_TRUE(decoded(encoded({{"k", in_arrays(table_depth_max - 1)}})));
    EXPECT_FALSE(decoded(encoded({{"k", in_arrays(table_depth_max)}})));
    EXPECT_TRUE(decoded(encoded({{"k", in_tables(table_depth_max - 1)}})));
    EXPECT_FALSE(decoded(encoded({{"k", in_tables(table_depth_max)}})));
}

TEST(TableCodec, HostileNestingIsRefusedWithoutRecursion) {
    std::string bytes = "\x01kt\x01";
    for (int i = 0; i < 100000; ++i) {
        bytes += "A";  // lengths that claim all the rest
        bytes += from_hex("00000001");
    }

    EXPECT_FALSE(decoded(sized(bytes)));
}

TEST(TableCodec, CountsValuesToTheLimitOnly) {
    const std::string most(table_values_max - 1, 'V');
    const auto in_one_array = [](const std::string& elements) {
        return sized("\x01kA" + sized(elements));
    };

    EXPECT_TRUE(decoded(in_one_array(most)));
    EXPECT_FALSE(decoded(in_one_array(most + "V")));
}

TEST(TableCodec, CountsTheValuesOfAllNestedTablesTogether) {
    const std::string half(table_values_max / 2 - 1, 'V');
    const std::string array = "\x01kA" + sized(half);

    EXPECT_TRUE(decoded(sized(array + array)));
    EXPECT_FALSE(decoded(sized(array + array + "\x01kV")));
}

TEST(TableCodec, RandomTablesComeBackAsTheyWere) {
    for (const auto as : dialects) {
        for (std::uint64_t seed = 1; seed <= 300; ++seed) {
            SCOPED_TRACE(seed);
            random_source random{seed};
            const table sent = random.any_table(as);
            const std::string bytes = encoded(sent, as);

            const auto received = decoded(bytes, as);

            ASSERT_EQ(received, sent);
            ASSERT_EQ(encoded(*received, as), bytes);
        }
    }
}

TEST(TableCodec, CorruptedTablesAreReadAndSkippedAlike) {
    int accepted = 0;
    int refused = 0;
    for (const auto as : dialects) {
        for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
            SCOPED_TRACE(seed);
            random_source random{seed};
            const std::string bytes = random.corrupted(encoded(random.any_table(as), as));

            const auto received = decoded(bytes, as);

            if (received) {
                ++accepted;
                // Octets, because a corrupted float may be a NaN.
                const std::string again = encoded(*received, as);
                const auto second = decoded(again, as);
                ASSERT_TRUE(second);
                ASSERT_EQ(encoded(*second, as), again);
            } else {
                ++refused;
            }
            ASSERT_FALSE(HasFailure());
        }
    }
    EXPECT_GT(accepted, 400);
    EXPECT_GT(refused, 400);
}

}  // namespace
}  // namespace lovage::amqp
