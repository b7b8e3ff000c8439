"""The released server under remote control. `python echo_server.py HOST PSK [--no-echo]`

Commands reach the newest session.
"""

import asyncio
import sys

from control import obey, tell
from conversation import Conversation
from usmp import USMPServer

MANY = 100_000


async def main(host, psk, echo):
    server = USMPServer(
        host=host,
        port=0,
        psk=psk.encode(),
        max_connections=MANY,
        max_connections_per_ip=MANY,
    )
    commands = {}

    @server.on_session
    async def converse(session):
        conversation = Conversation(session, echo)
        commands.update(conversation.commands())
        tell(event="session", deviceId=session.device_id, sessionId=session.session_id)
        await conversation.run()

    tell_port()
    obey(commands)
    await server.serve()


def tell_port():
    """The server keeps the port that it got to itself."""
    start_server = asyncio.start_server

    async def start_and_tell(*args, **options):
        listener = await start_server(*args, **options)
        tell(event="listening", port=listener.sockets[0].getsockname()[1])
        return listener

    asyncio.start_server = start_and_tell


asyncio.run(main(sys.argv[1], sys.argv[2], "--no-echo" not in sys.argv))
