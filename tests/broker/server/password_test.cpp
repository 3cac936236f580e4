// Verifiers of passwords, and the thread that checks them.
#include "broker/server/password.hpp"

#include "broker/server/password_checker.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace lovage::broker::test {
namespace {

constexpr scrypt_cost cheap{16, 1, 1};

TEST(Password, FitsItsOwnVerifierOnly) {
    const auto verifier = make_verifier("secret", cheap);
    ASSERT_TRUE(verifier.has_value());
    EXPECT_TRUE(verifier->starts_with("scrypt$16$1$1$")) << *verifier;
    EXPECT_TRUE(is_verifier(*verifier));
    EXPECT_TRUE(fits_verifier("secret", *verifier));
    for (const char* wrong : {"", "Secret", "secret ", "secre"}) {
        EXPECT_FALSE(fits_verifier(wrong, *verifier)) << wrong;
    }
}

TEST(Password, VerifiersOfTheSamePasswordDiffer) {
    EXPECT_NE(make_verifier("secret", cheap), make_verifier("secret", cheap));
}

TEST(Password, VerifierOfOtherCostIsStillChecked) {
    const auto verifier = make_verifier("secret", {32, 2, 2});
    ASSERT_TRUE(verifier.has_value());
    EXPECT_TRUE(fits_verifier("secret", *verifier));
    EXPECT_FALSE(fits_verifier("other", *verifier));
}

// RFC 7914, section 12, the third vector: its first 32 octets are those of a shorter key.
TEST(Password, HashIsTheOneOfTheRfc) {
    const std::string verifier = "scrypt$16384$8$1$U29kaXVtQ2hsb3JpZGU=$"
                                 "cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI=";
    EXPECT_TRUE(fits_verifier("pleaseletmein", verifier));
    EXPECT_FALSE(fits_verifier("pleaseletmeout", verifier));
}

TEST(Password, WhatIsNoVerifierFitsNothing) {
    const std::string good = make_verifier("secret", cheap).value_or("");
    const std::string salt_and_hash = good.substr(std::string("scrypt$16$1$1$").size());
    for (const std::string& text :
         {std::string{},
          std::string{"secret"},
          std::string{"pending$0"},
          "scrypt$17$1$1$" + salt_and_hash,          // no power of two
          "scrypt$1$1$1$" + salt_and_hash,           // too small
          "scrypt$1048576$1024$1$" + salt_and_hash,  // more memory than we give
          "scrypt$18446744073709551615$8$1$" + salt_and_hash,
          "scrypt$16$0$1$" + salt_and_hash,
          "scrypt$16$1$0$" + salt_and_hash,
          "scrypt$16$1$100$" + salt_and_hash,
          "scrypt$16$1$1x$" + salt_and_hash,
          "bcrypt$16$1$1$" + salt_and_hash,
          good + "$more",
          good.substr(0, good.size() - 4),
          good + "="}) {
        EXPECT_FALSE(is_verifier(text)) << text;
        EXPECT_FALSE(fits_verifier("secret", text)) << text;
    }
}

class PasswordChecker : public testing::Test {
protected:
    password_checker::ticket ask(
        const std::string& address,
        const std::string& verifier,
        const std::string& password) {
        const std::size_t place = answers_.size();
        answers_.emplace_back();
        return checker_.check(address, "joe", verifier, password, [this, place](bool fits) {
            answers_[place] = fits;
            order_.push_back(place);
        });
    }
    void finish() {
        while (order_.size() + cancelled_ < answers_.size()) {
            io_.run_one();
        }
    }

    boost::asio::io_context io_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> open_{
        io_.get_executor()};
    password_checker checker_{io_};
    std::string verifier_ = make_verifier("secret", cheap).value_or("");
    std::vector<std::optional<bool>> answers_;
    std::vector<std::size_t> order_;  // of the answers
    std::size_t cancelled_ = 0;
};

TEST_F(PasswordChecker, AnswersLaterTheFirstTimeAndThenAtOnce) {
    ask("a", verifier_, "secret");
    ask("a", verifier_, "wrong");
    EXPECT_EQ(order_.size(), 0U);
    finish();
    EXPECT_EQ(answers_[0], true);
    EXPECT_EQ(answers_[1], false);

    ask("a", verifier_, "secret");
    ask("a", verifier_, "wrong");
    EXPECT_EQ(answers_[2], true);
    EXPECT_EQ(answers_[3], false);
    EXPECT_EQ(checker_.waiting(), 0U);
}

TEST_F(PasswordChecker, KnownLoginsPassAFloodOfWrongOnes) {
    checker_.remember(verifier_, "secret");
    for (int i = 0; i < 1000; ++i) {
        ask("flood", verifier_, std::to_string(i));
    }
    ask("flood", verifier_, "secret");
    EXPECT_EQ(answers_.back(), true);
    EXPECT_EQ(order_.size(), 1U);
    EXPECT_GT(checker_.waiting(), 900U);
}

TEST_F(PasswordChecker, AddressesTakeTurns) {
    for (int i = 0; i < 50; ++i) {
        ask("flood", verifier_, std::to_string(i));
    }
    ask("other", verifier_, "secret");
    finish();
    EXPECT_EQ(answers_.back(), true);
    const auto place = std::ranges::find(order_, 50U) - order_.begin();
    EXPECT_LE(place, 3) << "answered behind " << place << " others";
}

TEST_F(PasswordChecker, TenThousandLoginsWithOnePasswordAreOneHash) {
    const std::string slow = make_verifier("secret").value_or("");
    for (int i = 0; i < 10'000; ++i) {
        ask("a", slow, "secret");
    }
    EXPECT_EQ(checker_.waiting(), 9'999U);
    finish();
    EXPECT_EQ(std::ranges::count(answers_, std::optional{true}), 10'000);
}

TEST_F(PasswordChecker, FullLineAnswersNo) {
    for (std::size_t i = 0; i <= password_checker::waiting_max; ++i) {
        ask("a", verifier_, std::to_string(i));
    }
    EXPECT_EQ(order_.size(), 0U);
    ask("a", verifier_, "one more");
    EXPECT_EQ(answers_.back(), false);
}

TEST_F(PasswordChecker, CancelledQuestionIsNeverAnswered) {
    ask("a", verifier_, "first");
    const auto gone = ask("a", verifier_, "second");
    const auto also = ask("b", verifier_, "third");
    EXPECT_TRUE(checker_.waits(gone));
    checker_.cancel(gone);
    checker_.cancel(also);
    checker_.cancel(also);
    cancelled_ = 2;
    EXPECT_EQ(checker_.waiting(), 0U);
    ask("a", verifier_, "fourth");
    finish();
    EXPECT_EQ(answers_[1], std::nullopt);
    EXPECT_EQ(answers_[2], std::nullopt);
}

TEST_F(PasswordChecker, NobodysPasswordIsWrongAndTakesItsTime) {
    ask("a", "", "");
    EXPECT_EQ(order_.size(), 0U);
    finish();
    EXPECT_EQ(answers_[0], false);
}

TEST_F(PasswordChecker, QuickAnswersDoNotTellWhoIsThere) {
    // The same wrong password for two users who are not there: both are hashed.
    checker_.check("a", "one", "", "pw", [this](bool) { order_.push_back(0); });
    answers_.emplace_back();
    finish();
    checker_.check("a", "two", "", "pw", [this](bool) { order_.push_back(1); });
    answers_.emplace_back();
    EXPECT_EQ(order_.size(), 1U);
    finish();
}

TEST_F(PasswordChecker, HashesGoBeforeChecks) {
    for (int i = 0; i < 10; ++i) {
        ask("a", verifier_, std::to_string(i));
    }
    std::size_t answered_before = 100;
    std::string made;
    checker_.hash("new", [&](std::optional<std::string> verifier) {
        answered_before = order_.size();
        made = verifier.value_or("");
    });
    finish();
    EXPECT_LE(answered_before, 1U);
    ask("a", made, "new");
    EXPECT_EQ(answers_.back(), true);
}

TEST_F(PasswordChecker, EndsWhileSomebodyWaits) {
    ask("a", make_verifier("secret").value_or(""), "x");
    ask("a", verifier_, "y");
}

}  // namespace
}  // namespace lovage::broker::test
