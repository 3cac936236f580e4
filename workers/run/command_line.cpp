#include "workers/run/command_line.hpp"

#include "framework/app/address.hpp"
#include "workers/run/exit_status.hpp"

#include <lovage/app.hpp>
#include <lovage/broker_error.hpp>
#include <lovage/main.hpp>

#include <boost/program_options/parsers.hpp>

#include <array>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <sstream>

namespace lovage::workers {

namespace {

/// Longest time that options take: a year.
constexpr double seconds_max = 366.0 * 24 * 3600;

/// One line, whatever the library put into its text.
std::string one_line(std::string text) {
    for (char& c : text) {
        c = c == '\n' || c == '\r' ? ' ' : c;
    }
    return text;
}

void complain(const program& self, std::string_view verb_name, const std::string& text) {
    std::cerr << self.name << (verb_name.empty() ? "" : " ") << verb_name << ": " << one_line(text)
              << '\n';
}

bool offered(const program& self, const verb& one) {
    return !one.needs_tasks || self.application != nullptr;
}

void print_verbs(const program& self, std::ostream& out) {
    out << "usage: " << self.name << " VERB [OPTION...]\n\nverbs:\n";
    for (const verb& one : all_verbs()) {
        if (offered(self, one)) {
            out << "  " << one.name << std::string(10 - one.name.size(), ' ') << one.summary
                << '\n';
        }
    }
    out << "  help      this text, or that of one verb: " << self.name << " help VERB\n"
        << "  --version what this is\n";
}

void print_verb(const program& self, const verb& one) {
    std::cout << "usage: " << self.name << ' ' << one.name << ' ' << one.usage << "\n\n"
              << one.summary << "\n\n"
              << one.describe(self);
}

const verb* find_verb(const program& self, std::string_view name) {
    for (const verb& one : all_verbs()) {
        if (one.name == name && offered(self, one)) {
            return &one;
        }
    }
    return nullptr;
}

options::variables_map parse(
    const program& self,
    const verb& one,
    const std::vector<std::string>& arguments) {
    const options::options_description known = one.describe(self);
    const options::positional_options_description positions = one.positions();
    // No guessing: `--time` must not mean --time-limit today and something else tomorrow.
    const int style =
        options::command_line_style::default_style & ~options::command_line_style::allow_guessing;
    options::variables_map values;
    options::store(
        options::command_line_parser(arguments)
            .options(known)
            .positional(positions)
            .style(style)
            .run(),
        values);
    options::notify(values);
    return values;
}

/// The broker's errors with what a person can do about them.
std::string with_advice(const broker_error& problem) {
    std::string text = problem.what();
    switch (problem.code()) {
        case broker_errc::connect_failed:
        case broker_errc::timeout:
            text += " (is the broker running? give its address with -b or LOVAGE_BROKER_URL)";
            break;
        case broker_errc::access_denied:
            text += " (check user, password and virtual host of the address given with -b or "
                    "LOVAGE_BROKER_URL)";
            break;
        default: break;
    }
    return text;
}

int run_verb(const program& self, const verb& one, const std::vector<std::string>& arguments) {
    for (const std::string& argument : arguments) {
        if (argument == "--help" || argument == "-h") {
            print_verb(self, one);
            return exit_done;
        }
    }
    const std::string see = " (see " + self.name + " help " + std::string(one.name) + ")";
    try {
        return one.run(self, parse(self, one, arguments));
    } catch (const options::error& problem) {
        complain(self, one.name, problem.what() + see);
    } catch (const usage_error& problem) {
        complain(self, one.name, problem.what());
    } catch (const broker_error& problem) {
        complain(self, one.name, with_advice(problem));
        return problem.code() == broker_errc::invalid_address ? exit_usage : exit_unavailable;
    } catch (const std::exception& problem) {
        complain(self, one.name, problem.what());
        return exit_failed;
    }
    return exit_usage;
}

}  // namespace

std::span<const verb> all_verbs() {
    static const std::array<verb, 4> verbs{worker_verb, call_verb, purge_verb, status_verb};
    return verbs;
}

int run_program(const program& self, const std::vector<std::string>& arguments) {
    if (arguments.empty()) {
        print_verbs(self, std::cerr);
        return exit_usage;
    }
    const std::string& first = arguments.front();
    if (first == "--version" || first == "version") {
        std::cout << "lovage " << LOVAGE_VERSION << '\n';
        return exit_done;
    }
    const bool help = first == "help" || first == "--help" || first == "-h";
    if (help && (arguments.size() == 1 || arguments[1] == "help")) {
        print_verbs(self, std::cout);
        return exit_done;
    }
    const std::string& name = help ? arguments[1] : first;
    const verb* one = find_verb(self, name);
    if (one == nullptr) {
        complain(self, "", "unknown verb \"" + name + "\" (see " + self.name + " help)");
        return exit_usage;
    }
    if (help) {
        print_verb(self, *one);
        return exit_done;
    }
    return run_verb(self, *one, {arguments.begin() + 1, arguments.end()});
}

void add_broker_option(options::options_description& out) {
    out.add_options()(
        "broker,b",
        options::value<std::string>()->value_name("URL"),
        "the broker's address, e.g. amqp://user:password@host:5672/vhost; default: the "
        "application's, LOVAGE_BROKER_URL, amqp://guest:guest@127.0.0.1:5672//");
}

std::string broker_url(const program& self, const options::variables_map& values) {
    if (values.count("broker") != 0) {
        return values["broker"].as<std::string>();
    }
    return self.application != nullptr ? self.application->options().url : effective_url({});
}

std::string default_queue(const program& self) {
    return self.application != nullptr ? self.application->options().default_queue
                                       : app_options().default_queue;
}

long long to_milliseconds(double seconds, std::string_view option) {
    if (!(seconds >= 0 && seconds <= seconds_max)) {
        throw usage_error(std::string(option) + " must be a number of seconds, 0 or more");
    }
    return static_cast<long long>(seconds * 1000 + 0.5);
}

std::vector<std::string> split_names(const std::vector<std::string>& given) {
    std::vector<std::string> out;
    for (const std::string& list : given) {
        std::stringstream parts(list);
        std::string name;
        while (std::getline(parts, name, ',')) {
            if (name.empty()) {
                throw usage_error("an empty queue name in \"" + list + "\"");
            }
            if (std::find(out.begin(), out.end(), name) == out.end()) {
                out.push_back(name);
            }
        }
    }
    if (out.empty()) {
        throw usage_error("no queue is named");
    }
    return out;
}

}  // namespace lovage::workers

namespace lovage {

int main(int argc, char** argv, app& application) {
    workers::program self;
    self.name = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : "lovage";
    self.application = &application;
    try {
        return workers::run_program(self, {argv + (argc > 0 ? 1 : 0), argv + argc});
    } catch (const std::exception& problem) {
        std::cerr << self.name << ": " << problem.what() << '\n';
        return workers::exit_failed;
    }
}

}  // namespace lovage
