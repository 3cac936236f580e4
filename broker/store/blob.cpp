#include "broker/store/blob.hpp"

#include "broker/store/directory.hpp"

#include <array>
#include <vector>

namespace lovage::broker::store {
namespace {

constexpr std::size_t prefix_bytes = header_bytes + record_header_bytes;

/// What stands before the body.
std::array<char, prefix_bytes> prefix_of(std::uint64_t salt, blob_id blob, octets body) {
    std::array<char, prefix_bytes> prefix{};
    put_file_header(prefix.data(), {format_version, blob, salt}, blob_magic);
    char* const record = prefix.data() + header_bytes;
    record_header header;
    header.length = static_cast<std::uint32_t>(body.size());
    header.number = blob;
    header.type = static_cast<std::uint8_t>(record_type::body);
    put_record_header(record, header);
    const std::uint32_t begun =
        record_crc({record, record_header_bytes}, segment_seed(salt, blob, blob_magic));
    put_fixed(record, crc32c(body, begun));
    return prefix;
}

/// What is wrong with a file's content, which is as long as it should be.
const char* fault_in(octets content, std::uint64_t salt, const blob_ref& which) {
    file_header header;
    if (!get_file_header(content.data(), header, blob_magic) || header.number != which.blob ||
        header.salt != salt) {
        return "its header is not that of this blob";
    }
    const octets record = content.substr(header_bytes);
    const record_header body = get_record_header(record.data());
    const bool whole = body.length == which.bytes && body.number == which.blob &&
                       body.type == static_cast<std::uint8_t>(record_type::body) &&
                       record_crc(record, segment_seed(salt, which.blob, blob_magic)) == body.crc;
    return whole ? nullptr : "the body is damaged";
}

}  // namespace

disk::error_code write_blobs(disk& files, std::uint64_t salt, std::span<const new_blob> what) {
    std::vector<disk::handle> written;
    disk::error_code error;
    for (const new_blob& each : what) {
        const auto opened = files.open(blob_name(each.blob), disk::open_mode::create);
        if (!opened) {
            error = opened.error();
            break;
        }
        written.push_back(*opened);
        const auto prefix = prefix_of(salt, each.blob, each.body);
        const std::array<octets, 2> pieces{octets{prefix.data(), prefix.size()}, each.body};
        error = files.write(*opened, 0, pieces);
        if (error) {
            break;
        }
    }
    if (!error) {
        error = files.sync_with_names(written);
    }
    for (std::size_t i = 0; i < written.size(); ++i) {
        files.close(written[i]);
        if (error) {
            static_cast<void>(files.remove(blob_name(what[i].blob)));
        }
    }
    return error;
}

std::string read_blob(
    disk& files,
    std::uint64_t salt,
    const blob_ref& which,
    byte_buffer& into,
    octets& body) {
    const std::string name = blob_name(which.blob);
    const auto opened = files.open(name, disk::open_mode::existing);
    if (!opened) {
        return "cannot open " + name + ": " + opened.error().message();
    }
    const std::uint64_t wanted = prefix_bytes + which.bytes;
    const auto size = files.size(*opened);
    disk::error_code error = size ? disk::error_code{} : size.error();
    into.clear();
    if (!error && *size == wanted) {
        const auto got = files.read(*opened, 0, into.prepare(wanted), wanted);
        error = got ? disk::error_code{} : got.error();
        into.commit(got ? *got : 0);
    }
    files.close(*opened);
    if (error) {
        return "cannot read " + name + ": " + error.message();
    }
    if (into.size() != wanted) {
        return name + ": it is not as long as it should be";
    }
    if (const char* const fault = fault_in(into.view(), salt, which); fault != nullptr) {
        return name + ": " + fault;
    }
    body = into.view().substr(prefix_bytes);
    return {};
}

}  // namespace lovage::broker::store
