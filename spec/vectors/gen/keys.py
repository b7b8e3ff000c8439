"""Key agreement, key schedule, MACs and records (spec/protocol.md §3.3, §3.4, §4.1, §7.1)."""

import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import wire

MAC_PREFIX_CLIENT = bytes.fromhex("cdab0203")
MAC_PREFIX_SERVER = bytes.fromhex("cdab0204")


def public_key(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def agree(private: bytes, public: bytes) -> bytes:
    """Raises ValueError when the result is all zero."""
    peer = X25519PublicKey.from_public_bytes(public)
    return X25519PrivateKey.from_private_bytes(private).exchange(peer)


def hkdf(secret: bytes, salt: bytes, info: bytes) -> tuple[bytes, bytes]:
    """64 bytes as two keys."""
    both = HKDF(algorithm=SHA256(), length=64, salt=salt, info=info).derive(secret)
    return both[:32], both[32:]


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def session_info(client_public: bytes, server_public: bytes) -> bytes:
    return b"usmp-v2" + client_public + server_public


def mac_c(psk: bytes, nonce: bytes, device_id: bytes, client_public: bytes, server_public: bytes) -> bytes:
    return hmac_sha256(psk, MAC_PREFIX_CLIENT + nonce + device_id + client_public + server_public)


def mac_s(psk: bytes, nonce: bytes, session_id: bytes, client_public: bytes, server_public: bytes) -> bytes:
    return hmac_sha256(psk, MAC_PREFIX_SERVER + nonce + session_id + client_public + server_public)


def rekey(initiator_tx: bytes, initiator_rx: bytes, salt: bytes, session_id: bytes) -> tuple[bytes, bytes]:
    """The initiator's new sending and receiving key."""
    return hkdf(initiator_tx + initiator_rx, salt, b"usmp-rekey" + session_id)


def record_nonce(seq: int, session_id: bytes) -> bytes:
    return struct.pack("<I", seq) + session_id[:8]


def seal(key: bytes, session_id: bytes, kind: str, seq: int, plaintext: bytes, nonce: bytes | None = None) -> bytes:
    """A whole encrypted frame; another nonce than the right one only for frames that must be refused."""
    nonce = record_nonce(seq, session_id) if nonce is None else nonce
    checked = wire.header(wire.TYPES[kind], seq, len(nonce) + len(plaintext) + 16)
    return wire.raw_frame(checked, nonce + AESGCM(key).encrypt(nonce, plaintext, checked))


def unseal(key: bytes, session_id: bytes, frame: bytes) -> bytes:
    """Raises cryptography.exceptions.InvalidTag when the frame is not of this key and session."""
    seq = int.from_bytes(frame[4:8], "little")
    return AESGCM(key).decrypt(record_nonce(seq, session_id), frame[24:], frame[:10])
