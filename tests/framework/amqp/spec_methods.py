#!/usr/bin/python3
"""Makes spec_methods.txt from the specification's XML and compares it with methods.hpp.

  spec_methods.py --write        makes the table anew from the package amqp-specs
  spec_methods.py METHODS_HPP    checks that the header has every method of the table with the same
                                 fields in the same order, and that the table is what the XML says
                                 where the package is installed

A line of the table is: class.method ids, names, and each field as name:type, in wire order. The XML
is the 0-9-1 specification with RabbitMQ's additions; class access comes from 0-8, where it still
is, and the methods that no XML has are listed below.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE / "spec_methods.txt"
SPECS = pathlib.Path("/usr/share/amqp/specs")
MAIN_XML = SPECS / "0-9-1-rabbit/amqp0-9-1.stripped.extended.xml"
ACCESS_XML = SPECS / "0-8/amqp0-8.stripped.xml"

# RabbitMQ's documentation of its extensions: connection.blocked and update-secret.
WITHOUT_XML = (
    "10.60 connection.blocked reason:shortstr",
    "10.61 connection.unblocked",
    "10.70 connection.update-secret new-secret:longstr reason:shortstr",
    "10.71 connection.update-secret-ok")

# A C++ member's type by the specification's type.
CPP_TYPES = {
    "bit": "bool", "octet": "std::uint8_t", "short": "std::uint16_t", "long": "std::uint32_t",
    "longlong": "std::uint64_t", "shortstr": "octets", "longstr": "long_string", "table": "table"}

# Fields that the specification reserves and that this project calls by their older name, and those
# whose name would be a word of C++.
OTHER_NAMES = {
    "reserved-1": ("ticket", "cluster_id", "reserved_1"), "class-id": ("failing_class",),
    "method-id": ("failing_method",), "nowait": ("no_wait",)}


def lines_of(xml, only=None):
    root = ElementTree.parse(xml).getroot()
    domains = {d.get("name"): d.get("type") for d in root.iter("domain")}
    for cls in root.iter("class"):
        if only and cls.get("name") != only:
            continue
        for method in cls.iter("method"):
            fields = []
            for field in method.findall("field"):
                kind = field.get("type") or field.get("domain")
                name = field.get("name").replace(" ", "-")
                fields.append(f"{name}:{domains.get(kind, kind)}")
            yield " ".join([f"{cls.get('index')}.{method.get('index')}",
                            f"{cls.get('name')}.{method.get('name')}", *fields])


def table_from_xml():
    lines = [*lines_of(MAIN_XML), *lines_of(ACCESS_XML, "access"), *WITHOUT_XML]
    lines.sort(key=lambda line: [int(part) for part in line.split(" ", 1)[0].split(".")])
    return "# Made by spec_methods.py: ids, name, fields with their types.\n" + "".join(
        line + "\n" for line in lines)


def methods_of(header):
    """{"10.10": ("connection.start", [(name, type), ...])} from the C++ text."""
    found = {}
    namespace = ""
    for part in re.finditer(r"^namespace (\w+) \{|^struct (\w+) \{\n(.*?)^\};", header, re.M | re.S):
        if part[1]:
            namespace = part[1]
            continue
        ids = re.search(r"method_id id\{(\d+), (\d+)\}", part[3])
        if not ids:
            continue
        members = dict((name, kind) for kind, name in re.findall(
            r"^    ([\w:]+) (\w+)(?: = \w+|\{\})?;", part[3], re.M))
        order = re.findall(r"&\w+::(\w+)", part[3].split("fields()", 1)[1].split("operator==")[0])
        found[f"{ids[1]}.{ids[2]}"] = (
            f"{namespace}.{part[2]}", [(name, members.get(name)) for name in order])
    return found


def same_name(spec, cpp):
    plain = spec.replace("-", "_")
    return cpp in (plain, plain + "_") or cpp in OTHER_NAMES.get(spec, ())


def problems(table, header):
    found = methods_of(header)
    for line in table.splitlines():
        if line.startswith("#"):
            continue
        ids, name, *fields = line.split(" ")
        if ids not in found:
            yield f"{ids} {name}: missing"
            continue
        cpp_name, cpp_fields = found.pop(ids)
        if not same_name(name.split(".")[1], cpp_name.split(".")[1]) or (
                cpp_name.split(".")[0] != name.split(".")[0]):
            yield f"{ids} {name}: called {cpp_name}"
        if len(fields) != len(cpp_fields):
            yield f"{ids} {name}: {len(cpp_fields)} fields instead of {len(fields)}"
            continue
        for field, (cpp_field, cpp_type) in zip(fields, cpp_fields):
            field_name, kind = field.split(":")
            if not same_name(field_name, cpp_field) or CPP_TYPES[kind] != cpp_type:
                yield f"{ids} {name}: {field} is {cpp_field} of type {cpp_type}"
    for ids, (cpp_name, _) in found.items():
        yield f"{ids} {cpp_name}: in no specification"


def main():
    if sys.argv[1:] == ["--write"]:
        TABLE.write_text(table_from_xml(), "ascii")
        return 0
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    table = TABLE.read_text("ascii")
    wrong = list(problems(table, pathlib.Path(sys.argv[1]).read_text("utf-8")))
    if MAIN_XML.exists() and ACCESS_XML.exists() and table_from_xml() != table:
        wrong.append("spec_methods.txt is not what the XML says: run spec_methods.py --write")
    # A header without its last field of basic.publish must be noticed.
    planted = table.replace("immediate:bit", "immediate:bit more:bit")
    if not list(problems(planted, pathlib.Path(sys.argv[1]).read_text("utf-8"))):
        wrong.append("the check itself finds nothing")
    print("\n".join(wrong) or f"{len(table.splitlines()) - 1} methods agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
