#!/usr/bin/python3
"""Writes corpus/: the seeds of the codec's fuzz targets, from tests/framework/amqp/golden.

Run by hand after a new recording. Files are named after the recording and their number; files with
other names (crashes that were found and fixed) are left alone.
"""

import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "framework" / "amqp" / "golden"
METHOD, HEADER, BODY = 1, 2, 3
STREAM_OCTETS_MAX = 4096
BODY_OCTETS_MAX = 200


def frames_of(path):
    for line in path.read_text("ascii").splitlines():
        if not line.startswith("#"):
            yield line[0], bytes.fromhex(line[2:])


def tables_in(frame):
    """Every stretch of a method or header that looks like a table: its size fits, a name follows."""
    payload = frame[7:-1]
    at = 4
    while at + 6 < len(payload):
        (size,) = struct.unpack_from(">I", payload, at)
        if 4 < size <= len(payload) - at - 4 and payload[at + 4] < size and (
                payload[at + 5:at + 7].isalpha()):
            yield payload[at:at + 4 + size]
            at += 4 + size
        else:
            at += 1


def content_steps(header, bodies):
    """The steps of content_fuzzer.cpp for one content."""
    size = struct.pack(">Q", min(sum(map(len, bodies)), BODY_OCTETS_MAX))
    header = header[:4] + size + header[12:]
    if len(header) > 255:
        return b""
    steps = bytes([0, 2, len(header)]) + header
    left = b"".join(bodies)[:BODY_OCTETS_MAX]
    while left:
        part, left = left[:90], left[90:]
        steps += bytes([4, len(part)]) + part
    return steps


def seeds_of(path):
    """(target, octets) of one recording."""
    for side in "CS":
        stream = b""
        header, bodies = None, []
        for who, frame in frames_of(path):
            if who != side or frame.startswith(b"AMQP"):
                continue
            if len(stream) + len(frame) <= STREAM_OCTETS_MAX:
                stream += frame
            if frame[0] in (METHOD, HEADER):
                yield from (("table", table) for table in tables_in(frame))
            if frame[0] != BODY and header:
                yield "content", content_steps(header, bodies)
                header, bodies = None, []
            if frame[0] == HEADER:
                header = frame[7:-1]
                yield "properties", header[12:]
            elif frame[0] == BODY:
                bodies.append(frame[7:-1])
        yield "frames", stream


def main():
    known = set()
    for path in sorted(GOLDEN.glob("*.hex")):
        for old in HERE.glob(f"corpus/*/{path.stem}-*"):
            old.unlink()
        for target, seed in seeds_of(path):
            if not seed or (target, seed) in known:
                continue
            known.add((target, seed))
            folder = HERE / "corpus" / target
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{path.stem}-{len(known)}").write_bytes(seed)


if __name__ == "__main__":
    main()
