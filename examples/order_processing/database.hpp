// The shop's SQLite database: orders and what was done for them. The service writes orders, tasks
// in any number of worker processes write what they did, the report reads both. What a task did is
// one row a task and order, so a task that runs twice changes nothing.
// One object a thread; several processes may have the same file open.
#pragma once

#include "examples/order_processing/order.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace shop {

/// One order as tasks need it.
struct stored_order {
    std::string customer_name;
    std::string email;
    std::string phone;  ///< empty: none
    std::string currency;
    std::string card_token;
    std::int64_t total_minor = 0;
};

/// What one execution of a task came to.
struct task_record {
    std::string task;
    std::string order_id;
    std::string result;  ///< "done", "retried" or "failed"
    std::int64_t attempt = 1;
    std::string detail;  ///< e.g. the invoice's number, or why it failed
    double run_ms = 0;
};

struct task_summary {
    std::int64_t done = 0;
    std::int64_t retried = 0;
    std::int64_t failed = 0;
    double run_ms_mean = 0;
    double wait_ms_mean = 0;  ///< from the order's storing to the task's end
};

class database {
public:
    /// Opens or makes the file. Throws std::runtime_error with SQLite's message.
    explicit database(const std::string& path);
    ~database();
    database(const database&) = delete;
    database& operator=(const database&) = delete;

    /// Orders between begin() and commit() become lasting together.
    void begin();
    void commit();
    void store(const order& what, std::int64_t total_minor);
    [[nodiscard]] std::optional<stored_order> find(const std::string& order_id);
    /// The same task, order and attempt again changes nothing.
    void record(const task_record& what);

    /// Tasks that came to their end, done or failed.
    [[nodiscard]] std::int64_t finished_tasks();
    [[nodiscard]] std::map<std::string, task_summary> summaries();
    /// Currency to the sum of the charges that went through.
    [[nodiscard]] std::map<std::string, std::int64_t> revenue_minor();

private:
    class statement;

    void execute(const char* sql);

    struct closer {
        void operator()(sqlite3* open) const;
    };
    std::unique_ptr<sqlite3, closer> open_;
    std::unique_ptr<statement> store_;
    std::unique_ptr<statement> find_;
    std::unique_ptr<statement> record_;
};

}  // namespace shop
