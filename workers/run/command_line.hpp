// What all verbs of the command line share: the program they belong to, parsing with one line of
// error, and the table of verbs. Used by main.cpp and the verb_*.cpp, on the main thread.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/variables_map.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lovage {
class app;
}

namespace lovage::workers {

namespace options = boost::program_options;

struct program {
    std::string name;            ///< as it was called, without folders
    app* application = nullptr;  ///< null: the program lovage, which has no tasks of its own
};

struct verb {
    std::string_view name;
    std::string_view summary;  ///< for the list of verbs
    std::string_view usage;    ///< behind `program verb`
    bool needs_tasks = false;  ///< not in the program lovage
    options::options_description (*describe)(const program&);
    options::positional_options_description (*positions)();
    /// Returns the exit status. Exceptions are reported by the caller.
    int (*run)(const program&, const options::variables_map&);
};

/// Every verb but help, in the order of the help text.
[[nodiscard]] std::span<const verb> all_verbs();

extern const verb worker_verb;
extern const verb call_verb;
extern const verb purge_verb;
extern const verb status_verb;

/// Runs `arguments` (without the program's name). Catches everything; see lovage::main.
int run_program(const program& self, const std::vector<std::string>& arguments);

/// What the user typed makes no sense: exit status 64.
class usage_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Adds -b/--broker.
void add_broker_option(options::options_description& out);
/// The address that -b, the application, LOVAGE_BROKER_URL or the default gives.
[[nodiscard]] std::string broker_url(const program& self, const options::variables_map& values);
/// The queue of tasks that name none.
[[nodiscard]] std::string default_queue(const program& self);
/// Seconds as people type them, "2.5". Throws usage_error if they are negative or too many.
[[nodiscard]] long long to_milliseconds(double seconds, std::string_view option);
/// `a,b` and repeated options as one list; throws usage_error for an empty name.
[[nodiscard]] std::vector<std::string> split_names(const std::vector<std::string>& given);

}  // namespace lovage::workers
