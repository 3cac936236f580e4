#include "examples/order_processing/demo.hpp"

#include "examples/order_processing/database.hpp"
#include "examples/order_processing/process.hpp"
#include "examples/order_processing/report.hpp"
#include "examples/order_processing/service.hpp"
#include "examples/order_processing/tasks.hpp"

#include <lovage/app.hpp>

#include <boost/program_options.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>
#include <unistd.h>

namespace shop {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr std::chrono::minutes patience{5};
constexpr std::chrono::milliseconds look_interval{100};

struct demo_options {
    std::string orders;
    std::string stock;
    int workers = 2;
    int slots = 2;
    bool chaos = false;
};

/// A folder that goes with its owner.
class temporary_folder {
public:
    temporary_folder() : path_((fs::temp_directory_path() / "order-demo-XXXXXX").string()) {
        if (::mkdtemp(path_.data()) == nullptr) {
            throw std::runtime_error("cannot make a temporary folder " + path_);
        }
    }
    ~temporary_folder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

/// The broker and the workers of the demo, and what happens to them with --chaos.
class machinery {
public:
    machinery(const demo_options& options, std::string folder)
        : options_(options),
          folder_(std::move(folder)),
          self_(fs::read_symlink("/proc/self/exe").string()) {
        start_broker();
        for (int i = 0; i < options_.workers; ++i) {
            workers_.push_back(process{worker_command(i)});
        }
    }
    ~machinery() {
        for (auto& worker : workers_) {
            worker.stop();
        }
        broker_.stop();
    }
    machinery(const machinery&) = delete;
    machinery& operator=(const machinery&) = delete;

    [[nodiscard]] std::string url() const { return "amqp://guest:guest@127.0.0.1:" + port_ + "//"; }

    void kill_and_restart_broker() {
        broker_.kill();
        start_broker();
        ++kills_;
    }
    void kill_and_restart_worker(std::size_t which) {
        workers_[which].kill();
        workers_[which] = process{worker_command(static_cast<int>(which))};
        ++kills_;
    }
    [[nodiscard]] std::size_t worker_count() const { return workers_.size(); }
    [[nodiscard]] int kills() const { return kills_; }

private:
    void start_broker() {
        broker_ = process{
            {(fs::path(self_).parent_path() / "lovage-broker").string(),
             "--port",
             port_,
             "--management-port",
             "0",
             "--data-dir",
             folder_ + "/broker",
             "--log-level",
             "error"}};
        const std::string& line = broker_.ready_line();  // amqp=127.0.0.1:PORT ...
        const std::string address = line.substr(0, line.find(' '));
        port_ = address.substr(address.rfind(':') + 1);
    }

    [[nodiscard]] std::vector<std::string> worker_command(int number) const {
        return {
            self_,
            "worker",
            "--broker",
            url(),
            "-Q",
            "payments,paperwork,messages",
            "-c",
            std::to_string(options_.slots),
            "-n",
            "shop" + std::to_string(number) + "@%h",
            "-l",
            "off"};
    }

    demo_options options_;
    std::string folder_;
    std::string self_;
    std::string port_ = "0";
    process broker_;
    std::vector<process> workers_;
    int kills_ = 0;
};

demo_options read_options(int argc, char** argv, bool& done) {
    const std::string data = SHOP_DATA_FOLDER;
    demo_options options;
    po::options_description described{"order_processing demo, options"};
    auto add = described.add_options();
    add("help,h", "print this");
    add("chaos", po::bool_switch(&options.chaos), "kill workers and the broker meanwhile");
    add("orders", po::value(&options.orders)->default_value(data + "/orders.jsonl"), "the input");
    add("stock", po::value(&options.stock)->default_value(data + "/stock.json"), "the catalogue");
    add("workers", po::value(&options.workers)->default_value(2), "worker processes");
    add("concurrency,c", po::value(&options.slots)->default_value(2), "slots of each worker");
    po::variables_map values;
    po::store(po::command_line_parser(argc, argv).options(described).positional({}).run(), values);
    po::notify(values);
    if (values.contains("help")) {
        std::cout << described;
        done = true;
    }
    if (options.workers < 1 || options.slots < 1) {
        throw std::runtime_error("--workers and --concurrency must be at least 1");
    }
    return options;
}

std::int64_t count_lines(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    std::int64_t lines = 0;
    for (std::string line; std::getline(in, line);) {
        ++lines;
    }
    return lines;
}

/// Takes the orders; with chaos the broker dies in the middle of it.
service_report serve(
    lovage::app& app,
    machinery& machines,
    const demo_options& options,
    const service_files& files) {
    const std::int64_t lines = count_lines(options.orders);
    progress_bar bar{"orders", lines};
    std::thread trouble;
    const auto report =
        take_orders(app, read_catalogue(options.stock), files, [&](std::int64_t line) {
            bar.show(line);
            if (options.chaos && line == lines / 2) {
                trouble = std::thread([&] { machines.kill_and_restart_broker(); });
            }
        });
    if (trouble.joinable()) {
        trouble.join();
    }
    return report;
}

/// Waits for the tasks; with chaos every worker dies once, and the broker in between.
void wait_for_tasks(machinery& machines, database& shop, std::int64_t tasks, bool chaos) {
    progress_bar bar{"tasks", tasks};
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::size_t next_victim = 0;
    bool broker_killed = false;
    for (;;) {
        const std::int64_t finished = shop.finished_tasks();
        bar.show(finished);
        if (finished >= tasks) {
            return;
        }
        if (std::chrono::steady_clock::now() > deadline) {
            throw std::runtime_error("the tasks did not end in time");
        }
        if (chaos && next_victim < machines.worker_count()) {
            machines.kill_and_restart_worker(next_victim++);
        } else if (chaos && !broker_killed) {
            broker_killed = true;
            machines.kill_and_restart_broker();
        } else {
            std::this_thread::sleep_for(look_interval);
        }
    }
}

}  // namespace

int run_demo(int argc, char** argv) {
    bool done = false;
    const demo_options options = read_options(argc, argv, done);
    if (done) {
        return EXIT_SUCCESS;
    }
    const temporary_folder folder;
    const service_files files{options.orders, folder.path() + "/shop.sqlite"};
    ::setenv(database_variable, files.database.c_str(), 1);
    database shop{files.database};

    machinery machines{options, folder.path()};
    const auto begin = std::chrono::steady_clock::now();
    lovage::app app{lovage::app_options{machines.url()}, charge, invoice, coupon, email, sms};
    const service_report taken = serve(app, machines, options, files);
    const auto returned = std::chrono::steady_clock::now();
    wait_for_tasks(machines, shop, taken.tasks, options.chaos);
    const auto ended = std::chrono::steady_clock::now();
    app.stop();

    const report_times times{
        std::chrono::duration<double>(returned - begin).count(),
        std::chrono::duration<double>(ended - begin).count()};
    print_report(std::cout, taken, shop, times);
    if (options.chaos) {
        std::cout << "\nBroker and workers were killed " << machines.kills() << " times.\n";
    }
    return EXIT_SUCCESS;
}

}  // namespace shop
