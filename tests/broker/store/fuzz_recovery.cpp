// Fuzz target of the recovery reader: the input is the content of the log, cut into files. The
// checksums are repaired first, so that records are reached with odd payloads. Whatever it is,
// recovery answers: a state that a second recovery confirms and a log can go on from, or an error
// with a text. Verification and salvage come to an end with it, too.
#include "broker/store/directory.hpp"
#include "broker/store/log.hpp"
#include "broker/store/log_writer.hpp"
#include "broker/store/recovery.hpp"
#include "broker/store/salvage.hpp"
#include "broker/store/verification.hpp"
#include "tests/broker/store/fake_disk.hpp"

#ifndef LOVAGE_FUZZ_TARGET
#include <gtest/gtest.h>

#include <random>
#endif

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace lovage::broker::store {
namespace {

constexpr std::size_t files_max = 4;

/// Gives header and records the checksums and numbers that belong to them, as far as lengths go.
void repair(std::string& content, file_number file, lsn& number, bool whole_header) {
    if (content.size() < header_bytes) {
        return;
    }
    if (whole_header) {
        put_file_header(content.data(), {format_version, file, 0});
    }
    std::size_t at = header_bytes;
    while (at + record_header_bytes <= content.size()) {
        record_header header = get_record_header(content.data() + at);
        header.length %= 64;
        header.number = ++number;
        header.unsynced %= 4;
        header.type = static_cast<std::uint8_t>(header.type % (record_type_max + 1));
        put_record_header(content.data() + at, header);
        const std::size_t bytes = record_header_bytes + header.length;
        if (at + bytes > content.size()) {
            return;
        }
        const octets record{content.data() + at, bytes};
        put_fixed(content.data() + at, record_crc(record, record_seed(0, file)));
        at += bytes;
    }
}

void require(bool condition, std::source_location place = std::source_location::current()) {
    if (!condition) {
        std::fprintf(stderr, "violated in line %u\n", place.line());
        std::abort();
    }
}

bool recovers(testing::fake_disk& disk, recovery& reader) {
    std::string problem;
    const bool fine = !reader.run(problem);
    require(fine || !problem.empty());
    disk.after_kill();
    if (fine) {
        std::size_t count = 0;
        require(!reader.for_each_message([&](const recovered_message&) { ++count; }, problem));
        require(count == reader.message_count());
    }
    return fine;
}

/// Whatever it is, verification and salvage come to an end, and what is salvaged can be read.
void look_offline(testing::fake_disk& disk) {
    verification check{disk};
    std::string problem;
    require(!check.run(problem) || !problem.empty());
    disk.after_kill();
    testing::fake_disk into;
    salvage_options options;
    options.new_salt = 1;
    options.window_bytes = 256;
    salvage work{disk, into, options};
    const bool fine = !work.run(problem);
    require(fine || !problem.empty());
    disk.after_kill();
    into.after_kill();
    if (fine) {
        recovery found{into, {0, 256, 2}};
        require(recovers(into, found));
    }
}

void feed(octets input) {
    testing::fake_disk disk;
    disk.set_content(marker_name, format_marker({format_version, 0}));
    const std::uint8_t mode = input.empty() ? 0 : static_cast<std::uint8_t>(input.front());
    const std::size_t files = 1 + mode % files_max;
    lsn number = 0;
    for (file_number file = 1; file <= files; ++file) {
        std::string content{input.substr(input.size() * (file - 1) / files, input.size() / files)};
        if ((mode & 0x40U) == 0) {
            repair(content, file, number, (mode & 0x20U) == 0);
        }
        disk.set_content(log_name(file), content);
    }
    look_offline(disk);
    recovery first{disk, {0, 256, 2}};
    if (!recovers(disk, first)) {
        return;
    }
    recovery second{disk, {0, 256, 2}};
    require(recovers(disk, second));
    require(first.message_count() == second.message_count());
    require(first.tail().previous == second.tail().previous);
    log the_log{log_options{}, second.tail()};
    log_writer writer{disk, writer_options{1024, 2, 4096}, second.tail()};
    the_log.setting_put("key", "value");
    batch full = the_log.take_batch();
    require(!writer.write(full));
    recovery third{disk, {0, 256, 2}};
    require(recovers(disk, third));
    require(third.tail().previous == full.highest);
}

}  // namespace
}  // namespace lovage::broker::store

#ifdef LOVAGE_FUZZ_TARGET
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    lovage::broker::store::feed({reinterpret_cast<const char*>(data), size});
    return 0;
}
#else
// The same entry on random input, so that every build runs it a little.
TEST(FuzzRecovery, AnswersAnyInput) {
    std::mt19937 random{99};
    for (int i = 0; i < 3000; ++i) {
        std::string input(random() % 600, '\0');
        for (char& octet : input) {
            // Small numbers are what lengths, types and ids mostly are.
            octet = static_cast<char>(random() % 4 == 0 ? random() : random() % 8);
        }
        lovage::broker::store::feed(input);
    }
}
#endif
