"""Where the "random" bytes come from: SHA-256 of labels, so that every run makes the same vectors."""

import hashlib

SEED = "usmp vectors"


def derived(label: str, length: int) -> bytes:
    """Bytes that belong to a label."""
    out = b""
    while len(out) < length:
        block = f"{SEED}/{label}/{len(out) // 32}"
        out += hashlib.sha256(block.encode()).digest()
    return out[:length]
