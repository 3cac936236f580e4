// Texts of error codes and exceptions of the task layer; names of result states. Pure.
#include <lovage/error.hpp>
#include <lovage/result.hpp>

#include <utility>

namespace lovage {

namespace {

// Boost's category has no virtual destructor on purpose: categories are never deleted.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class task_category_type final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "lovage.task"; }
    std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
            case errc::unknown_task: return "no worker knows the task";
            case errc::task_failed: return "the task failed";
            case errc::time_limit_exceeded: return "the task exceeded its time limit";
            case errc::task_revoked: return "the task was revoked, expired or cancelled";
            case errc::wait_timeout: return "no result within the waiting time";
            case errc::encode_failed: return "a value has no JSON form";
            case errc::decode_failed: return "JSON does not fit the type";
            case errc::invalid_registration: return "the list of tasks is not valid";
        }
        return "unknown error " + std::to_string(value);
    }
};
#pragma GCC diagnostic pop

std::string failure_text(const failure& what) {
    return what.message.empty() ? what.type : what.type + ": " + what.message;
}

}  // namespace

const boost::system::error_category& task_category() noexcept {
    static const task_category_type category;
    return category;
}

boost::system::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), task_category()};
}

wait_timeout::wait_timeout(std::string task_id)
    : error(errc::wait_timeout, "no result of task " + task_id + " within the waiting time"),
      task_id_(std::move(task_id)) {}

task_failed::task_failed(failure what, std::string task_id, std::string worker)
    : task_failed(errc::task_failed, std::move(what), std::move(task_id), std::move(worker)) {}

task_failed::task_failed(errc code, failure what, std::string task_id, std::string worker)
    : error(code, failure_text(what)),
      failure_(std::move(what)),
      task_id_(std::move(task_id)),
      worker_(std::move(worker)) {}

task_timeout::task_timeout(failure what, std::string task_id, std::string worker)
    : task_failed(
          errc::time_limit_exceeded,
          std::move(what),
          std::move(task_id),
          std::move(worker)) {}

unknown_task::unknown_task(failure what, std::string task_id, std::string worker)
    : task_failed(errc::unknown_task, std::move(what), std::move(task_id), std::move(worker)) {}

task_revoked::task_revoked(std::string reason, std::string task_id)
    : error(errc::task_revoked, "task " + task_id + " was stopped: " + reason),
      reason_(std::move(reason)),
      task_id_(std::move(task_id)) {}

}  // namespace lovage
