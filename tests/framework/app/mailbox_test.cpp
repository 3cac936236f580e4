#include "framework/app/mailbox.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace lovage {
namespace {

TEST(Mailbox, JobsRunInOrder) {
    boost::asio::io_context context{1};
    const auto box = std::make_shared<mailbox>(context.get_executor());
    std::string done;

    box->push([&] { done += 'a'; });
    box->push([&] { done += 'b'; });
    EXPECT_EQ(done, "");
    context.run();

    EXPECT_EQ(done, "ab");
}

TEST(Mailbox, JobThatThrowsDoesNotKeepOthersFromRunningOnce) {
    boost::asio::io_context context{1};
    const auto box = std::make_shared<mailbox>(context.get_executor());
    std::string done;

    box->push([&] {
        done += 'a';
        throw std::runtime_error("a job's mistake");
    });
    box->push([&] { done += 'b'; });
    EXPECT_NO_THROW(context.run());
    box->push([&] { done += 'c'; });
    context.restart();
    EXPECT_NO_THROW(context.run());

    EXPECT_EQ(done, "abc");
}

}  // namespace
}  // namespace lovage
