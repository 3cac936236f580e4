#include "tests/workers/run/setup.hpp"

#include <csignal>
#include <stdexcept>

namespace lovage::workers::test {

std::string program_path(const std::string& name) {
    return std::string(LOVAGE_BIN) + "/" + name;
}

namespace {

constexpr std::uint16_t not_found = 404;

std::string field(const std::string& line, const std::string& name) {
    const std::size_t begin = line.find(name + "=");
    if (begin == std::string::npos) {
        throw std::runtime_error("no " + name + " in: " + line);
    }
    const std::size_t value = begin + name.size() + 1;
    return line.substr(value, line.find(' ', value) - value);
}

}  // namespace

test_broker::test_broker() {
    start();
}

void test_broker::start() {
    const std::string port = amqp_.empty() ? "0" : amqp_.substr(amqp_.rfind(':') + 1);
    const std::string management =
        management_.empty() ? "0" : management_.substr(management_.rfind(':') + 1);
    process_ = std::make_unique<process>(std::vector<std::string>{
        program_path("lovage-broker"),
        "--port",
        port,
        "--management-port",
        management,
        "--data-dir",
        data_.path().string()});
    const std::string line = process_->wait_for("ready ");
    amqp_ = field(line, "amqp");
    management_ = field(line, "management");
}

void test_broker::kill() {
    process_->signal(SIGKILL);
    process_->wait();
}

std::string test_broker::url() const {
    return "amqp://guest:guest@" + amqp_ + "//";
}

worker_fixture::worker_fixture() {
    app_options options(broker_.url());
    options.default_queue = "demo";
    options.result_timeout = patience;
    caller_ = std::make_unique<app>(options, registry());
    connection_ = std::make_unique<connection>(connection_options(broker_.url()));
}

worker_fixture::~worker_fixture() {
    caller_->stop();
    connection_->close();
}

std::unique_ptr<process> worker_fixture::start_worker(std::vector<std::string> options) {
    std::vector<std::string> line{program_path("demo_tasks"), "worker", "-b", broker_.url()};
    line.insert(line.end(), options.begin(), options.end());
    auto worker = std::make_unique<process>(line);
    worker->wait_for("ready worker=");
    return worker;
}

finished worker_fixture::command(const std::string& program, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), program_path(program));
    return run(
        arguments,
        {"LOVAGE_BROKER_URL=" + broker_.url(),
         "LOVAGE_MANAGEMENT_URL=" + broker_.management_url()});
}

std::size_t worker_fixture::ready(const std::string& queue) {
    try {
        return connection_->queue_status(queue).messages;
    } catch (const broker_error& problem) {
        if (problem.reply_code() != not_found) {
            throw;
        }
        return 0;
    }
}

delivery worker_fixture::take(const std::string& queue) {
    std::optional<delivery> got;
    const bool came = eventually([&] {
        try {
            got = connection_->get(queue, true);
        } catch (const broker_error&) {
            got.reset();  // there is no such queue yet
        }
        return got.has_value();
    });
    if (!came) {
        throw std::runtime_error("no message in " + queue);
    }
    return *got;
}

}  // namespace lovage::workers::test
