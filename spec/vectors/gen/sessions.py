"""sessions.json: whole conversations, from HELLO to BYE."""

import wire
from handshakes import SESSIONS, Session
from material import derived

# Who sends a message of how many bytes, in order.
MESSAGES = {
    "one": [("client", 5), ("server", 0), ("client", 452), ("client", 453), ("server", 1808), ("server", 1)],
    "two": [("client", 64), ("server", 64), ("client", 451), ("server", 452), ("client", 904), ("server", 905)],
    "three": [("server", 451), ("client", 1356), ("server", 1357), ("client", 1807), ("server", 453)],
    "four": [("client", 0), ("server", 5), ("client", 1), ("client", 1357), ("server", 1356), ("client", 1808)],
    "five": [("client", 905), ("server", 904), ("server", 1807)],
}

CONTROL = {
    "one": [("client", "PING"), ("server", "PONG"), ("server", "PING"), ("client", "PONG"), ("client", "BYE")],
    "two": [("server", "PING"), ("client", "PONG"), ("server", "BYE")],
    "three": [("client", "PING"), ("server", "PONG"), ("client", "PING"), ("server", "PONG")],
    "four": [("client", "PING"), ("server", "PONG")],
    "five": [("server", "PING"), ("client", "PONG")],
}

# Which side plays the peer whose fragments are cut in an unusual way.
UNUSUAL_SENDER = {"four": "server", "five": "client"}


def build() -> dict:
    return {
        "about": "Whole conversations. The format is described in README.md.",
        "sessions": [_describe(session) for session in SESSIONS],
    }


class _Talk:
    """A session after its handshake, with the next sequence number of each side."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.seq = {"client": 0, "server": 0}

    def seal(self, sender: str, kind: str, plaintext: bytes = b"") -> str:
        frame = self.session.seal(sender, kind, self.seq[sender], plaintext)
        self.seq[sender] += 1
        return frame.hex()

    def parts(self, sender: str, parts: list[bytes]) -> list[str]:
        *fragments, last = parts
        return [self.seal(sender, "DATA_FRAG", part) for part in fragments] + [self.seal(sender, "DATA", last)]

    def message(self, sender: str, plaintext: bytes) -> dict:
        starts = range(0, max(len(plaintext), 1), wire.MAX_PLAINTEXT)
        parts = [plaintext[start : start + wire.MAX_PLAINTEXT] for start in starts]
        return {"from": sender, "plaintext": plaintext.hex(), "frames": self.parts(sender, parts)}

    def control(self, sender: str, kind: str) -> dict:
        return {"from": sender, "type": kind, "seq": self.seq[sender], "frame": self.seal(sender, kind)}


def _describe(session: Session) -> dict:
    talk = _Talk(session)
    vector = {
        "name": session.name,
        "note": session.note,
        "psk": session.psk.hex(),
        "device_id": session.device_id.hex(),
        "client_private": session.client_private.hex(),
        "server_private": session.server_private.hex(),
        "client_public": session.client_public.hex(),
        "server_public": session.server_public.hex(),
        "nonce": session.nonce.hex(),
        "session_id": session.session_id.hex(),
        "shared_secret": session.shared_secret.hex(),
        "hkdf_info": session.hkdf_info.hex(),
        "k_c2s": session.keys["client"].hex(),
        "k_s2c": session.keys["server"].hex(),
        "mac_c": session.mac_c.hex(),
        "mac_s": session.mac_s.hex(),
        **{kind.lower(): frame.hex() for kind, frame in session.frames.items()},
        "unchecked": _unchecked(session),
        "messages": [
            talk.message(sender, derived(f"{session.name}/message/{place}", size))
            for place, (sender, size) in enumerate(MESSAGES[session.name])
        ],
        "control": [talk.control(sender, kind) for sender, kind in CONTROL[session.name]],
    }
    if session.name in UNUSUAL_SENDER:
        vector["receive_only"] = _unusual(talk, UNUSUAL_SENDER[session.name])
    return vector


def _unchecked(session: Session) -> dict:
    """The handshake with sequence numbers and CRCs that nobody looks at (§3.1)."""
    odd = {}
    for kind, payload in session.payloads.items():
        checked = wire.header(wire.TYPES[kind], 0x01020304, len(payload))
        odd[kind.lower()] = wire.flip(wire.raw_frame(checked, payload), 10, 0xFF).hex()
    return odd


def _unusual(talk: _Talk, sender: str) -> list[dict]:
    """Parts of any size make a message (§5), and BYE ends even a message that is not finished (§6.3)."""
    uneven = [b"", b"\x01", derived("uneven", 100), b""]
    message = {"from": sender, "plaintext": b"".join(uneven).hex(), "frames": talk.parts(sender, uneven)}
    cut_short = [talk.seal(sender, "DATA_FRAG", b"lost"), talk.seal(sender, "BYE")]
    return [message, {"from": sender, "plaintext": None, "frames": cut_short}]
