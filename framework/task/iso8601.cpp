#include "framework/task/iso8601.hpp"

#include <algorithm>

namespace lovage {

namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

void put_digits(char* end, unsigned value, int count) {
    for (int i = 0; i < count; ++i) {
        *--end = static_cast<char>('0' + value % 10);
        value /= 10;
    }
}

/// Takes text from the front; once something does not fit, `good` stays false.
struct scanner {
    std::string_view text;
    bool good = true;

    int digits(std::size_t count) {
        int value = 0;
        if (text.size() < count) {
            good = false;
            return 0;
        }
        for (const char c : text.substr(0, count)) {
            good = good && c >= '0' && c <= '9';
            value = value * 10 + (c - '0');
        }
        text.remove_prefix(count);
        return good ? value : 0;
    }
    bool take(char c) {
        if (text.empty() || text.front() != c) {
            return false;
        }
        text.remove_prefix(1);
        return true;
    }
    void expect(char c) { good = take(c) && good; }
    [[nodiscard]] bool at_digit() const {
        return !text.empty() && text.front() >= '0' && text.front() <= '9';
    }
};

int scan_limited(scanner& scan, int highest) {
    const int value = scan.digits(2);
    scan.good = scan.good && value <= highest;
    return value;
}

microseconds scan_fraction(scanner& scan) {
    scan.good = scan.good && scan.at_digit();
    int value = 0;
    int weight = 100000;
    while (scan.at_digit()) {
        value += weight * scan.digits(1);
        weight /= 10;
    }
    return microseconds(value);
}

minutes scan_offset(scanner& scan) {
    if (scan.text.empty() || scan.take('Z') || scan.take('z')) {
        return minutes(0);
    }
    const bool west = scan.take('-');
    if (!west) {
        scan.expect('+');
    }
    minutes offset = hours(scan_limited(scan, 23));
    if (scan.take(':') || scan.at_digit()) {
        offset += minutes(scan_limited(scan, 59));
    }
    return west ? -offset : offset;
}

}  // namespace

std::string format_iso8601(iso_time time) {
    time = std::clamp(time, iso_time_min, iso_time_max);
    const auto day = std::chrono::floor<days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    std::string text = "0000-00-00T00:00:00.000000+00:00";
    char* const start = text.data();
    put_digits(start + 4, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    put_digits(start + 7, static_cast<unsigned>(date.month()), 2);
    put_digits(start + 10, static_cast<unsigned>(date.day()), 2);
    put_digits(start + 13, static_cast<unsigned>(clock.hours().count()), 2);
    put_digits(start + 16, static_cast<unsigned>(clock.minutes().count()), 2);
    put_digits(start + 19, static_cast<unsigned>(clock.seconds().count()), 2);
    put_digits(start + 26, static_cast<unsigned>(clock.subseconds().count()), 6);
    return text;
}

std::optional<iso_time> parse_iso8601(std::string_view text) {
    scanner scan{text};
    const int year = scan.digits(4);
    scan.expect('-');
    const int month = scan.digits(2);
    scan.expect('-');
    const int day = scan.digits(2);
    const std::chrono::year_month_day date(
        std::chrono::year(year),
        std::chrono::month(static_cast<unsigned>(month)),
        std::chrono::day(static_cast<unsigned>(day)));
    if (!scan.good || year == 0 || !date.ok()) {
        return std::nullopt;
    }
    iso_time time = std::chrono::sys_days(date);
    if (!scan.text.empty()) {
        if (!scan.take('T') && !scan.take('t')) {
            scan.expect(' ');
        }
        time += hours(scan_limited(scan, 23));
        scan.expect(':');
        time += minutes(scan_limited(scan, 59));
        if (scan.take(':')) {
            time += seconds(scan_limited(scan, 59));
            if (scan.take('.')) {
                time += scan_fraction(scan);
            }
        }
        time -= scan_offset(scan);
    }
    if (!scan.good || !scan.text.empty() || time < iso_time_min || time > iso_time_max) {
        return std::nullopt;
    }
    return time;
}

}  // namespace lovage
