// Octet strings. AMQP's strings, bodies and encoded frames are octets without a charset, so a
// std::string_view is their view and a std::string their owner everywhere in the project.
// byte_buffer is the one growing queue of octets: written at the back, consumed at the front.
// Pure; used by codec, engine, client and the network edge, each from its own single thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace lovage {

using octets = std::string_view;

class byte_buffer {
public:
    byte_buffer() = default;
    byte_buffer(byte_buffer&& other) noexcept { swap(other); }
    byte_buffer& operator=(byte_buffer&& other) noexcept {
        swap(other);
        return *this;
    }

    [[nodiscard]] octets view() const { return {data_.get() + begin_, end_ - begin_}; }
    [[nodiscard]] std::size_t size() const { return end_ - begin_; }
    [[nodiscard]] bool empty() const { return begin_ == end_; }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }
    /// The octet at `offset` from the front; for patching a length that is known only afterwards.
    [[nodiscard]] char* at(std::size_t offset) { return data_.get() + begin_ + offset; }

    /// Room for `count` octets at the back, uninitialised; made part of the buffer by commit().
    char* prepare(std::size_t count) {
        if (capacity_ - end_ < count) {
            make_room(count);
        }
        return data_.get() + end_;
    }
    /// Adds the first `count` of the octets last prepared.
    void commit(std::size_t count) { end_ += count; }

    void append(octets bytes) {
        if (!bytes.empty()) {
            std::memcpy(prepare(bytes.size()), bytes.data(), bytes.size());
            end_ += bytes.size();
        }
    }
    /// Drops `count` octets at the front; `count` is at most size().
    void consume(std::size_t count) {
        begin_ += count;
        if (begin_ == end_) {
            begin_ = end_ = 0;
        }
    }
    void clear() { begin_ = end_ = 0; }
    /// Cuts the buffer back to its first `size` octets.
    void truncate(std::size_t size) { end_ = begin_ + size; }
    /// Gives the memory back, for buffers that are idle after a burst. Only when empty.
    void release() {
        data_.reset();
        capacity_ = begin_ = end_ = 0;
    }
    void swap(byte_buffer& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(capacity_, other.capacity_);
        std::swap(begin_, other.begin_);
        std::swap(end_, other.end_);
    }

private:
    void make_room(std::size_t count);

    std::unique_ptr<char[]> data_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace lovage
