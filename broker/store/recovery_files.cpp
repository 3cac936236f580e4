// recovery: segments and blobs: those that messages need have to be there, the others go.
#include "broker/store/directory.hpp"
#include "broker/store/recovery.hpp"
#include "broker/store/segment.hpp"

#include <algorithm>

namespace lovage::broker::store {

boost::system::error_code recovery::check_segments() {
    std::map<segment_number, std::map<page_id, segment_page>> read;
    for (const recovered_page& page : replay_.pages()) {
        const page_record& record = page.record;
        auto found = read.find(record.segment);
        if (found == read.end()) {
            std::string problem;
            auto content = read_segment_end(disk_, tail_.salt, record.segment, problem);
            if (!content) {
                problem = problem.empty() ? "cannot read " + segment_name(record.segment) + ": " +
                                                content.error().message()
                                          : problem;
                return fail_damaged(
                    problem + "; messages of queue " + std::to_string(record.queue) + " lie there");
            }
            tail_.segments[record.segment] = content->bytes;
            found = read.try_emplace(record.segment).first;
            for (const segment_page& each : content->pages) {
                found->second[each.page] = each;
            }
        }
        const auto there = found->second.find(record.id);
        if (there == found->second.end() || there->second.queue != record.queue ||
            there->second.extent.offset != record.offset ||
            there->second.extent.bytes != record.bytes) {
            return fail_damaged(
                segment_name(record.segment) + " has no page " + std::to_string(record.id) +
                " of queue " + std::to_string(record.queue));
        }
        stored_[record.id] = there->second.count;
    }
    return {};
}

boost::system::error_code recovery::check_blobs() {
    for (const auto& [blob, bytes] : tail_.blobs) {
        if (!std::ranges::binary_search(blobs_, blob)) {
            return fail_damaged(
                blob_name(blob) + " is missing: the body of a message, " + std::to_string(bytes) +
                " octets, lies there");
        }
    }
    return {};
}

boost::system::error_code recovery::remove_unneeded(bool& changed) {
    // Written, but not yet in the log when the broker ended; or in it no more.
    std::vector<std::string> gone;
    for (const segment_number segment : segments_) {
        if (!tail_.segments.contains(segment)) {
            gone.push_back(segment_name(segment));
        }
    }
    for (const blob_id blob : blobs_) {
        if (!tail_.blobs.contains(blob)) {
            gone.push_back(blob_name(blob));
        }
    }
    for (const std::string& name : gone) {
        if (const error_code error = disk_.remove(name)) {
            problem_ = "cannot remove " + name + ": " + error.message();
            return error;
        }
        changed = true;
    }
    return {};
}

}  // namespace lovage::broker::store
