// The new data directory while salvage writes it: log, writer and segments together. Used by
// salvage only, on its thread. After a failure every further call fails likewise.
#pragma once

#include "broker/store/salvage.hpp"

namespace lovage::broker::store {

class salvage::new_store {
public:
    new_store(disk& files, const salvage_options& options, const recovered_tail& tail)
        : disk_(files),
          options_(options),
          salt_(tail.salt),
          log_(options.log, tail),
          writer_(files, options.writer, tail),
          builder_(tail.salt, tail.next_segment) {}

    [[nodiscard]] log& records() { return log_; }
    [[nodiscard]] segment_builder& segment() { return builder_; }
    [[nodiscard]] const std::string& problem() const { return problem_; }

    /// Writes what is in the open batch, if that is much or `all` is to be written.
    [[nodiscard]] error_code write(bool all);
    /// Of the page that the builder has just ended; its record is written after its segment.
    void add_page(const page_record& record);
    /// Writes the segment that is being built, if it is large or `all` is to be written.
    [[nodiscard]] error_code write_segment(bool all);

private:
    struct pending_page {
        page_record record;
        std::vector<std::uint64_t> dead;
        std::vector<std::pair<std::uint32_t, std::uint32_t>> returned;
    };

    disk& disk_;
    const salvage_options& options_;
    std::uint64_t salt_;
    log log_;
    log_writer writer_;
    segment_builder builder_;
    std::vector<pending_page> pending_;
    std::string problem_;
};

}  // namespace lovage::broker::store
