#include "tests/bench/tasks.hpp"

#include <boost/json.hpp>

#include <stdexcept>

namespace lovage::bench {
namespace {

namespace json = boost::json;

/// The best of 5, 20, 50, 200 and 1,000 for throughput and CPU: with fewer its pool runs dry.
constexpr std::uint64_t celery_outstanding = 200;
constexpr std::chrono::minutes answer_limit{10};

command_line python_command(const options& given, const node& on) {
    command_line command;
    command.arguments = {given.python};
    command.environment = {
        {"LOVAGE_BENCH_BROKER", on.url()},
        {"PYTHONPATH", given.source_dir},
        {"PYTHONDONTWRITEBYTECODE", "1"}};
    return command;
}

class celery_tasks final : public task_system {
public:
    celery_tasks(const options& given, const node& on)
        : folder_(given.data_root),
          worker_(start_worker(given, on)),
          client_(start_client(given, on)) {}

    std::string name() const override { return "Celery"; }
    std::uint64_t outstanding() const override { return celery_outstanding; }

    task_run run(const amount& much, std::uint64_t outstanding) override {
        const json::object answer =
            ask("run " + std::to_string(much.count) + ' ' + std::to_string(much.seconds) + ' ' +
                std::to_string(outstanding));
        return {
            answer.at("n").to_number<std::uint64_t>(), answer.at("seconds").to_number<double>()};
    }
    std::vector<double> call_microseconds(std::uint64_t count) override {
        std::vector<double> result;
        const json::object answer = ask("latency " + std::to_string(count));
        for (const json::value& each : answer.at("microseconds").as_array()) {
            result.push_back(each.to_number<double>());
        }
        return result;
    }
    double client_cpu() const override { return tree_cpu_seconds(client_.pid()); }
    double worker_cpu() const override { return tree_cpu_seconds(worker_.pid()); }

private:
    child start_worker(const options& given, const node& on) {
        command_line command = python_command(given, on);
        for (const char* each :
             {"-m",
              "celery",
              "-A",
              "celery_app",
              "worker",
              "-c",
              "2",
              "--pool",
              "prefork",
              "-l",
              "warning"}) {
            command.arguments.emplace_back(each);
        }
        command.folder = folder_.path();
        command.output = folder_.path() / "worker.log";
        return child(command);
    }
    child start_client(const options& given, const node& on) {
        command_line command = python_command(given, on);
        command.arguments.push_back(given.source_dir + "/celery_client.py");
        command.folder = folder_.path();
        command.output = folder_.path() / "client.log";
        command.pipe = true;
        return child(command);
    }

    json::object ask(const std::string& what) {
        try {
            client_.write_line(what);
            return json::parse(client_.read_line(answer_limit)).as_object();
        } catch (const std::runtime_error& failed) {
            throw std::runtime_error(
                std::string("Celery: ") + failed.what() + '\n' +
                read_text(folder_.path() / "client.log") +
                read_text(folder_.path() / "worker.log"));
        }
    }

    temporary_folder folder_;
    child worker_;
    child client_;
};

}  // namespace

std::unique_ptr<task_system> make_celery_tasks(const options& given, const node& on) {
    return std::make_unique<celery_tasks>(given, on);
}

}  // namespace lovage::bench
