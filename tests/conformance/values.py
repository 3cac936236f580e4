"""The values of the scenario language: reading them, putting them on the wire, comparing them with
what came from there. A value read off the wire keeps its type letter and the order of its fields:
a table is a list of (key, (letter, value))."""

import re
import struct

import spec
import wire


class Mismatch(AssertionError):
    """The broker did something else than the scenario says."""


class Word:
    """A word or a quoted string; what it means depends on where it stands."""

    def __init__(self, text, quoted=False):
        self.text, self.quoted = text, quoted

    def __repr__(self):
        return repr(self.text)


class Typed:
    """A field value with its letter, like l(5)."""

    def __init__(self, letter, inner):
        self.letter, self.inner = letter, inner


class Call:
    """repeat("x", 300) or octets(1 2 "ab")."""

    def __init__(self, name, inner):
        self.name, self.inner = name, inner


class Pattern:
    def __init__(self, word):
        self.word = word


class Anything:
    pass


class Rest:
    """`...` in a table: further fields do not matter, nor does the order."""


ANYTHING, REST = Anything(), Rest()
NAME = re.compile(r"\\\$|\$(?:\{(\w+)\}|(\w+))")
INTEGERS = {"b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I", "l": ">q",
            "L": ">q", "T": ">Q"}
ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", '"': b'"', "\\": b"\\", "$": b"\\$"}


class Scanner:
    """Reads one line of a scenario."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def error(self, what):
        return SyntaxError(f"{what} at `{self.text[self.at:self.at + 30]}`")

    def skip(self):
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1
        return self.at < len(self.text)

    def peek(self, what):
        return self.text.startswith(what, self.at)

    def take(self, what):
        if self.peek(what):
            self.at += len(what)
            return True
        return False

    def need(self, what):
        self.skip()
        if not self.take(what):
            raise self.error(f"`{what}` is missing")

    def rest(self):
        self.skip()
        rest, self.at = self.text[self.at:].strip(), len(self.text)
        return rest

    def match(self, pattern):
        found = re.compile(pattern).match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def word(self, ends=" \t"):
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in ends:
            self.at += 1
        if start == self.at:
            raise self.error("a value is missing")
        return self.text[start:self.at]

    def quoted(self):
        out, self.at = bytearray(), self.at + 1
        while not self.peek('"'):
            if self.at >= len(self.text):
                raise self.error("a string does not end")
            if self.take("\\"):
                letter = self.text[self.at]
                self.at += 1
                if letter == "x":
                    out.append(int(self.text[self.at:self.at + 2], 16))
                    self.at += 2
                else:
                    # `\$` and what only a regex knows stay as they are.
                    out += ESCAPES.get(letter, b"\\" + letter.encode())
            else:
                out += self.text[self.at].encode()
                self.at += 1
        self.at += 1
        return Word(out.decode("utf-8", "surrogateescape"), True)

    def value(self, ends=" \t"):
        """One value; a bare word goes up to one of `ends`."""
        self.skip()
        if self.peek('"'):
            return self.quoted()
        if self.take("~"):
            return Pattern(self.quoted() if self.peek('"') else Word(self.word(ends)))
        if self.take("{"):
            return self.table()
        if self.take("["):
            return self.array()
        if found := self.match(r"(\w+)\("):
            return self.call(found[1])
        text = self.word(ends)
        return ANYTHING if text == "_" else Word(text)

    def call(self, name):
        inner = []
        while True:
            self.skip()
            self.take(",")
            self.skip()
            if self.take(")"):
                break
            inner.append(self.value(" \t,)"))
        if name in ("repeat", "octets", "method"):
            return Call(name, inner)
        if len(name) != 1:
            raise self.error(f"`{name}` is no type letter")
        return Typed(name, inner)

    def array(self):
        values = []
        while True:
            self.skip()
            if self.take("]"):
                return values
            values.append(self.value(" \t,]"))
            self.skip()
            self.take(",")

    def table(self):
        pairs = []
        while True:
            self.skip()
            if self.take("}"):
                return Table(pairs)
            if self.take("..."):
                pairs.append(REST)
                continue
            key = self.quoted().text if self.peek('"') else self.word(" \t:,}")
            self.need(":")
            pairs.append((key, self.value(" \t,}")))
            self.skip()
            self.take(",")


class Table:
    def __init__(self, pairs):
        self.pairs = pairs


# What a value is on the wire


def octets_of(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def fill_in(text, names):
    def named(match):
        if match[0] == "\\$":
            return "$"
        name = match[1] or match[2]
        if name not in names:
            raise SyntaxError(f"${name} was never seen")
        return str(names[name])
    return NAME.sub(named, text)


def text_of(value, names):
    """The text that a word, a string or repeat() stands for."""
    if isinstance(value, Word):
        return fill_in(value.text, names)
    if isinstance(value, Call) and value.name == "repeat":
        return fill_in(value.inner[0].text, names) * int(value.inner[1].text)
    if isinstance(value, Call) and value.name == "octets":
        return raw_octets(value.inner, names).decode("utf-8", "surrogateescape")
    raise SyntaxError("a text was expected")


def integer_of(value, names):
    return int(fill_in(value.text, names))


def raw_octets(items, names):
    """Numbers are octets, strings what they say, H(n) I(n) l(n) S("x") s("x") their encoding."""
    out = b""
    for item in items:
        if isinstance(item, Typed):
            out += encode_raw(item.letter, item.inner, names)
        elif isinstance(item, Table):
            out += encode_table(item, names)
        elif isinstance(item, Word) and not item.quoted:
            out += bytes([integer_of(item, names)])
        else:
            out += octets_of(text_of(item, names))
    return out


def encode_raw(letter, inner, names):
    """s(...) and S(...) hold a word or further octets; H(n), I(n), Q(n) a number."""
    if letter in "sS":
        word = len(inner) == 1 and isinstance(inner[0], Word)
        octets = octets_of(text_of(inner[0], names)) if word else raw_octets(inner, names)
        return wire.shortstr(octets) if letter == "s" else wire.longstr(octets)
    return struct.pack({"H": ">H", "I": ">I", "Q": ">Q"}[letter], integer_of(inner[0], names))


def encode_table(value, names):
    if isinstance(value, Call):
        return raw_octets(value.inner, names)
    return wire.longstr(b"".join(wire.shortstr(octets_of(fill_in(key, names)))
                                 + encode_field(field, names) for key, field in value.pairs))


def field_of(value):
    """(letter, what it holds) of a value that stands in a table."""
    if isinstance(value, Typed):
        return value.letter, value.inner
    if isinstance(value, Table):
        return "F", value
    if isinstance(value, list):
        return "A", value
    if isinstance(value, Word) and not value.quoted:
        if value.text in ("true", "false"):
            return "t", [Word("1" if value.text == "true" else "0")]
        if value.text == "void":
            return "V", []
        if re.fullmatch(r"-?\d+", value.text):
            small = -(2**31) <= int(value.text) < 2**31
            return ("I" if small else "l"), [value]
    return "S", [value]


def encode_field(value, names):
    letter, inner = field_of(value)
    start = letter.encode()
    if letter == "F":
        return start + encode_table(inner[0] if isinstance(inner, list) else inner, names)
    if letter == "A":
        return start + wire.longstr(b"".join(encode_field(each, names) for each in inner))
    if letter in "Sx":
        return start + wire.longstr(octets_of(text_of(inner[0], names)))
    if letter == "t":
        return start + bytes([integer_of(inner[0], names)])
    if letter in INTEGERS:
        return start + struct.pack(INTEGERS[letter], integer_of(inner[0], names))
    if letter in "fd":
        return start + struct.pack(">" + letter, float(inner[0].text))
    if letter == "D":
        return start + struct.pack(">Bi", *(integer_of(each, names) for each in inner))
    return start + raw_octets(inner, names)


def encode_argument(letter, value, names):
    """A value for wire.encode()."""
    if letter == "F":
        return encode_table(value, names)
    if letter in wire.SIZES or letter == "b":
        text = fill_in(value.text, names)
        return {"true": 1, "false": 0}.get(text) if text in ("true", "false") else int(text)
    return octets_of(text_of(value, names))


def encode_properties(value, names):
    if isinstance(value, Call):
        return raw_octets(value.inner, names)
    given = dict(value.pairs)
    if unknown := set(given) - {name for name, _ in spec.PROPERTIES}:
        raise SyntaxError(f"unknown property {unknown}")
    flags, out = 0, b""
    for place, (name, letter) in enumerate(spec.PROPERTIES):
        if name in given:
            flags |= 1 << (15 - place)
            out += wire.encode(letter, [encode_argument(letter, given[name], names)])
    return flags.to_bytes(2, "big") + out
