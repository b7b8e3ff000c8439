"""invalid.json: what a receiver must refuse, and with which code (spec/protocol.md §8)."""

import keys
import rekeys
import wire
from handshakes import BY_NAME, OTHER, Session
from material import derived

SESSION = BY_NAME["one"]
STRANGER = BY_NAME["two"]

# The frame that a state of the handshake takes, and what the receiver has taken before (§3.2).
STATES = {
    "server": [("HELLO", []), ("HELLO_ACK", ["HELLO"])],
    "client": [("CHALLENGE", []), ("SESSION_OK", ["CHALLENGE"])],
}

WRONG_LENGTHS = {
    "HELLO": (0, 37, 39, 54),
    "CHALLENGE": (0, 63, 65),
    "HELLO_ACK": (0, 31, 33),
    "SESSION_OK": (0, 47, 49),
}

P = 2**255 - 19
LOW_ORDER = {
    "0": 0,
    "1": 1,
    "of order 8, first": int("325606250916557431795983626356110631294008115727848805560023387167927233504"),
    "of order 8, second": int("39382357235489614581723060781553021112529911719440698176882885853963445705823"),
    "p - 1": P - 1,
    "p, that is 0": P,
    "p + 1, that is 1": P + 1,
}


def build() -> dict:
    return {
        "about": "What a receiver must refuse, and with which code. The format is described in README.md.",
        "stream": stream_cases(),
        "handshake": [*handshake_cases(), *mac_cases(), *low_order_cases()],
        "session": [case for role in ("server", "client") for case in session_cases(role)],
        "rekey": rekey_cases(),
    }


# ── The header, before anything is known about the peer (§2.4) ──


def stream_cases() -> list[dict]:
    good = SESSION.seal("client", "DATA", 0, b"whole")
    payload = good[12:]

    def case(name: str, data: bytes, error: str | None, at: int | None) -> dict:
        return {"name": name, "bytes": data.hex(), "error": error, "at": at}

    def headed(kind: int = 5, length: int = len(payload), magic: int = wire.MAGIC, version: int = 2) -> bytes:
        return wire.raw_frame(wire.header(kind, 0, length, magic, version), payload)

    cases = [
        case("first byte of magic wrong", headed(magic=0xABCE), "bad_magic", 1),
        case("second byte of magic wrong", headed(magic=0xAACD), "bad_magic", 2),
        case("magic in the wrong byte order", headed(magic=0xCDAB), "bad_magic", 1),
        case("another protocol: HTTP", b"GET / HTTP/1.1\r\n\r\n", "bad_magic", 1),
        case("another protocol: TLS", bytes.fromhex("160301020001000001fc0303"), "bad_magic", 1),
        case("version 0", headed(version=0), "unsupported_version", 3),
        case("version 1", headed(version=1), "version_1", 3),
        case("version 3", headed(version=3), "unsupported_version", 3),
        case("version 255", headed(version=255), "unsupported_version", 3),
    ]
    cases += [case(f"type 0x{kind:02x}", headed(kind=kind), "bad_type", 4) for kind in (0x00, 0x0C, 0x7E, 0xFF)]
    cases += [case(f"length {length}", headed(length=length), "bad_length", 10) for length in (481, 512, 65535)]
    cases += [
        case("length 481 of a handshake frame", headed(kind=1, length=481), "bad_length", 10),
        case("magic before version", headed(magic=0xAACD, version=1), "bad_magic", 2),
        case("version before type and length", headed(version=1, kind=0x7E, length=481), "version_1", 3),
        case("type before length", headed(kind=0x7E, length=481), "bad_type", 4),
        case("length before CRC", wire.flip(headed(length=481), 10), "bad_length", 10),
        case("first byte of CRC wrong", wire.flip(good, 10), "bad_crc", len(good)),
        case("second byte of CRC wrong", wire.flip(good, 11, 0x80), "bad_crc", len(good)),
        case("CRC of an empty payload wrong", wire.flip(wire.frame("PING", 0, b""), 10), "bad_crc", 12),
        case("payload changed and CRC left", wire.flip(good, -1), "bad_crc", len(good)),
        case("sequence number changed and CRC left", wire.flip(good, 4), "bad_crc", len(good)),
        case("nothing", b"", None, None),
        case("half of magic", good[:1], None, None),
        case("header without its last byte", good[:11], None, None),
        case("header without payload", good[:12], None, None),
        case("payload without its last byte", good[:-1], None, None),
    ]
    return cases


# ── The handshake (§3) ──


def handshake_case(name: str, role: str, before: list[bytes], data: bytes, error: str) -> dict:
    given = {"session": SESSION.name, "frames": [frame.hex() for frame in before]}
    return {"name": name, "role": role, "given": given, "bytes": data.hex(), "error": error}


def any_frame(sender: str, kind: str) -> bytes:
    """A frame that would be right somewhere."""
    if kind in SESSION.frames:
        return SESSION.frames[kind]
    if kind == "HELLO_RETRY":
        return wire.frame(kind, 0, derived("cookie", 16))
    return SESSION.seal(sender, kind, 0, derived("salt", 32) if kind == "REKEY" else b"")


def handshake_cases() -> list[dict]:
    cases = []
    for role, states in STATES.items():
        for state, accepted in states:
            before = [SESSION.frames[kind] for kind in accepted]
            for kind in wire.TYPES:
                if kind != state:
                    repeated = "repeated " if kind in accepted else ""
                    frame = any_frame(OTHER[role], kind)
                    name = f"{repeated}{kind} instead of {state}"
                    cases.append(handshake_case(name, role, before, frame, "unexpected_frame"))
            payload = SESSION.payloads[state]
            for length in WRONG_LENGTHS[state]:
                cut = (payload + derived("surplus", 16))[:length]
                frame = wire.frame(state, 1 if length == 54 else 0, cut)
                cases.append(handshake_case(f"{state} of {length} bytes", role, before, frame, "bad_length"))
    return cases


def mac_cases() -> list[dict]:
    hello, challenge = [SESSION.frames["HELLO"]], [SESSION.frames["CHALLENGE"]]
    publics = (SESSION.client_public, SESSION.server_public)
    swapped = (SESSION.server_public, SESSION.client_public)
    id_, nonce, session_id, psk = SESSION.device_id, SESSION.nonce, SESSION.session_id, SESSION.psk
    other_nonce = STRANGER.nonce

    client_macs = {
        "mac_C with its first bit flipped": wire.flip(SESSION.mac_c, 0),
        "mac_C with its last bit flipped": wire.flip(SESSION.mac_c, -1, 0x80),
        "mac_C of zeros": bytes(32),
        "mac_C under another key": keys.mac_c(STRANGER.psk, nonce, id_, *publics),
        "mac_C of another device id": keys.mac_c(psk, nonce, STRANGER.device_id, *publics),
        "mac_C over another nonce": keys.mac_c(psk, other_nonce, id_, *publics),
        "mac_C over the public keys in the wrong order": keys.mac_c(psk, nonce, id_, *swapped),
        "mac_C with the label of mac_S": keys.mac_s(psk, nonce, id_, *publics),
        "mac_C of another handshake": STRANGER.mac_c,
    }
    server_macs = {
        "mac_S with its first bit flipped": wire.flip(SESSION.mac_s, 0),
        "mac_S with its last bit flipped": wire.flip(SESSION.mac_s, -1, 0x80),
        "mac_S of zeros": bytes(32),
        "mac_S under another key": keys.mac_s(STRANGER.psk, nonce, session_id, *publics),
        "mac_S of another session id": keys.mac_s(psk, nonce, STRANGER.session_id, *publics),
        "mac_S over another nonce": keys.mac_s(psk, other_nonce, session_id, *publics),
        "mac_S over the public keys in the wrong order": keys.mac_s(psk, nonce, session_id, *swapped),
        "mac_S with the label of mac_C": keys.mac_c(psk, nonce, session_id, *publics),
        "mac_C sent back as mac_S": SESSION.mac_c,
    }
    cases = [
        handshake_case(name, "server", hello, wire.frame("HELLO_ACK", 2, mac), "wrong_key")
        for name, mac in client_macs.items()
    ]
    cases += [
        handshake_case(name, "client", challenge, wire.frame("SESSION_OK", 0, session_id + mac), "rogue_server")
        for name, mac in server_macs.items()
    ]
    return [*cases, reflection()]


def reflection() -> dict:
    """A server without the key that returns everything the client sends."""
    challenge = wire.frame("CHALLENGE", 0, SESSION.nonce + SESSION.client_public)
    mac = keys.mac_c(SESSION.psk, SESSION.nonce, SESSION.device_id, SESSION.client_public, SESSION.client_public)
    answer = wire.frame("SESSION_OK", 0, SESSION.session_id + mac)
    return handshake_case("the client's public key and mac_C sent back", "client", [challenge], answer, "rogue_server")


def low_order_cases() -> list[dict]:
    """All encodings that X25519 maps to zero, with and without the top bit that it ignores (RFC 7748 §5)."""
    cases = []
    for name, u in LOW_ORDER.items():
        for top, suffix in ((0, ""), (1 << 255, ", top bit set")):
            point = (u | top).to_bytes(32, "little")
            assert_low_order(point)
            cases += low_order_pair(f"u = {name}{suffix}", point)
    return cases


def assert_low_order(point: bytes) -> None:
    try:
        keys.agree(SESSION.client_private, point)
    except ValueError:
        return
    raise AssertionError(f"{point.hex()} is not of low order")


def low_order_pair(name: str, point: bytes) -> list[dict]:
    hello = wire.frame("HELLO", 0, SESSION.device_id + point)
    mac = keys.mac_c(SESSION.psk, SESSION.nonce, SESSION.device_id, point, SESSION.server_public)
    right, wrong = wire.frame("HELLO_ACK", 2, mac), wire.frame("HELLO_ACK", 2, wire.flip(mac, 0))
    challenge = wire.frame("CHALLENGE", 0, SESSION.nonce + point)
    return [
        handshake_case(f"HELLO with {name}", "server", [hello], right, "low_order_point"),
        handshake_case(f"HELLO with {name}, and mac_C wrong", "server", [hello], wrong, "wrong_key"),
        handshake_case(f"CHALLENGE with {name}", "client", [], challenge, "low_order_point"),
    ]


# ── The session (§4 to §6) ──


def session_cases(role: str) -> list[dict]:
    peer = OTHER[role]
    cases: list[dict] = []

    def seal(kind: str, seq: int, plaintext: bytes = b"", nonce: bytes | None = None) -> bytes:
        return SESSION.seal(peer, kind, seq, plaintext, nonce)

    def refuse(name: str, data: bytes, error: str, before: list[bytes] | None = None) -> None:
        given = {"session": SESSION.name, "frames": [frame.hex() for frame in before or []]}
        cases.append({"name": name, "role": role, "given": given, "bytes": data.hex(), "error": error})

    first = seal("DATA", 0, b"first")

    def altered(offset: int, mask: int = 0x01) -> bytes:
        return wire.with_new_crc(wire.flip(first, offset, mask))

    refuse("bad CRC", wire.flip(first, 10), "bad_crc")
    refuse("payload changed and CRC left", wire.flip(first, -1), "bad_crc")
    refuse("bad CRC of the second frame", wire.flip(seal("DATA", 1, b"second"), 11), "bad_crc", [first])

    refuse("header: sequence number changed, low bit", altered(4), "bad_sequence")
    refuse("header: sequence number changed, high bit", altered(7, 0x80), "bad_sequence")
    refuse("header: DATA made PONG", altered(3, 0x02), "bad_tag")
    refuse("header: DATA made DATA_FRAG", altered(3, 0x0C), "bad_tag")
    refuse("header: DATA made REKEY", altered(3, 0x0E), "bad_tag")
    refuse("header: DATA made SESSION_OK", altered(3, 0x01), "unexpected_frame")
    refuse("a byte cut off", resized(first[:-1]), "bad_tag")
    refuse("a byte added", resized(first + b"\x00"), "bad_tag")

    refuse("nonce: sequence number changed, low bit", altered(12), "bad_nonce")
    refuse("nonce: sequence number changed, high bit", altered(15, 0x80), "bad_nonce")
    refuse("nonce: session id changed, first byte", altered(16), "bad_nonce")
    refuse("nonce: session id changed, last byte", altered(23, 0x80), "bad_nonce")
    next_nonce, strange_nonce = keys.record_nonce(1, SESSION.session_id), keys.record_nonce(0, STRANGER.session_id)
    refuse("nonce of another number, honestly sealed", seal("DATA", 0, b"x", next_nonce), "bad_nonce")
    refuse("nonce of another session, honestly sealed", seal("DATA", 0, b"x", strange_nonce), "bad_nonce")
    refuse("frame of another session", STRANGER.seal(peer, "DATA", 0, b"x"), "bad_nonce")

    refuse("first bit of the ciphertext flipped", altered(24), "bad_tag")
    refuse("last bit of the ciphertext flipped", altered(-17, 0x80), "bad_tag")
    refuse("first bit of the tag flipped", altered(-16), "bad_tag")
    refuse("last bit of the tag flipped", altered(-1, 0x80), "bad_tag")
    refuse("tag of an empty message flipped", wire.with_new_crc(wire.flip(seal("DATA", 0), -1)), "bad_tag")
    refuse("own frame sent back", SESSION.seal(role, "DATA", 0, b"mine"), "bad_tag")
    other_key = keys.seal(STRANGER.keys[peer], SESSION.session_id, "DATA", 0, b"x")
    refuse("sealed under another key", other_key, "bad_tag")

    for length in (0, 11, 12, 27):
        short = wire.frame("DATA", 0, (keys.record_nonce(0, SESSION.session_id) + bytes(15))[:length])
        refuse(f"payload of {length} bytes", short, "bad_length")
    bare = wire.frame("DATA", 0, keys.record_nonce(0, SESSION.session_id) + bytes(16))
    refuse("payload of 28 bytes with a tag of zeros", bare, "bad_tag")

    second, third = seal("DATA", 1, b"second"), seal("DATA", 2, b"third")
    refuse("first number left out", second, "bad_sequence")
    refuse("a number left out", third, "bad_sequence", [first])
    refuse("a frame repeated", first, "bad_sequence", [first])
    refuse("an older frame repeated", first, "bad_sequence", [first, second])
    refuse("two frames swapped", second, "bad_sequence", [first, second, third])
    refuse("the last number, which is never used", seal("DATA", 0xFFFFFFFF, b"x"), "sequence_spent")
    refuse("the last number, even for BYE", seal("BYE", 0xFFFFFFFF), "sequence_spent")

    for kind in wire.HANDSHAKE_TYPES:
        refuse(f"{kind} in a session", any_frame(peer, kind), "unexpected_frame")
        refuse(f"{kind} in a session, sealed", seal(kind, 0, b"x"), "unexpected_frame")

    fragment = seal("DATA_FRAG", 0, b"part")
    for kind in ("PING", "PONG", "BYE"):
        refuse(f"{kind} with a plaintext", seal(kind, 0, b"x"), "bad_length")
        refuse(f"{kind} with a plaintext between two parts", seal(kind, 1, b"x"), "bad_length", [fragment])
    for length in (0, 31, 33):
        refuse(f"REKEY of {length} bytes", seal("REKEY", 0, derived("salt", length)), "bad_length")
    for kind in ("PING", "PONG"):
        refuse(f"{kind} between two parts", seal(kind, 1), "unexpected_frame", [fragment])
    refuse("REKEY between two parts", seal("REKEY", 1, derived("salt", 32)), "unexpected_frame", [fragment])
    refuse("REKEY of 31 bytes between two parts", seal("REKEY", 1, derived("salt", 31)), "bad_length", [fragment])

    parts = [seal("DATA_FRAG", seq, derived("part", 452)) for seq in range(4)]
    refuse("a fourth part that is not the last", parts[3], "message_too_long", parts[:3])
    empty = [seal("DATA_FRAG", seq) for seq in range(4)]
    refuse("a fourth empty part that is not the last", empty[3], "message_too_long", empty[:3])
    return cases


def resized(frame: bytes) -> bytes:
    """Length and CRC made to fit."""
    payload = frame[12:]
    return wire.raw_frame(frame[:8] + len(payload).to_bytes(2, "little"), payload)


# ── REKEY (§7) ──


def rekey_cases() -> list[dict]:
    return [case for initiator in ("client", "server") for case in rekey_cases_of(initiator)]


def rekey_cases_of(initiator: str) -> list[dict]:
    """Cases on top of the scripts of rekey.json, each after the first entries of one side's view."""
    responder = OTHER[initiator]
    by_name = {script.name: script for script in rekeys.scripts()}
    plain = by_name[f"REKEY from the {initiator}, session one"]
    first = by_name[f"REKEY from the {initiator} as the first frame of the session"]
    crossing = by_name["crossing REKEYs, session one"]

    def case(name: str, script: rekeys.Script, role: str, after: str, data: bytes, error: str) -> dict:
        given = {"script": script.name, "steps": steps_until(script, role, after)}
        return {"name": name, "role": role, "given": given, "bytes": data.hex(), "error": error}

    def sealed(script: rekeys.Script, pair: int, sender: str, seq: int, kind: str = "DATA") -> bytes:
        return keys.seal(script.pairs[pair][sender], script.session.session_id, kind, seq, b"")

    def rekey_frame(script: rekeys.Script, sender: str) -> bytes:
        frames = (frame for frame in script.frames if frame["from"] == sender and frame["type"] == "REKEY")
        return bytes.fromhex(next(frames)["frame"])

    old_first, old_next = sealed(plain, 0, initiator, 0), sealed(plain, 0, initiator, 2)
    repeated, repeated_first = rekey_frame(plain, initiator), rekey_frame(first, initiator)
    reflected_old, reflected_new = sealed(plain, 0, initiator, 1), sealed(plain, 1, initiator, 0)
    late_old, late_new = sealed(first, 0, responder, 0), sealed(plain, 0, responder, 1)
    crossed_first, crossed_next = sealed(crossing, 0, responder, 0), sealed(crossing, 0, responder, 2)
    own_salt = sealed(crossing, pair_of(crossing, initiator), responder, 0)

    def after_reading(name: str, script: rekeys.Script, data: bytes, error: str) -> dict:
        return case(f"after REKEY: {name}", script, responder, "REKEY", data, error)

    def after_sending(name: str, script: rekeys.Script, data: bytes, error: str) -> dict:
        return case(f"after one's own REKEY: {name}", script, initiator, "PING", data, error)

    def after_completion(name: str, script: rekeys.Script, data: bytes, error: str) -> dict:
        return case(f"after the first new frame: {name}", script, initiator, "PONG", data, error)

    def after_crossing(name: str, data: bytes, error: str) -> dict:
        return case(f"after a crossing REKEY: {name}", crossing, initiator, "crossing", data, error)

    return [
        after_reading("old key, next old number", plain, old_next, "bad_sequence"),
        after_reading("old key, number 0", plain, old_first, "bad_tag"),
        after_reading("the same REKEY again", plain, repeated, "bad_sequence"),
        after_reading("the same REKEY again, number 0", first, repeated_first, "bad_tag"),
        after_reading("new key, number 1", plain, sealed(plain, 1, initiator, 1), "bad_sequence"),
        after_reading("own new key sent back", plain, sealed(plain, 1, responder, 0), "bad_tag"),
        after_sending("own new key sent back", plain, reflected_new, "bad_tag"),
        after_sending("own old key sent back", plain, reflected_old, "bad_tag"),
        after_sending("a number of neither key", plain, sealed(plain, 0, responder, 2), "bad_sequence"),
        after_sending("new key, number 1", first, sealed(first, 1, responder, 1), "bad_sequence"),
        after_completion("old key, next old number", first, late_old, "bad_sequence"),
        after_completion("old key, next new number", plain, late_new, "bad_tag"),
        after_crossing("old key, next old number", crossed_next, "bad_sequence"),
        after_crossing("old key, number 0", crossed_first, "bad_tag"),
        after_crossing("the receive key of one's own salt", own_salt, "bad_tag"),
    ]


def pair_of(script: rekeys.Script, initiator: str) -> int:
    return next(number for number, rekey in enumerate(script.rekeys, 1) if rekey["from"] == initiator)


def steps_until(script: rekeys.Script, role: str, after: str) -> int:
    """How many entries of a view to walk: to the first frame of a type, or to the REKEY that crosses one's own."""
    view = script.side(role).view
    for place, number in enumerate(view):
        frame = script.frames[number]
        if after == "crossing" and frame["type"] == "REKEY" and frame["from"] != role:
            return place + 1
        if frame["type"] == after:
            return place + 1
    raise AssertionError(f"{script.name}: {role} never meets {after}")
