"""Echo on the PyPI peer, its limits raised out of the way. `python pypi.py PORT [tcp|udp [sink]]`"""

import asyncio
import os
import resource
import sys

from usmp import ConnectionClosedError, USMPServer

MANY = 100_000

port, transport, work = sys.argv[1:] + ["tcp", "echo"][len(sys.argv) - 2 :]
received = 0

server = USMPServer(
    host="127.0.0.1",
    port=int(port),
    psk=b"correct-horse-battery",
    protocol=transport,
    max_connections=MANY,
    max_connections_per_ip=MANY,
)


@server.on_session
async def serve(session):
    global received
    try:
        while True:
            message = await session.recv()
            received += 1
            if work == "echo":
                await session.send(message)
    except ConnectionClosedError:
        pass


def on_input():
    # Whoever started this holds the other end of standard input: when that closes, so does the server. Anything else
    # asks how many messages have come.
    if not os.read(0, 100):
        os._exit(0)
    print(received, flush=True)


async def main():
    asyncio.get_running_loop().add_reader(sys.stdin, on_input)
    await server.serve()


# Node raises its own limit of open files at the start; Python does not.
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
asyncio.run(main())
