#include "tests/broker/store/fake_disk.hpp"

#include <algorithm>
#include <limits>

namespace lovage::broker::store::testing {
namespace {

disk::error_code system_error(boost::system::errc::errc_t code) {
    return boost::system::errc::make_error_code(code);
}

}  // namespace

disk::error_code fake_disk::begin_call(const std::string& what) {
    const std::size_t call = calls_++;
    if (power_off_ && call >= *power_off_) {
        return system_error(boost::system::errc::io_error);
    }
    trace_.push_back(what);
    const auto failure = failures_.find(call);
    return failure == failures_.end() ? error_code{} : failure->second;
}

void fake_disk::change_names(name_change change) {
    change(names_);
    pending_names_.push_back(std::move(change));
}

fake_disk::file fake_disk::surviving(const file& from, const chooser& survives) const {
    file left{from.durable, from.durable, {}};
    for (const std::size_t sector : from.dirty) {
        if (!survives()) {
            continue;
        }
        const std::size_t begin = sector * sector_bytes_;
        const std::size_t count = std::min(sector_bytes_, from.current.size() - begin);
        if (left.current.size() < begin + count) {
            left.current.resize(begin + count, '\0');
        }
        left.current.replace(begin, count, from.current, begin, count);
    }
    left.durable = left.current;
    return left;
}

std::unique_ptr<fake_disk> fake_disk::after_power_loss(const chooser& survives) const {
    auto left = std::make_unique<fake_disk>(sector_bytes_);
    directory names = durable_names_;
    for (const name_change& change : pending_names_) {
        if (survives()) {
            change(names);
        }
    }
    // A file may have got two names when only half of the renames survived: one content.
    std::map<const file*, file_ptr> copies;
    for (const auto& [name, from] : names) {
        file_ptr& copy = copies[from.get()];
        if (!copy) {
            copy = std::make_shared<file>(surviving(*from, survives));
        }
        left->names_[name] = copy;
    }
    left->durable_names_ = left->names_;
    return left;
}

void fake_disk::after_kill() {
    handles_.clear();
    locked_ = false;
    clear_faults();
}

void fake_disk::clear_faults() {
    power_off_.reset();
    failures_.clear();
    failing_read_.reset();
}

std::uint64_t fake_disk::total_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [name, stored] : names_) {
        sum += stored->current.size();
    }
    return sum;
}

std::string fake_disk::content(const std::string& name) const {
    return names_.at(name)->current;
}

void fake_disk::set_content(const std::string& name, const std::string& content) {
    names_[name] = std::make_shared<file>(file{content, content, {}});
    durable_names_[name] = names_[name];
}

std::vector<std::string> fake_disk::names() const {
    std::vector<std::string> all;
    for (const auto& [name, stored] : names_) {
        all.push_back(name);
    }
    return all;
}

disk::result<std::vector<std::string>> fake_disk::list() {
    return names();
}

disk::result<disk::handle> fake_disk::open(const std::string& name, open_mode mode) {
    const auto found = names_.find(name);
    if (found == names_.end() && mode == open_mode::existing) {
        return system_error(boost::system::errc::no_such_file_or_directory);
    }
    if (found == names_.end()) {
        if (const error_code error = begin_call("create " + name)) {
            return error;
        }
        change_names([name, made = std::make_shared<file>()](directory& in) { in[name] = made; });
    }
    handles_[next_handle_] = names_.at(name);
    return next_handle_++;
}

void fake_disk::close(handle closed) {
    handles_.erase(closed);
}

disk::result<std::uint64_t> fake_disk::size(handle of) {
    return std::uint64_t{handles_.at(of)->current.size()};
}

disk::result<std::size_t> fake_disk::read(
    handle from,
    std::uint64_t offset,
    char* into,
    std::size_t count) {
    const std::string& content = handles_.at(from)->current;
    if (failing_read_ == reads_++) {
        failing_read_.reset();
        return system_error(boost::system::errc::io_error);
    }
    if (offset >= content.size()) {
        return std::size_t{0};
    }
    return content.copy(into, count, offset);
}

disk::error_code fake_disk::write(handle to, std::uint64_t offset, std::span<const octets> pieces) {
    file& target = *handles_.at(to);
    std::string all;
    for (const octets piece : pieces) {
        all += piece;
    }
    error_code error = begin_call("write " + std::to_string(all.size()));
    if (power_off_ && calls_ > *power_off_) {
        return error;
    }
    if (error) {
        all.resize(all.size() / 2);
    }
    const std::uint64_t others = total_bytes() - target.current.size();
    if (capacity_) {
        const std::uint64_t room = *capacity_ > others ? *capacity_ - others : 0;
        const std::uint64_t end_max = std::max<std::uint64_t>(room, target.current.size());
        if (offset + all.size() > end_max) {
            error = system_error(boost::system::errc::no_space_on_device);
            all.resize(end_max > offset ? end_max - offset : 0);
        }
    }
    if (!all.empty()) {
        ++writes_;
        if (target.current.size() < offset + all.size()) {
            target.current.resize(offset + all.size(), '\0');
        }
        target.current.replace(offset, all.size(), all);
        for (auto sector = offset / sector_bytes_;
             sector <= (offset + all.size() - 1) / sector_bytes_;
             ++sector) {
            target.dirty.insert(sector);
        }
    }
    return error;
}

disk::error_code fake_disk::sync(handle of) {
    if (const error_code error = begin_call("sync")) {
        return error;
    }
    ++file_syncs_;
    file& target = *handles_.at(of);
    if (!ignore_syncs_) {
        target.durable = target.current;
        target.dirty.clear();
    }
    return {};
}

disk::error_code fake_disk::sync_directory() {
    if (const error_code error = begin_call("sync directory")) {
        return error;
    }
    if (!ignore_syncs_) {
        durable_names_ = names_;
        pending_names_.clear();
    }
    return {};
}

disk::error_code fake_disk::rename(const std::string& from, const std::string& to) {
    if (const error_code error = begin_call("rename " + from + " " + to)) {
        return error;
    }
    if (!names_.contains(from)) {
        return system_error(boost::system::errc::no_such_file_or_directory);
    }
    // When it survives alone, without what made `from`, it has no effect.
    change_names([from, to](directory& in) {
        if (const auto found = in.find(from); found != in.end()) {
            const file_ptr moved = found->second;
            in.erase(found);
            in[to] = moved;
        }
    });
    return {};
}

disk::error_code fake_disk::remove(const std::string& name) {
    if (const error_code error = begin_call("remove " + name)) {
        return error;
    }
    change_names([name](directory& in) { in.erase(name); });
    return {};
}

disk::result<disk::space_report> fake_disk::space() {
    constexpr auto unlimited = std::numeric_limits<std::uint64_t>::max();
    if (!capacity_ || capacity_hidden_) {
        return space_report{unlimited, unlimited};
    }
    return space_report{*capacity_, *capacity_ - std::min(*capacity_, total_bytes())};
}

disk::error_code fake_disk::lock(const std::string& name, std::string& holder) {
    if (locked_) {
        holder = "4711\n";
        return system_error(boost::system::errc::resource_unavailable_try_again);
    }
    if (!names_.contains(name)) {
        change_names([name, made = std::make_shared<file>()](directory& in) { in[name] = made; });
    }
    locked_ = true;
    return {};
}

}  // namespace lovage::broker::store::testing
