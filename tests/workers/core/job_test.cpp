#include "workers/core/job.hpp"

#include "tests/workers/core/support.hpp"
#include "workers/core/perform.hpp"

namespace lovage::workers::test {
namespace {

octets payload(const std::string& frame) {
    return octets(frame).substr(frame_length_octets);
}

TEST(Job, RoundTripKeepsEveryField) {
    std::string frame;
    write_job(frame, {3, 2, 77, milliseconds(1500), true}, "props", "body");

    const auto job = read_job(payload(frame));

    ASSERT_TRUE(job.has_value());
    EXPECT_EQ(job->facts.delivery_count, 3);
    EXPECT_EQ(job->facts.crashes, 2);
    EXPECT_EQ(job->facts.random, 77U);
    EXPECT_EQ(job->facts.time_limit, milliseconds(1500));
    EXPECT_TRUE(job->facts.redelivered);
    EXPECT_EQ(job->properties, "props");
    EXPECT_EQ(job->body, "body");
}

TEST(Job, EveryPrefixOfItsFixedPartIsRefused) {
    std::string frame;
    write_job(frame, {}, "props", "");
    const octets whole = payload(frame);
    for (std::size_t length = 0; length < whole.size(); ++length) {
        EXPECT_FALSE(read_job(whole.substr(0, length)).has_value()) << length;
    }
}

TEST(Answer, RoundTripKeepsAnOutcome) {
    answer sent;
    sent.result.kind = outcome_kind::retry;
    sent.result.delay = milliseconds(250);
    sent.result.counts_attempt = false;
    sent.result.reason = reject_reason::by_task;
    sent.result.problem = {"type", "message", "module", "trace\nback"};
    sent.result.value = "{\"a\":1}";
    std::string frame;
    write_answer(frame, sent);

    answer got;
    ASSERT_TRUE(read_answer(payload(frame), got));
    EXPECT_EQ(got.kind, answer_kind::done);
    EXPECT_EQ(got.result, sent.result);
}

TEST(Answer, RoundTripKeepsARefusal) {
    answer sent;
    sent.kind = answer_kind::refused;
    sent.problem = {refusal_reason::bad_header, "eta"};
    std::string frame;
    write_answer(frame, sent);

    answer got;
    ASSERT_TRUE(read_answer(payload(frame), got));
    EXPECT_EQ(got.problem.reason, refusal_reason::bad_header);
    EXPECT_EQ(got.problem.text, "eta");
}

TEST(Answer, NonsenseIsRefused) {
    answer out;
    EXPECT_FALSE(read_answer("", out));
    EXPECT_FALSE(read_answer("\x09", out));
    EXPECT_FALSE(read_answer(octets("\x00\x09", 2), out));
    EXPECT_FALSE(read_answer(octets("\x01", 1), out));
}

TEST(Frame, IsCutOnlyWhenWhole) {
    std::string two;
    answer progress;
    progress.kind = answer_kind::progress;
    progress.text = "1";
    write_answer(two, progress);
    const std::size_t one = two.size();
    write_answer(two, progress);

    EXPECT_FALSE(cut_frame(octets(two).substr(0, 3)).whole);
    EXPECT_FALSE(cut_frame(octets(two).substr(0, one - 1)).whole);
    EXPECT_EQ(cut_frame(octets(two).substr(0, one - 1)).wanted, one);
    const frame_cut cut = cut_frame(two);
    EXPECT_TRUE(cut.whole);
    EXPECT_EQ(cut.used, one);
    EXPECT_TRUE(cut_frame("\xff\xff\xff\xff").bad);
}

TEST(Perform, RunsTheTaskAndGivesItsResult) {
    const registry tasks = test_tasks();
    const sent_message call = make_call("t.add", "a", how(), "[4,5]");
    const std::string properties = encode_properties(call.properties);

    const answer got = perform(tasks, {{}, properties, call.body}, {});

    EXPECT_EQ(got.kind, answer_kind::done);
    EXPECT_EQ(got.result.kind, outcome_kind::success);
    EXPECT_EQ(got.result.value, "9");
}

TEST(Perform, RefusesWhatIsToFollowTheTaskInsteadOfLosingIt) {
    const registry tasks = test_tasks();
    const sent_message call = make_call("t.add", "a", how(), "[4,5]");
    const std::string properties = encode_properties(call.properties);

    const answer alone = perform(
        tasks,
        {{}, properties, R"([[4,5],{},{"callbacks":null,"errbacks":[],"chain":[],"chord":null}])"},
        {});

    EXPECT_EQ(alone.result.kind, outcome_kind::success);
    for (const std::string part : {"chain", "callbacks", "errbacks"}) {
        const std::string body = R"([[4,5],{},{")" + part + R"(":[{"task":"t.add"}]}])";
        const answer got = perform(tasks, {{}, properties, body}, {});

        EXPECT_EQ(got.result.kind, outcome_kind::rejected);
        EXPECT_EQ(got.result.problem.type, "NotImplementedError");
        EXPECT_EQ(
            got.result.problem.message, "lovage workers do not do '" + part + "' of a message yet");
    }
}

TEST(Perform, FailsInsteadOfAResultThatIsTooLarge) {
    const registry tasks = test_tasks();
    const auto run = [&](std::size_t octets) {
        const sent_message call =
            make_call("t.large", "a", how(), "[" + std::to_string(octets) + "]");
        return perform(tasks, {{}, encode_properties(call.properties), call.body}, {}).result;
    };

    EXPECT_EQ(run(1000).kind, outcome_kind::success);
    const outcome got = run(body_octets_max);  // and its quotation marks
    EXPECT_EQ(got.kind, outcome_kind::failed);
    EXPECT_EQ(got.problem.type, "EncodeError");
    EXPECT_TRUE(got.value.empty());
}

TEST(Perform, RefusesABodyThatIsNoJson) {
    const registry tasks = test_tasks();
    const sent_message call = make_call("t.add");
    const std::string properties = encode_properties(call.properties);

    const answer got = perform(tasks, {{}, properties, "[[1,"}, {});

    EXPECT_EQ(got.kind, answer_kind::refused);
    EXPECT_EQ(got.problem.reason, refusal_reason::undecodable_body);
}

}  // namespace
}  // namespace lovage::workers::test
