// The spare files of the log: written with zeros before they are needed, or reclaimed. They are
// the space that acknowledgements can count on when the disk is full. Used by log_writer, on its
// thread. Decides nothing: neither how many spares there should be nor how long.
#pragma once

#include "broker/store/disk.hpp"
#include "broker/store/format.hpp"

namespace lovage::broker::store {

class spare_files {
public:
    using error_code = disk::error_code;

    /// `names` are in the directory; their lengths are asked for here, and those that are longer
    /// than `each_max` removed: they were made of the log file of a single huge batch.
    spare_files(disk& files, const std::vector<std::string>& names, std::uint64_t each_max);

    [[nodiscard]] bool empty() const { return spares_.empty(); }
    [[nodiscard]] std::size_t count() const { return spares_.size(); }
    /// Of all spares together, not counting what one has beyond `each_max`.
    [[nodiscard]] std::uint64_t bytes(std::uint64_t each_max = ~std::uint64_t{0}) const;

    /// Gives the longest spare this name; only if there is one. It is no spare any more then.
    [[nodiscard]] error_code use_as(const std::string& name);
    /// Makes a spare of a log file that is not open.
    [[nodiscard]] error_code take(file_number log);
    /// Writes up to `step` zeros to the end of the longest spare that is not `whole`, or to a new
    /// one, and syncs it. `number` is what a new one is called, if no other is.
    [[nodiscard]] error_code grow(std::uint64_t step, std::uint64_t whole, file_number number);
    /// Removes the shortest spare, so that the log gets its space. False if there is none.
    [[nodiscard]] bool give_up_one();

    /// The file that grow() was about.
    [[nodiscard]] const std::string& grown_file() const { return grown_file_; }

private:
    struct spare {
        std::string name;
        std::uint64_t bytes = 0;
    };
    /// A file that is there.
    void add(const std::string& name);
    void insert(spare&& added);
    [[nodiscard]] std::string unused_name(file_number number) const;
    disk& disk_;
    std::vector<spare> spares_;  // by length
    std::string grown_file_;
};

}  // namespace lovage::broker::store
