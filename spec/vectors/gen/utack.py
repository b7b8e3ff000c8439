"""utack.json: acknowledgements, the cookie exchange and sizes of datagrams (spec/protocol.md §9)."""

import struct

import keys
import rekeys
import wire
from handshakes import BY_NAME, OTHER
from material import derived

SESSION = BY_NAME["one"]


def utack(kind: str, seq: int, key: bytes | None = None) -> bytes:
    body = b"\xac\xac" + struct.pack("<BI", wire.TYPES[kind], seq)
    return body if key is None else body + keys.hmac_sha256(key, body)[:8]


def build() -> dict:
    return {
        "about": "Acknowledgements over UDP. The format is described in README.md.",
        "handshake": [{"type": kind, "seq": seq, "bytes": utack(kind, seq).hex()} for kind, seq in HANDSHAKE],
        "session": [_session(sender, kind, seq) for sender in OTHER for kind, seq in RECORDS],
        "rekey": _rekey(),
        "cookie": _cookie(),
        "invalid": _invalid(),
        "invalid_datagrams": _invalid_datagrams(),
    }


# HELLO has number 1 when it carries a cookie.
HANDSHAKE = [("HELLO", 0), ("HELLO_RETRY", 0), ("HELLO", 1), ("CHALLENGE", 0), ("HELLO_ACK", 2), ("SESSION_OK", 0)]

RECORDS = [("DATA", 0), ("DATA", 7), ("PING", 1), ("PONG", 255), ("BYE", 256), ("DATA_FRAG", 0xFFFFFFFE), ("REKEY", 3)]


def _session(sender: str, kind: str, seq: int) -> dict:
    """`from` sent the frame that is acknowledged, so its key makes the MAC."""
    return {
        "session": SESSION.name,
        "from": sender,
        "type": kind,
        "seq": seq,
        "key": SESSION.keys[sender].hex(),
        "bytes": utack(kind, seq, SESSION.keys[sender]).hex(),
    }


def _rekey() -> list[dict]:
    """A REKEY may be acknowledged under the key before it or the key behind it."""
    vectors = []
    for initiator in OTHER:
        script = next(s for s in rekeys.scripts() if s.name == f"REKEY from the {initiator}, session one")
        seq = next(frame["seq"] for frame in script.frames if frame["type"] == "REKEY")
        old, new = (script.pairs[pair][initiator] for pair in (0, 1))
        vectors.append(
            {
                "script": script.name,
                "from": initiator,
                "type": "REKEY",
                "seq": seq,
                "old": utack("REKEY", seq, old).hex(),
                "new": utack("REKEY", seq, new).hex(),
            }
        )
    return vectors


def _cookie() -> dict:
    cookie = derived("cookie", 16)
    return {
        "session": SESSION.name,
        "cookie": cookie.hex(),
        "hello": SESSION.frames["HELLO"].hex(),
        "hello_retry": wire.frame("HELLO_RETRY", 0, cookie).hex(),
        "hello_with_cookie": wire.frame("HELLO", 1, SESSION.payloads["HELLO"] + cookie).hex(),
    }


def _invalid() -> list[dict]:
    """None of these acknowledges DATA number 7 of the client, nor anything else."""
    good = utack("DATA", 7, SESSION.keys["client"])
    cases = {
        "no MAC": good[:7],
        "half a MAC": good[:11],
        "a byte too long": good + b"\x00",
        "empty": b"",
        "first byte of magic wrong": wire.flip(good, 0),
        "second byte of magic wrong": wire.flip(good, 1),
        "type changed": wire.flip(good, 2, 0x02),
        "unknown type": wire.flip(good, 2, 0x70),
        "number changed": wire.flip(good, 3),
        "first bit of the MAC flipped": wire.flip(good, 7),
        "last bit of the MAC flipped": wire.flip(good, -1, 0x80),
        "MAC under the key of the other direction": utack("DATA", 7, SESSION.keys["server"]),
        "MAC under another session's key": utack("DATA", 7, BY_NAME["two"].keys["client"]),
    }
    return [
        {"name": name, "session": SESSION.name, "from": "client", "bytes": data.hex()} for name, data in cases.items()
    ]


def _invalid_datagrams() -> list[dict]:
    """Datagrams that are not one frame of 12 + length bytes; dropped without an answer."""
    hello, other = SESSION.frames["HELLO"], SESSION.frames["HELLO_ACK"]
    cases = {
        "empty": b"",
        "half a header": hello[:6],
        "a byte short": hello[:-1],
        "a byte too long": hello + b"\x00",
        "two frames": hello + other,
        "version 1 HELLO": wire.with_new_crc(wire.flip(hello, 2, 0x03)),
        "magic wrong": wire.with_new_crc(wire.flip(hello, 0)),
    }
    return [{"name": name, "bytes": data.hex()} for name, data in cases.items()]
