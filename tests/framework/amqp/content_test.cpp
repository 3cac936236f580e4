#include "framework/amqp/content.hpp"

#include "tests/framework/amqp/support.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lovage::amqp {
namespace {

using testing::from_hex;

std::string header_payload(
    std::uint64_t body_size,
    octets properties = {"\0\0", 2},
    std::uint16_t class_id = class_basic,
    std::uint16_t weight = 0) {
    byte_buffer out;
    write_number(out, class_id);
    write_number(out, weight);
    write_number(out, body_size);
    out.append(properties);
    return std::string(out.view());
}

/// An assembler that waits for the body of a header with that size.
content_assembler announced(std::uint64_t body_size) {
    content_assembler result;
    result.start();
    const auto status = result.header(header_payload(body_size));
    EXPECT_EQ(status, body_size == 0 ? content_status::complete : content_status::incomplete);
    return result;
}

TEST(Content, WithoutBodyIsCompleteAtTheHeader) {
    content_assembler content;
    content.start();

    EXPECT_EQ(content.header(header_payload(0, from_hex("1000 02"))), content_status::complete);

    EXPECT_EQ(content.body(), "");
    EXPECT_EQ(content.properties(), from_hex("1000 02"));
    EXPECT_EQ(content.body_size(), 0U);
    EXPECT_FALSE(content.active());
}

TEST(Content, TellsWhatItWaitsFor) {
    content_assembler content;
    EXPECT_FALSE(content.active());
    EXPECT_FALSE(content.expects_header());

    content.start();
    EXPECT_TRUE(content.active());
    EXPECT_TRUE(content.expects_header());

    static_cast<void>(content.header(header_payload(2)));
    EXPECT_TRUE(content.active());
    EXPECT_FALSE(content.expects_header());

    static_cast<void>(content.body("ab"));
    EXPECT_FALSE(content.active());
}

TEST(Content, BodyInOneFrameIsNotCopied) {
    content_assembler content = announced(5);
    const std::string payload = "12345";

    EXPECT_EQ(content.body(payload), content_status::complete);

    EXPECT_EQ(content.body().data(), payload.data());
    EXPECT_EQ(content.body(), payload);
    EXPECT_EQ(content.held(), 0U);
}

TEST(Content, BodyInAnyNumberOfFramesIsJoined) {
    const std::string body = "0123456789abcdef";
    for (std::size_t part = 1; part < body.size(); ++part) {
        SCOPED_TRACE(part);
        content_assembler content = announced(body.size());
        auto status = content_status::incomplete;
        for (std::size_t at = 0; at < body.size(); at += part) {
            EXPECT_EQ(status, content_status::incomplete);
            EXPECT_EQ(content.held(), at);
            status = content.body(octets{body}.substr(at, part));
        }

        EXPECT_EQ(status, content_status::complete);
        EXPECT_EQ(content.body(), body);
    }
}

TEST(Content, FootprintCountsThePropertiesToo) {
    content_assembler content = announced(2);
    const std::size_t properties = content.properties().size();
    EXPECT_GT(properties, 0U);
    EXPECT_EQ(content.footprint(), properties);
    static_cast<void>(content.body("a"));
    EXPECT_EQ(content.footprint(), properties + 1);
    static_cast<void>(content.body("b"));
    EXPECT_EQ(content.footprint(), 0U);
}

TEST(Content, HoldsNothingOnceComplete) {
    content_assembler content = announced(2);
    static_cast<void>(content.body("a"));
    EXPECT_EQ(content.held(), 1U);

    EXPECT_EQ(content.body("b"), content_status::complete);

    EXPECT_EQ(content.held(), 0U);
}

TEST(Content, EmptyBodyFramesChangeNothing) {
    content_assembler content = announced(2);

    EXPECT_EQ(content.body(""), content_status::incomplete);
    EXPECT_EQ(content.body("a"), content_status::incomplete);
    EXPECT_EQ(content.body(""), content_status::incomplete);
    EXPECT_EQ(content.body("b"), content_status::complete);

    EXPECT_EQ(content.body(), "ab");
}

TEST(Content, MoreBodyThanAnnouncedIsRefused) {
    content_assembler at_once = announced(2);
    EXPECT_EQ(at_once.body("abc"), content_status::body_too_large);

    content_assembler later = announced(2);
    EXPECT_EQ(later.body("a"), content_status::incomplete);
    EXPECT_EQ(later.body("bc"), content_status::body_too_large);
}

TEST(Content, BodyFrameBehindTheLastOneIsUnexpected) {
    content_assembler content = announced(1);
    EXPECT_EQ(content.body("a"), content_status::complete);
    EXPECT_EQ(content.body(""), content_status::unexpected_body);

    content_assembler empty = announced(0);
    EXPECT_EQ(empty.body(""), content_status::unexpected_body);
}

TEST(Content, FramesWithoutAMethodAreUnexpected) {
    content_assembler content;

    EXPECT_EQ(content.header(header_payload(1)), content_status::unexpected_header);
    EXPECT_EQ(content.body("a"), content_status::unexpected_body);
    EXPECT_FALSE(content.active());
}

TEST(Content, BodyInsteadOfTheHeaderIsUnexpected) {
    content_assembler content;
    content.start();

    EXPECT_EQ(content.body("a"), content_status::unexpected_body);
}

TEST(Content, SecondHeaderIsUnexpected) {
    content_assembler content = announced(3);

    EXPECT_EQ(content.header(header_payload(3)), content_status::unexpected_header);
}

TEST(Content, HeaderOfAnotherClassIsRefusedAndTold) {
    content_assembler content;
    content.start();

    EXPECT_EQ(
        content.header(header_payload(3, {"\0\0", 2}, class_tx)), content_status::wrong_class);
    EXPECT_EQ(content.header_class(), class_tx);
}

TEST(Content, WeightMustBeZero) {
    content_assembler content;
    content.start();

    EXPECT_EQ(
        content.header(header_payload(3, {"\0\0", 2}, class_basic, 1)),
        content_status::wrong_weight);
}

TEST(Content, ShortHeaderIsMalformed) {
    const std::string whole = header_payload(3);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        content_assembler content;
        content.start();
        EXPECT_EQ(content.header(octets{whole}.substr(0, size)), content_status::malformed_header)
            << size;
    }
}

/// Would throw or end the process, if the announced size were believed.
TEST(Content, HugeAnnouncedSizeReservesNothing) {
    for (const std::uint64_t size : {std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
        content_assembler content = announced(size);

        EXPECT_EQ(content.body("some"), content_status::incomplete);

        EXPECT_EQ(content.held(), 4U);
        EXPECT_EQ(content.body_size(), size);
    }
}

TEST(Content, PropertiesAreCopied) {
    content_assembler content;
    content.start();
    std::string payload = header_payload(1, from_hex("1000 02"));

    static_cast<void>(content.header(payload));
    payload.assign(payload.size(), 'x');

    EXPECT_EQ(content.properties(), from_hex("1000 02"));
}

TEST(Content, ResetForgetsAHalfContent) {
    content_assembler content = announced(10);
    static_cast<void>(content.body("half"));

    content.reset();

    EXPECT_FALSE(content.active());
    EXPECT_EQ(content.held(), 0U);
    EXPECT_EQ(content.body("x"), content_status::unexpected_body);
}

TEST(Content, OneAssemblerServesManyContents) {
    content_assembler content;
    for (const std::size_t size : {3U, 100000U, 0U, 7U}) {
        SCOPED_TRACE(size);
        const std::string body(size, 'b');
        content.start();
        auto status = content.header(header_payload(size));
        for (std::size_t at = 0; at < size; at += 4000) {
            status = content.body(octets{body}.substr(at, 4000));
        }

        EXPECT_EQ(status, content_status::complete);
        EXPECT_EQ(content.body(), body);
    }
}

/// A content that was given up for a new one must not leave octets in it.
TEST(Content, StartingAnewDropsWhatWasHeld) {
    content_assembler content = announced(10);
    static_cast<void>(content.body("half"));

    content.start();
    EXPECT_EQ(content.header(header_payload(2)), content_status::incomplete);
    EXPECT_EQ(content.body("ab"), content_status::complete);

    EXPECT_EQ(content.body(), "ab");
}

}  // namespace
}  // namespace lovage::amqp
