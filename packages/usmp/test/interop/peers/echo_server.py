"""The released server under remote control. `python echo_server.py HOST PSK [--no-echo] [--udp] [--unordered]`

Commands reach the newest session.
"""

import asyncio
import sys

from control import obey, tell
from conversation import Conversation
from usmp import USMPServer

MANY = 100_000


async def main(host, psk, echo, udp, ordered):
    server = USMPServer(
        host=host,
        port=0,
        psk=psk.encode(),
        max_connections=MANY,
        max_connections_per_ip=MANY,
        **({"protocol": "udp"} if udp else {}),
    )
    commands = {}

    @server.on_session
    async def converse(session):
        conversation = Conversation(session, echo, ordered)
        commands.update(conversation.commands())
        tell(event="session", deviceId=session.device_id, sessionId=session.session_id)
        await conversation.run()

    tell_port()
    obey(commands)
    await server.serve()


def tell_port():
    """The server keeps the port that it got to itself."""
    loop = asyncio.get_running_loop()
    start_server = asyncio.start_server
    create_endpoint = loop.create_datagram_endpoint

    async def start_and_tell(*args, **options):
        listener = await start_server(*args, **options)
        tell(event="listening", port=listener.sockets[0].getsockname()[1])
        return listener

    async def create_and_tell(*args, **options):
        transport, protocol = await create_endpoint(*args, **options)
        tell(event="listening", port=transport.get_extra_info("sockname")[1])
        return transport, protocol

    asyncio.start_server = start_and_tell
    loop.create_datagram_endpoint = create_and_tell


flags = set(sys.argv[3:])
asyncio.run(
    main(
        sys.argv[1],
        sys.argv[2],
        echo="--no-echo" not in flags,
        udp="--udp" in flags,
        ordered="--unordered" not in flags,
    )
)
