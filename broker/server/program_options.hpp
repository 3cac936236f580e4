// The command line and configuration file of lovage-broker. The file has the same names as the
// command line, `name = value` a line; the command line wins.
#pragma once

#include <lovage/broker.hpp>

#include <iosfwd>
#include <optional>
#include <string>

namespace lovage::broker {

struct program_options {
    server_options server;
    std::string log_level;
    // Instead of a broker:
    std::string verify;   ///< a data directory to check
    std::string salvage;  ///< one to take over what is whole from ...
    std::string into;     ///< ... into this one
};

/// The command line or configuration file is wrong.
class usage_error : public start_error {
public:
    using start_error::start_error;
};

/// Nothing when the program is done already (--help, --version: printed to `out`). Throws
/// usage_error or start_error about a wrong option, with what is right.
[[nodiscard]] std::optional<program_options> read_program_options(
    int argc,
    const char* const* argv,
    std::ostream& out);

}  // namespace lovage::broker
