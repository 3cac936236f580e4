#include "examples/order_processing/database.hpp"

#include <chrono>
#include <sqlite3.h>
#include <stdexcept>

namespace shop {
namespace {

constexpr int busy_timeout_ms = 30'000;

double now_ms() {
    using namespace std::chrono;
    return duration<double, std::milli>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

/// A prepared statement, used again and again.
class database::statement {
public:
    statement(sqlite3* open, const char* sql) : open_(open) {
        check(sqlite3_prepare_v2(open, sql, -1, &prepared_, nullptr));
    }
    ~statement() { sqlite3_finalize(prepared_); }
    statement(const statement&) = delete;
    statement& operator=(const statement&) = delete;

    statement& bind(int place, const std::string& text) {
        check(sqlite3_bind_text(
            prepared_, place, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT));
        return *this;
    }
    statement& bind(int place, std::int64_t number) {
        check(sqlite3_bind_int64(prepared_, place, number));
        return *this;
    }
    statement& bind(int place, double number) {
        check(sqlite3_bind_double(prepared_, place, number));
        return *this;
    }
    /// True while there is a row; the statement can be bound anew after the last.
    bool step() {
        const int status = sqlite3_step(prepared_);
        if (status == SQLITE_ROW) {
            return true;
        }
        sqlite3_reset(prepared_);
        check(status == SQLITE_DONE ? SQLITE_OK : status);
        return false;
    }
    void reset() { sqlite3_reset(prepared_); }
    [[nodiscard]] std::string text(int column) const {
        const auto* octets = sqlite3_column_text(prepared_, column);
        return octets == nullptr ? std::string() : reinterpret_cast<const char*>(octets);
    }
    [[nodiscard]] std::int64_t integer(int column) const {
        return sqlite3_column_int64(prepared_, column);
    }
    [[nodiscard]] double real(int column) const { return sqlite3_column_double(prepared_, column); }

private:
    void check(int status) const {
        if (status != SQLITE_OK) {
            throw std::runtime_error(std::string("database: ") + sqlite3_errmsg(open_));
        }
    }

    sqlite3* open_;
    sqlite3_stmt* prepared_ = nullptr;
};

void database::closer::operator()(sqlite3* open) const {
    sqlite3_close(open);
}

database::database(const std::string& path) {
    sqlite3* raw = nullptr;
    const int status = sqlite3_open(path.c_str(), &raw);
    open_.reset(raw);
    if (status != SQLITE_OK) {
        throw std::runtime_error("cannot open the database " + path + ": " + sqlite3_errmsg(raw));
    }
    sqlite3_busy_timeout(raw, busy_timeout_ms);
    execute("PRAGMA journal_mode = WAL");
    execute("PRAGMA synchronous = NORMAL");
    execute("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, customer TEXT, email TEXT,"
            " phone TEXT, currency TEXT, card TEXT, total INTEGER, stored_ms REAL)");
    execute("CREATE TABLE IF NOT EXISTS tasks (task TEXT, order_id TEXT, attempt INTEGER,"
            " result TEXT, detail TEXT, run_ms REAL, ended_ms REAL,"
            " PRIMARY KEY (task, order_id, attempt))");
    store_ = std::make_unique<statement>(
        raw, "INSERT OR IGNORE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    find_ = std::make_unique<statement>(
        raw, "SELECT customer, email, phone, currency, card, total FROM orders WHERE id = ?");
    record_ = std::make_unique<statement>(
        raw, "INSERT OR IGNORE INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?)");
}

database::~database() = default;

void database::execute(const char* sql) {
    char* problem = nullptr;
    if (sqlite3_exec(open_.get(), sql, nullptr, nullptr, &problem) != SQLITE_OK) {
        const std::string text = problem == nullptr ? "unknown" : problem;
        sqlite3_free(problem);
        throw std::runtime_error("database: " + text);
    }
}

void database::begin() {
    execute("BEGIN IMMEDIATE");
}
void database::commit() {
    execute("COMMIT");
}

void database::store(const order& what, std::int64_t total_minor) {
    store_->bind(1, what.id)
        .bind(2, what.customer_name)
        .bind(3, what.email)
        .bind(4, what.phone.value_or(""))
        .bind(5, what.currency)
        .bind(6, what.card_token)
        .bind(7, total_minor)
        .bind(8, now_ms())
        .step();
}

std::optional<stored_order> database::find(const std::string& order_id) {
    find_->bind(1, order_id);
    if (!find_->step()) {
        return std::nullopt;
    }
    stored_order found{
        find_->text(0),
        find_->text(1),
        find_->text(2),
        find_->text(3),
        find_->text(4),
        find_->integer(5)};
    find_->reset();
    return found;
}

void database::record(const task_record& what) {
    record_->bind(1, what.task)
        .bind(2, what.order_id)
        .bind(3, what.attempt)
        .bind(4, what.result)
        .bind(5, what.detail)
        .bind(6, what.run_ms)
        .bind(7, now_ms())
        .step();
}

std::int64_t database::finished_tasks() {
    statement count{open_.get(), "SELECT count(*) FROM tasks WHERE result <> 'retried'"};
    const std::int64_t finished = count.step() ? count.integer(0) : 0;
    return finished;
}

std::map<std::string, task_summary> database::summaries() {
    statement rows{
        open_.get(),
        "SELECT task, sum(result = 'done'), sum(result = 'retried'), sum(result = 'failed'),"
        " avg(run_ms), avg(ended_ms - stored_ms)"
        " FROM tasks JOIN orders ON orders.id = order_id GROUP BY task"};
    std::map<std::string, task_summary> all;
    while (rows.step()) {
        all[rows.text(0)] = {
            rows.integer(1), rows.integer(2), rows.integer(3), rows.real(4), rows.real(5)};
    }
    return all;
}

std::map<std::string, std::int64_t> database::revenue_minor() {
    statement rows{
        open_.get(),
        "SELECT currency, sum(total) FROM orders JOIN tasks ON order_id = id"
        " WHERE task = 'orders.charge' AND result = 'done' GROUP BY currency"};
    std::map<std::string, std::int64_t> all;
    while (rows.step()) {
        all[rows.text(0)] = rows.integer(1);
    }
    return all;
}

}  // namespace shop
