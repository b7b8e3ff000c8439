#!/usr/bin/env python3
"""Makes the test vectors of USMP version 2, or checks that the committed ones are what it would make.

It is the second opinion on the specification: written from spec/protocol.md alone, sharing no code with the
implementations, and as simple as it can be.
"""

import argparse
import json
import sys
from pathlib import Path

import checksums
import cobs
import invalid
import rekeys
import sessions
import utack

VECTORS = Path(__file__).resolve().parent.parent

FILES = {
    "crc.json": checksums.build,
    "sessions.json": sessions.build,
    "rekey.json": rekeys.build,
    "invalid.json": invalid.build,
    "utack.json": utack.build,
    "cobs.json": cobs.build,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=VECTORS, help="folder of the JSON files")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file differs")
    options = parser.parse_args()

    stale = []
    for name, build in FILES.items():
        text = json.dumps(build(), indent=1) + "\n"
        path = options.out / name
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        print(f"{name} differs: run python3 spec/vectors/gen/generate.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
