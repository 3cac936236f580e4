// What a caller of tasks can catch, and the error codes of the task layer.
// Every exception derives from lovage::error and carries one errc, so that completion handlers get
// the same facts as an error_code. Thrown only at the user's face: results being taken, values that
// have no JSON form, a registry that is wrong. Immutable, hence safe to share between threads.
#pragma once

#include <boost/system/error_code.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

namespace lovage {

enum class errc {
    unknown_task = 1,      ///< no worker that got the message knows a task of that name
    task_failed,           ///< the task ended with an exception and has no attempts left
    time_limit_exceeded,   ///< the task ran longer than its hard time limit
    task_revoked,          ///< revoked, expired or cancelled: it did not run to its end
    wait_timeout,          ///< the caller's waiting time is over; the task may still finish
    encode_failed,         ///< a value has no JSON form: NaN, text that is not UTF-8
    decode_failed,         ///< JSON that does not fit the C++ type it is read into
    invalid_registration,  ///< a duplicate or malformed task name in an application's list
};

[[nodiscard]] const boost::system::error_category& task_category() noexcept;
[[nodiscard]] boost::system::error_code make_error_code(errc code) noexcept;

/// How a failed execution is described on the wire.
struct failure {
    std::string type;       ///< class of the exception: std::runtime_error, ValueError
    std::string message;    ///< its text; several arguments of a Python exception as a JSON list
    std::string module;     ///< cpp for C++ workers, else the Python module; may be empty
    std::string traceback;  ///< Python's traceback or the chain of nested C++ exceptions
    bool operator==(const failure&) const = default;
};

class error : public std::runtime_error {
public:
    error(errc code, const std::string& text) : std::runtime_error(text), code_(code) {}
    [[nodiscard]] errc code() const noexcept { return code_; }

private:
    errc code_;
};

/// A value that JSON cannot hold. The text names the path: `argument 1: .price: NaN ...`.
class encode_error : public error {
public:
    explicit encode_error(const std::string& text) : error(errc::encode_failed, text) {}
};

/// JSON that does not fit the type: `.items[3].quantity: expected integer, got string "x"`.
class decode_error : public error {
public:
    explicit decode_error(const std::string& text) : error(errc::decode_failed, text) {}
};

/// A list of tasks that cannot be registered; thrown where the application is constructed.
class registration_error : public error {
public:
    explicit registration_error(const std::string& text)
        : error(errc::invalid_registration, text) {}
};

/// No answer came while get() waited. Nothing is known about the task: it may still run.
class wait_timeout : public error {
public:
    explicit wait_timeout(std::string task_id);
    [[nodiscard]] const std::string& task_id() const noexcept { return task_id_; }

private:
    std::string task_id_;
};

/// The task ended in a failure. what() is `type: message`.
class task_failed : public error {
public:
    task_failed(failure what, std::string task_id, std::string worker);

    [[nodiscard]] const std::string& type() const noexcept { return failure_.type; }
    [[nodiscard]] const std::string& message() const noexcept { return failure_.message; }
    [[nodiscard]] const std::string& module() const noexcept { return failure_.module; }
    [[nodiscard]] const std::string& traceback() const noexcept { return failure_.traceback; }
    [[nodiscard]] const std::string& task_id() const noexcept { return task_id_; }
    /// Name of the worker that ran it (`w1@host`); empty if it did not say, as Celery's do not.
    [[nodiscard]] const std::string& worker() const noexcept { return worker_; }

protected:
    task_failed(errc code, failure what, std::string task_id, std::string worker);

private:
    failure failure_;
    std::string task_id_;
    std::string worker_;
};

/// The task was stopped by its hard time limit.
class task_timeout : public task_failed {
public:
    task_timeout(failure what, std::string task_id, std::string worker);
};

/// No worker that got the message knows the task. message() is the name asked for.
class unknown_task : public task_failed {
public:
    unknown_task(failure what, std::string task_id, std::string worker);
};

/// The task will not give a result: reason() is `revoked`, `expired`, `terminated`, or what the
/// task itself said when it threw lovage::cancel.
class task_revoked : public error {
public:
    task_revoked(std::string reason, std::string task_id);
    [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
    [[nodiscard]] const std::string& task_id() const noexcept { return task_id_; }

private:
    std::string reason_;
    std::string task_id_;
};

}  // namespace lovage

template <>
struct boost::system::is_error_code_enum<lovage::errc> : std::true_type {};
