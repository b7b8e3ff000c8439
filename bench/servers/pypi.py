"""Echo on the PyPI peer, its limits raised out of the way. `python pypi.py PORT`"""

import asyncio
import os
import resource
import sys

from usmp import ConnectionClosedError, USMPServer

MANY = 100_000

server = USMPServer(
    host="127.0.0.1",
    port=int(sys.argv[1]),
    psk=b"correct-horse-battery",
    max_connections=MANY,
    max_connections_per_ip=MANY,
)


@server.on_session
async def echo(session):
    try:
        while True:
            await session.send(await session.recv())
    except ConnectionClosedError:
        pass


async def main():
    # Whoever started this holds the other end of standard input: when that closes, so does the server.
    asyncio.get_running_loop().add_reader(sys.stdin, os._exit, 0)
    await server.serve()


# Node raises its own limit of open files at the start; Python does not.
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
asyncio.run(main())
