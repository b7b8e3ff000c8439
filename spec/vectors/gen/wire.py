"""Frames (spec/protocol.md §2), written to be checked by eye and not to be fast."""

import struct

MAGIC = 0xABCD
VERSION = 2

TYPES = {
    "HELLO": 0x01,
    "CHALLENGE": 0x02,
    "HELLO_ACK": 0x03,
    "SESSION_OK": 0x04,
    "DATA": 0x05,
    "PING": 0x06,
    "PONG": 0x07,
    "BYE": 0x08,
    "DATA_FRAG": 0x09,
    "HELLO_RETRY": 0x0A,
    "REKEY": 0x0B,
}
HANDSHAKE_TYPES = ("HELLO", "CHALLENGE", "HELLO_ACK", "SESSION_OK", "HELLO_RETRY")

MAX_PLAINTEXT = 452


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS, bit by bit (§2.2)."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def header(kind: int, seq: int, length: int, magic: int = MAGIC, version: int = VERSION) -> bytes:
    """Bytes 0..9: what the CRC and AES-GCM cover (§2.1)."""
    return struct.pack("<HBBIH", magic, version, kind, seq, length)


def raw_frame(checked: bytes, payload: bytes) -> bytes:
    """A frame around any ten header bytes, with the CRC that belongs to them."""
    return checked + struct.pack("<H", crc16(checked + payload)) + payload


def frame(kind: str, seq: int, payload: bytes) -> bytes:
    return raw_frame(header(TYPES[kind], seq, len(payload)), payload)


def with_new_crc(changed: bytes) -> bytes:
    """The same frame with a CRC that fits, so that a later check has to notice the change."""
    return raw_frame(changed[:10], changed[12:])


def flip(data: bytes, offset: int, mask: int = 0x01) -> bytes:
    """One byte changed; a negative offset counts from the end."""
    changed = bytearray(data)
    changed[offset] ^= mask
    return bytes(changed)
