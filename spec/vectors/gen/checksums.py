"""crc.json: check values of the frame checksum (spec/protocol.md §2.2)."""

from material import derived
from wire import crc16


def build() -> dict:
    inputs = [b"123456789", b"", b"\x00", b"\x01", b"\x80", b"\xff", b"\x00\x00", b"\xff\xff", bytes(range(256))]
    inputs += [bytes(490), b"\xff" * 490, derived("crc/long", 490), derived("crc/longer", 1000)]
    return {
        "about": "CRC-16/MODBUS: reflected polynomial 0xA001, initial value 0xFFFF, no final xor.",
        "checks": [{"bytes": data.hex(), "crc": crc16(data)} for data in inputs],
    }
