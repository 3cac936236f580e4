#include "framework/amqp/table_codec.hpp"

#include "framework/amqp/spec.hpp"

#include <bit>

namespace lovage::amqp {
namespace {

/// Reads or walks over values; counts them, so that a small table cannot become a huge one.
class table_reader {
public:
    explicit table_reader(dialect as) : as_(as) {}

    table read(octets content, int depth, bool& ok) {
        table result;
        wire_reader in{content};
        while (in.ok() && !in.at_end()) {
            std::string name{in.short_string()};
            result.add(std::move(name), read_value(in, depth));
        }
        ok = ok && in.ok();
        return result;
    }

    void skip(octets content, int depth, bool named, bool& ok) {
        wire_reader in{content};
        while (in.ok() && !in.at_end()) {
            if (named) {
                in.short_string();
            }
            skip_value(in, depth);
        }
        ok = ok && in.ok();
    }

private:
    bool enter(wire_reader& in, int depth) {
        if (++values_ > table_values_max || depth > table_depth_max) {
            in.fail();
            return false;
        }
        return true;
    }

    field_value read_value(wire_reader& in, int depth) {
        if (!enter(in, depth)) {
            return {};
        }
        const char letter = static_cast<char>(in.number<std::uint8_t>());
        switch (letter) {
            case 't': return in.number<std::uint8_t>() != 0;
            case 'b': return static_cast<std::int8_t>(in.number<std::uint8_t>());
            case 'B': return in.number<std::uint8_t>();
            case 'U':
                if (as_ == dialect::rabbitmq) {
                    break;
                }
                return static_cast<std::int16_t>(in.number<std::uint16_t>());
            case 's':
                if (as_ == dialect::specification) {
                    return short_text{std::string(in.short_string())};
                }
                return static_cast<std::int16_t>(in.number<std::uint16_t>());
            case 'u': return in.number<std::uint16_t>();
            case 'I': return static_cast<std::int32_t>(in.number<std::uint32_t>());
            case 'i': return in.number<std::uint32_t>();
            case 'l': return static_cast<std::int64_t>(in.number<std::uint64_t>());
            case 'L': return unsigned_long{in.number<std::uint64_t>()};
            case 'f': return std::bit_cast<float>(in.number<std::uint32_t>());
            case 'd': return std::bit_cast<double>(in.number<std::uint64_t>());
            case 'D': return read_decimal(in);
            case 'S': return std::string(in.long_string());
            case 'x': return byte_array{std::string(in.long_string())};
            case 'T': return timestamp{in.number<std::uint64_t>()};
            case 'A': return read_array(in, depth);
            case 'F': return read_nested(in, depth);
            case 'V': return {};
            default: break;
        }
        in.fail();
        return {};
    }

    static field_value read_decimal(wire_reader& in) {
        const auto scale = in.number<std::uint8_t>();
        return decimal{scale, static_cast<std::int32_t>(in.number<std::uint32_t>())};
    }

    field_value read_array(wire_reader& in, int depth) {
        wire_reader elements{in.long_string()};
        field_array result;
        while (elements.ok() && !elements.at_end()) {
            result.push_back(read_value(elements, depth + 1));
        }
        if (!elements.ok()) {
            in.fail();
        }
        return result;
    }

    field_value read_nested(wire_reader& in, int depth) {
        bool ok = true;
        table result = read(in.long_string(), depth + 1, ok);
        if (!ok) {
            in.fail();
        }
        return result;
    }

    void skip_value(wire_reader& in, int depth) {
        if (!enter(in, depth)) {
            return;
        }
        const char letter = static_cast<char>(in.number<std::uint8_t>());
        switch (letter) {
            case 'V': return;
            case 't':
            case 'b':
            case 'B': in.take(1); return;
            case 'u': in.take(2); return;
            case 'I':
            case 'i':
            case 'f': in.take(4); return;
            case 'D': in.take(5); return;
            case 'l':
            case 'L':
            case 'd':
            case 'T': in.take(8); return;
            case 'S':
            case 'x': in.long_string(); return;
            case 's': as_ == dialect::specification ? in.short_string() : in.take(2); return;
            case 'A':
            case 'F': skip_nested(in, depth, letter == 'F'); return;
            case 'U':
                if (as_ == dialect::specification) {
                    in.take(2);
                    return;
                }
                break;
            default: break;
        }
        in.fail();
    }

    void skip_nested(wire_reader& in, int depth, bool named) {
        bool ok = true;
        skip(in.long_string(), depth + 1, named, ok);
        if (!ok) {
            in.fail();
        }
    }

    dialect as_;
    std::size_t values_ = 0;
};

class value_writer {
public:
    value_writer(byte_buffer& out, dialect as) : out_(out), as_(as) {}

    void operator()(std::monostate) { letter('V'); }
    void operator()(bool v) { number('t', static_cast<std::uint8_t>(v)); }
    void operator()(std::int8_t v) { number('b', static_cast<std::uint8_t>(v)); }
    void operator()(std::uint8_t v) { number('B', v); }
    void operator()(std::int16_t v) {
        number(as_ == dialect::rabbitmq ? 's' : 'U', static_cast<std::uint16_t>(v));
    }
    void operator()(std::uint16_t v) { number('u', v); }
    void operator()(std::int32_t v) { number('I', static_cast<std::uint32_t>(v)); }
    void operator()(std::uint32_t v) { number('i', v); }
    void operator()(std::int64_t v) { number('l', static_cast<std::uint64_t>(v)); }
    void operator()(unsigned_long v) { number('L', v.value); }
    void operator()(float v) { number('f', std::bit_cast<std::uint32_t>(v)); }
    void operator()(double v) { number('d', std::bit_cast<std::uint64_t>(v)); }
    void operator()(decimal v) {
        number('D', v.scale);
        write_number(out_, static_cast<std::uint32_t>(v.value));
    }
    void operator()(const std::string& v) { text('S', v); }
    void operator()(const byte_array& v) { text('x', v.octets); }
    void operator()(const short_text& v) {
        if (as_ == dialect::rabbitmq) {  // which has no short strings in tables
            text('S', v.text);
        } else {
            letter('s');
            write_short_string(out_, v.text);
        }
    }
    void operator()(timestamp v) { number('T', v.seconds); }
    void operator()(const field_array& v) {
        letter('A');
        const std::size_t start = begin_sized();
        for (const auto& element : v) {
            std::visit(*this, element.get());
        }
        end_sized(start);
    }
    void operator()(const table& v) {
        letter('F');
        content(v);
    }
    void content(const table& v) {
        const std::size_t start = begin_sized();
        for (const auto& [name, value] : v) {
            write_short_string(out_, name);
            std::visit(*this, value.get());
        }
        end_sized(start);
    }

private:
    void letter(char c) { write_number(out_, static_cast<std::uint8_t>(c)); }
    template <class Number>
    void number(char c, Number v) {
        letter(c);
        write_number(out_, v);
    }
    void text(char c, octets v) {
        letter(c);
        write_long_string(out_, v);
    }
    std::size_t begin_sized() {
        write_number(out_, std::uint32_t{0});
        return out_.size();
    }
    void end_sized(std::size_t start) { patch_size(out_, start - 4, out_.size() - start); }

    byte_buffer& out_;
    dialect as_;
};

}  // namespace

table read_table_content(octets content, bool& ok, dialect as) {
    ok = true;
    return table_reader{as}.read(content, 1, ok);
}

table read_table(wire_reader& in, dialect as) {
    bool ok = true;
    table result = read_table_content(in.long_string(), ok, as);
    if (!ok) {
        in.fail();
    }
    return result;
}

void skip_table(wire_reader& in, dialect as) {
    bool ok = true;
    table_reader{as}.skip(in.long_string(), 1, true, ok);
    if (!ok) {
        in.fail();
    }
}

void write_table(byte_buffer& out, const table& value, dialect as) {
    value_writer{out, as}.content(value);
}

}  // namespace lovage::amqp
