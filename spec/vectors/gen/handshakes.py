"""The sessions that all vectors stand on: fixed inputs, and what the handshake makes of them (spec/protocol.md §3)."""

from dataclasses import dataclass
from functools import cached_property

import keys
import wire
from material import derived


@dataclass(frozen=True)
class Session:
    name: str
    note: str
    psk: bytes
    device_id: bytes
    client_private: bytes
    server_private: bytes
    nonce: bytes
    session_id: bytes

    @cached_property
    def client_public(self) -> bytes:
        return keys.public_key(self.client_private)

    @cached_property
    def server_public(self) -> bytes:
        return keys.public_key(self.server_private)

    @cached_property
    def shared_secret(self) -> bytes:
        ours = keys.agree(self.client_private, self.server_public)
        assert ours == keys.agree(self.server_private, self.client_public)
        return ours

    @cached_property
    def hkdf_info(self) -> bytes:
        return keys.session_info(self.client_public, self.server_public)

    @cached_property
    def keys(self) -> dict[str, bytes]:
        """The key that each side sends with."""
        c2s, s2c = keys.hkdf(self.shared_secret, self.nonce, self.hkdf_info)
        return {"client": c2s, "server": s2c}

    @cached_property
    def mac_c(self) -> bytes:
        return keys.mac_c(self.psk, self.nonce, self.device_id, self.client_public, self.server_public)

    @cached_property
    def mac_s(self) -> bytes:
        return keys.mac_s(self.psk, self.nonce, self.session_id, self.client_public, self.server_public)

    @cached_property
    def payloads(self) -> dict[str, bytes]:
        return {
            "HELLO": self.device_id + self.client_public,
            "CHALLENGE": self.nonce + self.server_public,
            "HELLO_ACK": self.mac_c,
            "SESSION_OK": self.session_id + self.mac_s,
        }

    @cached_property
    def frames(self) -> dict[str, bytes]:
        seqs = {"HELLO": 0, "CHALLENGE": 0, "HELLO_ACK": 2, "SESSION_OK": 0}
        return {kind: wire.frame(kind, seq, self.payloads[kind]) for kind, seq in seqs.items()}

    def seal(self, sender: str, kind: str, seq: int, plaintext: bytes = b"", nonce: bytes | None = None) -> bytes:
        return keys.seal(self.keys[sender], self.session_id, kind, seq, plaintext, nonce)


def _derived_session(name: str, note: str, psk: bytes, device_id: bytes) -> Session:
    return Session(
        name=name,
        note=note,
        psk=psk,
        device_id=device_id,
        client_private=derived(f"{name}/client_private", 32),
        server_private=derived(f"{name}/server_private", 32),
        nonce=derived(f"{name}/nonce", 32),
        session_id=derived(f"{name}/session_id", 16),
    )


SESSIONS = [
    Session(
        name="one",
        note="a key of text",
        psk=bytes.fromhex("796f75722d70736b2d686572652d31362b"),
        device_id=bytes.fromhex("aabbccddeeff"),
        client_private=bytes.fromhex("7fbe99e4d14cc324c0aa56ba17065df11ea9c79223d03f219e5b3ddd14153650"),
        server_private=bytes.fromhex("aa0c01ed10f056c8fbc96dfa534223ebecd79dffdfb0e8533e675517121414ad"),
        nonce=bytes.fromhex("92f4cfc78acfbe530dd4f7a90a2215374f84684de9719942b2b5eefaed4f7340"),
        session_id=bytes.fromhex("f6030d6dcdd1bfe1e53cc12ac56688aa"),
    ),
    Session(
        name="two",
        note="a key of 32 bytes",
        psk=bytes(range(32)),
        device_id=bytes.fromhex("020000000001"),
        client_private=bytes.fromhex("160b41ce062b4967943117ba985106a92c8cd97b6344025e811039d339347491"),
        server_private=bytes.fromhex("b037fdc2fa4f12d1a24b8ee92c3931eb3643e6bcab83661bd464be1cc4ecd5c6"),
        nonce=bytes.fromhex("ec02aa68a4c6fc63776b9dc4c60818f535ee98c728c752cc80cec377ed9e7b47"),
        session_id=bytes.fromhex("c7091d61530c0fa0d2e76a0ef376e746"),
    ),
    Session(
        name="three",
        note="a key of 64 bytes, one block of SHA-256",
        psk=b"\xff" * 64,
        device_id=bytes(6),
        client_private=bytes.fromhex("88c70fa9baa34b47ac4efe29a67ca2f69ce45dafd7e1d8e7cc85292cc00ba80c"),
        server_private=bytes.fromhex("55ba2df0f31b27c67a55465ea9d9e671e1e90db93796730ed90113ee442b34f5"),
        nonce=bytes.fromhex("68218ee1af1472cf420d484fb5c8585c7c29e39a7b6d90136d230a0ad86f8ff3"),
        session_id=bytes.fromhex("550e1b819d15d2bbd1983bbc04759f15"),
    ),
    _derived_session("four", "the shortest key, 16 bytes", derived("four/psk", 16), b"\xff" * 6),
    _derived_session("five", "a key longer than a block", derived("five/psk", 65), derived("five/device_id", 6)),
]

BY_NAME = {session.name: session for session in SESSIONS}

OTHER = {"client": "server", "server": "client"}
