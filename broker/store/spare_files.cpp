#include "broker/store/spare_files.hpp"

#include "broker/store/directory.hpp"
#include "broker/store/zeros.hpp"

#include <algorithm>

namespace lovage::broker::store {

spare_files::spare_files(disk& files, const std::vector<std::string>& names, std::uint64_t each_max)
    : disk_(files) {
    for (const std::string& name : names) {
        add(name);
    }
    while (!spares_.empty() && spares_.back().bytes > each_max) {
        static_cast<void>(disk_.remove(spares_.back().name));
        spares_.pop_back();
    }
}

std::uint64_t spare_files::bytes(std::uint64_t each_max) const {
    std::uint64_t sum = 0;
    for (const spare& each : spares_) {
        sum += std::min(each.bytes, each_max);
    }
    return sum;
}

disk::error_code spare_files::use_as(const std::string& name) {
    if (const error_code error = disk_.rename(spares_.back().name, name)) {
        return error;
    }
    spares_.pop_back();
    return {};
}

disk::error_code spare_files::take(file_number log) {
    const std::string name = unused_name(log);
    if (const error_code error = disk_.rename(log_name(log), name)) {
        return error;
    }
    add(name);
    return {};
}

disk::error_code spare_files::grow(std::uint64_t step, std::uint64_t whole, file_number number) {
    const auto part =
        std::ranges::find_if(spares_.rbegin(), spares_.rend(), [whole](const spare& each) {
            return each.bytes < whole;
        });
    spare grown = part != spares_.rend() ? *part : spare{unused_name(number), 0};
    grown_file_ = grown.name;
    const auto opened = disk_.open(grown.name, disk::open_mode::create);
    if (!opened) {
        return opened.error();
    }
    step = std::min(step, whole - grown.bytes);
    error_code error = write_zeros(disk_, *opened, grown.bytes, step);
    if (!error) {
        // Now, because the sync of the batch that begins the file would pay for all of it.
        error = disk_.sync(*opened);
    }
    if (!error) {
        grown.bytes += step;
    }
    disk_.close(*opened);
    std::erase_if(spares_, [&grown](const spare& each) { return each.name == grown.name; });
    insert(std::move(grown));
    return error;
}

bool spare_files::give_up_one() {
    if (spares_.empty()) {
        return false;
    }
    // It counts as gone even if it cannot be removed: it would be of no use to anyone.
    static_cast<void>(disk_.remove(spares_.front().name));
    spares_.erase(spares_.begin());
    return true;
}

std::string spare_files::unused_name(file_number number) const {
    for (;; ++number) {
        std::string name = spare_name(number);
        if (std::ranges::find(spares_, name, &spare::name) == spares_.end()) {
            return name;
        }
    }
}

void spare_files::add(const std::string& name) {
    std::uint64_t bytes = 0;
    if (const auto opened = disk_.open(name, disk::open_mode::existing)) {
        const auto length = disk_.size(*opened);
        bytes = length ? *length : 0;
        disk_.close(*opened);
    }
    insert({name, bytes});
}

void spare_files::insert(spare&& added) {
    const auto place = std::ranges::upper_bound(spares_, added.bytes, {}, &spare::bytes);
    spares_.insert(place, std::move(added));
}

}  // namespace lovage::broker::store
