"""cobs.json: byte stuffing on serial lines (spec/protocol.md §10)."""

import wire
from handshakes import BY_NAME
from material import derived

SESSION = BY_NAME["one"]


def encode(data: bytes, closing_group: bool = False) -> bytes:
    """Groups of bytes without zero, each behind its length plus one.

    A group stands for its bytes and a zero, except the last one, and except full ones (code 0xFF, 254 bytes). Where
    the data ends with a full group, some encoders add an empty group; a decoder takes both.
    """
    out = b""
    *runs, last = data.split(b"\x00")
    for run in runs:
        full, rest = _full_groups(run)
        out += full + bytes([len(rest) + 1]) + rest
    full, rest = _full_groups(last)
    out += full
    if rest or not full or closing_group:
        out += bytes([len(rest) + 1]) + rest
    return out


def _full_groups(run: bytes) -> tuple[bytes, bytes]:
    full = b""
    while len(run) >= 254:
        full += b"\xff" + run[:254]
        run = run[254:]
    return full, run


def line(*frames: bytes) -> bytes:
    return b"".join(b"\x00" + encode(frame) + b"\x00" for frame in frames)


def nonzero(length: int) -> bytes:
    return bytes(place % 255 + 1 for place in range(length))


def build() -> dict:
    return {
        "about": "Consistent overhead byte stuffing. The format is described in README.md.",
        "blocks": _blocks(),
        "decode_only": _decode_only(),
        "invalid": _invalid(),
        "lines": _lines(),
    }


def _blocks() -> list[dict]:
    cases = {
        "empty": b"",
        "one zero": b"\x00",
        "only zeros": bytes(5),
        "255 zeros": bytes(255),
        "one byte": b"\x01",
        "no zeros": b"\x11\x22\x33",
        "a zero at the start": b"\x00\x11",
        "a zero at the end": b"\x11\x00",
        "a zero inside": b"\x11\x22\x00\x33",
        "two zeros inside": b"\x11\x00\x00\x11",
        **{f"{length} bytes without zero": nonzero(length) for length in (253, 254, 255, 508, 509)},
        **{f"{length} bytes without zero, then zero": nonzero(length) + b"\x00" for length in (253, 254, 255)},
        **{f"zero, then {length} bytes without zero": b"\x00" + nonzero(length) for length in (253, 254, 255)},
        "a HELLO": SESSION.frames["HELLO"],
        "a DATA frame": SESSION.seal("client", "DATA", 0, b"over a wire"),
        "the longest frame": SESSION.seal("client", "DATA", 1, derived("cobs/longest", 452)),
        "a frame of the greatest length without any zero": nonzero(492),
    }
    return [{"name": name, "decoded": data.hex(), "encoded": encode(data).hex()} for name, data in cases.items()]


def _decode_only() -> list[dict]:
    """The other way to write the same bytes."""
    cases = {f"{length} bytes without zero, empty group at the end": nonzero(length) for length in (254, 508)}
    return [
        {"name": name, "decoded": data.hex(), "encoded": encode(data, closing_group=True).hex()}
        for name, data in cases.items()
    ]


def _invalid() -> list[dict]:
    cases = {
        "the code alone, bytes missing": b"\x05",
        "one byte missing": b"\x04\x11\x22",
        "the second group is cut": b"\x02\x11\x05\x22",
        "a full group is cut": b"\xff" + nonzero(253),
    }
    return [{"name": name, "encoded": data.hex()} for name, data in cases.items()]


def _lines() -> list[dict]:
    """What a receiver makes of bytes on the line: these frames come out, so many blocks are dropped."""
    hello, challenge = SESSION.frames["HELLO"], SESSION.frames["CHALLENGE"]
    data = SESSION.seal("client", "DATA", 0, b"over a wire")
    cut = line(data)[: len(data) // 2]
    cases = [
        ("one frame", line(data), [data], 0),
        ("two frames", line(hello, data), [hello, data], 0),
        ("two frames with one zero between them", line(hello)[:-1] + line(data), [hello, data], 0),
        ("empty blocks", bytes(7) + line(data) + bytes(7), [data], 0),
        ("noise without zero before a frame", b"boot: ok\r\n" + line(data), [data], 1),
        ("a frame cut off, then a whole one", cut + line(challenge), [challenge], 1),
        ("a block of no bytes", b"\x00\x01\x00" + line(data), [data], 1),
        ("a block whose groups overrun it", b"\x00\x04\x11\x22\x00" + line(data), [data], 1),
        ("a frame with a byte too few", line(data[:-1]) + line(data), [data], 1),
        ("a frame with a byte too many", line(data + b"\x01") + line(data), [data], 1),
        ("a frame with a bad CRC", line(wire.flip(data, 10)) + line(data), [data], 1),
        ("a block of 496 bytes", b"\x00" + nonzero(255) + nonzero(241) + b"\x00" + line(data), [data], 1),
        ("a long run without zero", b"\x00" + nonzero(255) * 8 + line(data), [data], 1),
    ]
    return [
        {"name": name, "bytes": sent.hex(), "frames": [frame.hex() for frame in frames], "dropped": dropped}
        for name, sent, frames, dropped in cases
    ]
