// lovage-broker --verify and --salvage: what an operator does with the data directory of a broker
// that is not running. Called by main() instead of a node; prints to `out`, complains to `errors`.
#pragma once

#include <iosfwd>
#include <string>

namespace lovage::broker {

/// Exit statuses of both.
inline constexpr int nothing_wrong = 0;
inline constexpr int faults_found = 1;       ///< --verify
inline constexpr int cannot_look = 2;        ///< or wrong usage
inline constexpr int something_is_lost = 3;  ///< --salvage

/// Checks all of the directory and prints what is in it. Changes nothing.
[[nodiscard]] int verify_directory(
    const std::string& directory,
    std::ostream& out,
    std::ostream& errors);

/// Writes what is whole in the directory into a new one and prints what is not.
[[nodiscard]] int salvage_directory(
    const std::string& directory,
    const std::string& into,
    std::ostream& out,
    std::ostream& errors);

}  // namespace lovage::broker
