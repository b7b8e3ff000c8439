"""
One session of the PyPI client over UDP. `python pypi.py PORT echo|sink WINDOW SIZE`

One message is under way at a time, which is all that this client does: WINDOW is 1. Prints a line when the session is
open, and answers a line on standard input with the echoes so far.
"""

import asyncio
import os
import sys

from usmp import USMPClient

port, work, window, size = sys.argv[1:]
assert window == "1"
filling = b"\x5a" * (int(size) - 4)
done = 0


def on_input():
    if not os.read(0, 100):
        os._exit(0)
    print(done, flush=True)


async def main():
    global done
    asyncio.get_running_loop().add_reader(sys.stdin, on_input)
    client = USMPClient("127.0.0.1", int(port), b"correct-horse-battery", protocol="udp")
    await client.connect()
    print("open", flush=True)
    sent = 0
    while True:
        message = sent.to_bytes(4, "little") + filling
        await client.send(message)
        sent += 1
        if work == "echo":
            if await client.recv() != message:
                sys.exit("a wrong echo")
            done += 1


asyncio.run(main())
