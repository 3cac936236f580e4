#include "broker/store/errors.hpp"

#include <cerrno>

namespace lovage::broker::store {
namespace {

// Boost's category has no virtual destructor and needs none: categories are never deleted.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class category final : public boost::system::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "lovage.store"; }
    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
            case errc::disk_full: return "no space left for the log";
            case errc::write_failed: return "the log could not be written";
            case errc::foreign_directory: return "not a lovage data directory";
            case errc::locked: return "the data directory is in use by another broker";
            case errc::newer_version: return "the data directory has a newer format";
            case errc::damaged: return "the log is damaged";
        }
        return "unknown store error";
    }
};
#pragma GCC diagnostic pop

}  // namespace

const boost::system::error_category& store_category() {
    static const category the_category;
    return the_category;
}

boost::system::error_code make_error_code(errc value) {
    return {static_cast<int>(value), store_category()};
}

bool is_disk_full(const boost::system::error_code& error) {
    return error == boost::system::errc::no_space_on_device ||
           error == boost::system::error_code{EDQUOT, boost::system::system_category()};
}

bool may_pass(const boost::system::error_code& error) {
    return is_disk_full(error) || error == boost::system::errc::too_many_files_open ||
           error == boost::system::errc::too_many_files_open_in_system;
}

}  // namespace lovage::broker::store
