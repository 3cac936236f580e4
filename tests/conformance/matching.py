"""Decoding what came with the types that it has on the wire, and comparing it with what a scenario
expects. A mismatch is an exception that names the place."""

import re
import struct

import spec
import wire
from values import (ANYTHING, INTEGERS, NAME, REST, Call, Mismatch, Pattern, Table, Word,
                    encode_properties, field_of, fill_in, integer_of, octets_of, text_of)


def decode_table(octets):
    """[(key, (letter, value))], in the order of the wire."""
    reader, fields = wire.Reader(octets), []
    while reader.at < len(octets):
        fields.append((reader.shortstr(), decode_field(reader)))
    return fields


def decode_field(reader):
    letter = reader.take(1).decode("latin-1")
    if letter == "F":
        return letter, decode_table(reader.longstr())
    if letter == "A":
        inner, values = wire.Reader(reader.longstr()), []
        while inner.at < len(inner.octets):
            values.append(decode_field(inner))
        return letter, values
    if letter in "Sx":
        return letter, reader.longstr()
    if letter in "fd":
        return letter, struct.unpack(">" + letter, reader.take(4 if letter == "f" else 8))[0]
    if letter == "D":
        return letter, struct.unpack(">Bi", reader.take(5))
    if letter == "t":
        return letter, reader.number(1)
    if letter == "V":
        return letter, None
    layout = INTEGERS[letter]
    return letter, struct.unpack(layout, reader.take(struct.calcsize(layout)))[0]


class TypedReader(wire.Reader):
    """Reads method arguments with tables as decode_table() gives them."""

    def table(self):
        return decode_table(self.longstr())


def decode_method(payload):
    """(name, {argument: value})."""
    reader = TypedReader(payload)
    name = wire.NAMES[reader.number(2), reader.number(2)]
    values = reader.arguments(spec.SPEC[name][2])
    if reader.at != len(payload):
        raise Mismatch(f"the broker's {name} has octets left over")
    return name, dict(zip((argument for argument, _ in spec.arguments_of(name)), values))


def decode_properties(octets):
    reader = TypedReader(octets)
    flags, found = reader.number(2), {}
    for place, (name, letter) in enumerate(spec.PROPERTIES):
        if flags >> (15 - place) & 1:
            found[name] = reader.arguments(letter)[0]
    if reader.at != len(octets):
        raise Mismatch(f"the broker's properties have octets left over: {octets!r}")
    return found


# Comparing


def wrong(where, expected, actual):
    raise Mismatch(f"{where} is {shown(actual)}, expected {shown(expected)}")


def shown(value):
    text = repr(value)
    return text if len(text) < 600 else f"{text[:500]}... ({len(text)} characters)"


def match_text(where, expected, actual, names):
    """`actual` is text or octets; an unknown $name takes it."""
    text = actual if isinstance(actual, str) else actual.decode("utf-8", "surrogateescape")
    if expected is ANYTHING:
        return
    if isinstance(expected, Pattern):
        if not re.fullmatch(fill_in(expected.word.text, names), text, re.S):
            wrong(where, "~" + expected.word.text, text)
        return
    if isinstance(expected, Word) and not expected.quoted:
        name = NAME.fullmatch(expected.text)
        if name and (name[1] or name[2]) not in names:
            names[name[1] or name[2]] = text
            return
    wanted = text_of(expected, names)
    if wanted != text:
        wrong(where, wanted, text)


def match_number(where, expected, actual, names):
    if expected is ANYTHING:
        return
    name = NAME.fullmatch(expected.text)
    if name and (name[1] or name[2]) not in names:
        names[name[1] or name[2]] = actual
        return
    text = {"true": "1", "false": "0"}.get(expected.text, expected.text)
    if int(fill_in(text, names)) != actual:
        wrong(where, int(fill_in(text, names)), actual)


def match_field(where, expected, actual, names):
    if expected is ANYTHING:
        return
    if isinstance(expected, Pattern):
        return match_text(where, expected, actual[1], names)
    letter, inner = field_of(expected)
    if letter != actual[0]:
        wrong(where + "'s type", letter, actual)
    if letter == "F":
        match_table(where, inner[0] if isinstance(inner, list) else inner, actual[1], names)
    elif letter == "A":
        if len(inner) != len(actual[1]):
            wrong(where + "'s length", len(inner), actual[1])
        for place, each in enumerate(inner):
            match_field(f"{where}[{place}]", each, actual[1][place], names)
    elif letter in "Sx":
        match_text(where, inner[0], actual[1], names)
    elif letter in INTEGERS or letter == "t":
        match_number(where, inner[0], actual[1], names)
    elif letter in "fd":
        if inner[0] is not ANYTHING and float(inner[0].text) != actual[1]:
            wrong(where, inner[0], actual[1])
    elif letter == "D":
        if tuple(integer_of(each, names) for each in inner) != actual[1]:
            wrong(where, inner, actual[1])


def match_table(where, expected, actual, names):
    """All fields in their order; with `...` those that are named, wherever they stand."""
    if expected is ANYTHING:
        return
    pairs = [(fill_in(pair[0], names), pair[1]) for pair in expected.pairs if pair is not REST]
    if REST not in expected.pairs:
        if [key for key, _ in pairs] != [key for key, _ in actual]:
            wrong(where + "'s keys", [key for key, _ in pairs], actual)
        for (key, value), (_, found) in zip(pairs, actual):
            match_field(f"{where}.{key}", value, found, names)
        return
    there = dict(actual)
    for key, value in pairs:
        if key not in there:
            wrong(f"{where}.{key}", value, "missing")
        match_field(f"{where}.{key}", value, there[key], names)


def match_argument(where, letter, expected, actual, names):
    if expected is ANYTHING:
        return
    if letter == "F":
        match_table(where, expected, actual, names)
    elif letter in "sS":
        match_text(where, expected, actual, names)
    else:
        match_number(where, expected, actual, names)


def match_properties(where, expected, octets, names, without=()):
    if expected is ANYTHING:
        return
    if isinstance(expected, Call):
        wanted = encode_properties(expected, names)
        if wanted != octets:
            wrong(where, wanted, octets)
        return
    actual = decode_properties(octets)
    if without and "headers" in actual:
        kept = [field for field in actual["headers"] if field[0] not in without]
        if kept or not actual["headers"]:
            actual["headers"] = kept
        else:
            del actual["headers"]
    letters = dict(spec.PROPERTIES)
    pairs = [pair for pair in expected.pairs if pair is not REST]
    if REST not in expected.pairs and {key for key, _ in pairs} != set(actual):
        wrong(where, [key for key, _ in pairs], actual)
    for key, value in pairs:
        if key not in actual:
            wrong(f"{where}.{key}", value, "missing")
        match_argument(f"{where}.{key}", letters[key], value, actual[key], names)


NOTHING = {"s": Word(""), "S": Word(""), "F": Table([])}


def match_event(event, expected, names, without=()):
    """`expected` is a language.Method: everything that it does not name must be zero or empty.
    Headers named in `without` are left out of what came."""
    if event.name != expected.name:
        wrong("the method", expected.name, event)
    if event.name not in spec.SPEC:
        return  # a heartbeat
    for name, letter in spec.arguments_of(expected.name):
        value = expected.arguments.get(name)
        if value is None:
            if expected.rest or name == "reserved":
                continue
            value = NOTHING.get(letter, Word("0"))
        match_argument(f"{event.name} {name}", letter, value, event.arguments[name], names)
    if expected.name in spec.WITH_CONTENT:
        if expected.body is not None or not expected.rest:
            match_text(f"{event.name} body", expected.body or Word(""), event.body, names)
        if expected.properties is not None or not expected.rest:
            match_properties(f"{event.name} properties", expected.properties or Table([]),
                             event.properties, names, without)


__all__ = ["decode_method", "decode_properties", "decode_table", "match_event", "match_text",
           "match_number", "octets_of", "shown"]
