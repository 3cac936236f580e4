// An app that is made before a fork is used by parent and child, each with connections of its own.
#include "tests/framework/app/broker_fixture.hpp"
#include "tests/framework/app/shop_tasks.hpp"
#include "tests/framework/app/test_worker.hpp"

#include <lovage/app.hpp>

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

namespace lovage {
namespace {

using namespace std::chrono_literals;
using test::add;

class AppAndFork : public ::testing::Test {};

/// Exit status of a child that runs `body` and says whether it went well.
template <class Body>
int in_child(Body body) {
    const pid_t child = ::fork();
    if (child == 0) {
        bool good = false;
        try {
            good = body();
        } catch (...) {
            good = false;
        }
        ::_exit(good ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return status;
}

TEST_F(AppAndFork, ChildUsesAnAppThatItsParentHasUsed) {
    app_options options(test::broker_url());
    options.default_queue = test::unique_name("fork");
    test::test_worker worker(
        test::broker_url(), registry({task_entry(add)}), options.default_queue);
    app app{options, add};
    EXPECT_EQ(app.delay(add, 1, 2).get(20s), 3);

    const int status = in_child([&] { return app.delay(add, 20, 22).get(20s) == 42; });

    EXPECT_EQ(status, 0);
    EXPECT_EQ(app.delay(add, 3, 4).get(20s), 7);
}

}  // namespace
}  // namespace lovage
