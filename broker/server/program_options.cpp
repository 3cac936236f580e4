#include "broker/server/program_options.hpp"

#include <boost/program_options.hpp>

#include <cstdlib>
#include <fstream>
#include <iostream>

namespace lovage::broker {
namespace {

namespace po = boost::program_options;

constexpr unsigned management_port_distance = 10000;  // 5672 has 15672, as RabbitMQ's

std::string default_data_directory() {
    if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0') {
        return std::string(state) + "/lovage-broker";
    }
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
        return std::string(home) + "/.lovage-broker";
    }
    return "lovage-broker-data";
}

user_account parse_user(const char* option, const std::string& text) {
    const std::size_t colon = text.find(':');
    if (colon == 0 || colon == std::string::npos) {
        throw start_error(
            "--" + std::string(option) + ": '" + text.substr(0, colon) +
            "' is not of the form name:password");
    }
    return {text.substr(0, colon), text.substr(colon + 1), false};
}

po::options_description describe() {
    po::options_description described{"lovage-broker, the broker of lovage. Options"};
    auto add = described.add_options();
    add("help,h", "print this");
    add("version", "print the version");
    add("config", po::value<std::string>(), "file with options, `name = value` a line");
    add("bind", po::value<std::string>()->default_value("127.0.0.1"), "IP address to listen on");
    add("port", po::value<unsigned>()->default_value(5672), "AMQP port; 0 is any free one");
    add("data-dir", po::value<std::string>(), "where queues and messages are kept");
    add("no-management", "without the HTTP API");
    add("management-port",
        po::value<unsigned>(),
        "HTTP API port; 0 is any free one (default: AMQP port + 10000, with --port 0 any)");
    add("management-bind",
        po::value<std::string>(),
        "IP address of the HTTP API (default: that of --bind)");
    add("tls-port", po::value<unsigned>()->default_value(5671), "amqps port; 0 is any free one");
    add("tls-cert", po::value<std::string>(), "certificate chain, PEM; turns TLS on");
    add("tls-key", po::value<std::string>(), "private key, PEM");
    add("tls-client-ca", po::value<std::string>(), "clients need a certificate of these, PEM");
    add("user",
        po::value<std::vector<std::string>>()->composing(),
        "name:password of a new data directory; may be given again (default: guest:guest, from "
        "this machine only)");
    add("reset-user",
        po::value<std::vector<std::string>>()->composing(),
        "name:password that is to hold from now on, for a lost password; may be given again");
    add("memory-limit", po::value<std::uint64_t>(), "octets of messages in memory (default: 40 %)");
    add("window-memory",
        po::value<std::uint64_t>()->default_value(server_options{}.window_octets_max),
        "octets of messages in memory above which long queues go to disk");
    add("heartbeat", po::value<unsigned>()->default_value(60), "seconds offered to clients");
    add("consumer-timeout",
        po::value<unsigned>()->default_value(0),
        "seconds that a consumer may keep a message; then another one gets it (0: for ever)");
    add("product",
        po::value<std::string>(),
        "what clients are told to be connected to (default: lovage)");
    add("product-version", po::value<std::string>(), "and its version");
    add("log-level",
        po::value<std::string>()->default_value("info"),
        "trace, debug, info, warning, error or off");
    add("verify",
        po::value<std::string>(),
        "check the data directory of a broker that is not running, and end; changes nothing. Exit "
        "status 0: whole, 1: faults, 2: cannot look");
    add("salvage",
        po::value<std::string>(),
        "take over what is whole in a damaged data directory, and end. Exit status 0: everything, "
        "2: cannot, 3: something is lost or doubtful");
    add("into", po::value<std::string>(), "new or empty directory, for --salvage");
    return described;
}

/// What is done instead of serving; false if nothing is.
bool read_offline_work(const po::variables_map& values, program_options& into) {
    const bool verify = values.contains("verify");
    const bool salvage = values.contains("salvage");
    if (salvage != values.contains("into")) {
        throw usage_error("--salvage DATA_DIR and --into NEW_DIR go together: give both, or none");
    }
    if (verify && salvage) {
        throw usage_error("--verify and --salvage: give one of them");
    }
    if (verify) {
        into.verify = values["verify"].as<std::string>();
    }
    if (salvage) {
        into.salvage = values["salvage"].as<std::string>();
        into.into = values["into"].as<std::string>();
    }
    if ((verify && into.verify.empty()) ||
        (salvage && (into.salvage.empty() || into.into.empty()))) {
        throw usage_error("--verify, --salvage and --into need a directory");
    }
    return verify || salvage;
}

std::uint16_t port_of(const po::variables_map& values, const char* name) {
    const auto number = values[name].as<unsigned>();
    if (number > 65535) {
        throw start_error(
            "--" + std::string(name) + ": " + std::to_string(number) + " is no port (0 to 65535)");
    }
    return static_cast<std::uint16_t>(number);
}

server_options server_options_of(const po::variables_map& values) {
    server_options options;
    for (const auto& [name, into] :
         {std::pair{"product", &options.product},
          std::pair{"product-version", &options.product_version}}) {
        if (values.contains(name)) {
            *into = values[name].as<std::string>();
        }
    }
    options.bind = values["bind"].as<std::string>();
    if (values.contains("management-bind")) {
        options.management_bind = values["management-bind"].as<std::string>();
    }
    options.port = port_of(values, "port");
    options.data_directory = values.contains("data-dir") ? values["data-dir"].as<std::string>()
                                                         : default_data_directory();
    if (values.contains("no-management")) {
        options.management_port.reset();
    } else if (values.contains("management-port")) {
        options.management_port = port_of(values, "management-port");
    } else {
        const unsigned port = options.port + management_port_distance;
        options.management_port =
            static_cast<std::uint16_t>(options.port == 0 || port > 65535 ? 0 : port);
    }
    const bool certificate = values.contains("tls-cert");
    if (certificate != values.contains("tls-key")) {
        throw start_error("--tls-cert and --tls-key go together: give both, or none");
    }
    if (certificate) {
        tls_options tls;
        tls.port = port_of(values, "tls-port");
        tls.certificate_file = values["tls-cert"].as<std::string>();
        tls.key_file = values["tls-key"].as<std::string>();
        if (values.contains("tls-client-ca")) {
            tls.client_ca_file = values["tls-client-ca"].as<std::string>();
        }
        options.tls = tls;
    }
    if (values.contains("user")) {
        options.users.clear();
        for (const auto& text : values["user"].as<std::vector<std::string>>()) {
            options.users.push_back(parse_user("user", text));
        }
    }
    if (values.contains("reset-user")) {
        for (const auto& text : values["reset-user"].as<std::vector<std::string>>()) {
            options.reset_users.push_back(parse_user("reset-user", text));
        }
    }
    options.window_octets_max = values["window-memory"].as<std::uint64_t>();
    if (values.contains("memory-limit")) {
        options.memory_octets_max = values["memory-limit"].as<std::uint64_t>();
    }
    const auto heartbeat = values["heartbeat"].as<unsigned>();
    if (heartbeat > 65535) {
        throw start_error("--heartbeat: at most 65535 seconds");
    }
    options.heartbeat_seconds = static_cast<std::uint16_t>(heartbeat);
    constexpr std::uint64_t ms_per_second = 1000;
    options.consumer_timeout_ms = ms_per_second * values["consumer-timeout"].as<unsigned>();
    return options;
}

}  // namespace

std::optional<program_options> read_program_options(
    int argc,
    const char* const* argv,
    std::ostream& out) {
    const auto described = describe();
    po::variables_map values;
    try {
        po::store(
            po::command_line_parser(argc, argv).options(described).positional({}).run(), values);
        if (values.contains("config")) {
            const auto& path = values["config"].as<std::string>();
            std::ifstream file{path};
            if (!file) {
                throw start_error("--config: cannot read " + path);
            }
            po::store(po::parse_config_file(file, described), values);
        }
        po::notify(values);
    } catch (const po::error& wrong) {
        throw usage_error(std::string(wrong.what()) + "; see lovage-broker --help");
    }
    if (values.contains("help")) {
        out << described;
        return std::nullopt;
    }
    if (values.contains("version")) {
        out << "lovage-broker " << LOVAGE_VERSION << '\n';
        return std::nullopt;
    }
    program_options options;
    options.log_level = values["log-level"].as<std::string>();
    if (!read_offline_work(values, options)) {
        options.server = server_options_of(values);
    }
    return options;
}

}  // namespace lovage::broker
