"""The released client under remote control. `python client.py`

`connect` opens a session, of which the other commands make use.
"""

import asyncio

from control import obey, tell
from conversation import Conversation
from usmp import USMPClient


async def main():
    commands = {}
    running = set()

    async def connect(host, port, psk, deviceId, echo=False, protocol="tcp", ordered=True, timeout=10):
        device = bytes.fromhex(deviceId.replace(":", ""))
        client = USMPClient(host, port, psk.encode(), device, **{"protocol": protocol} if protocol != "tcp" else {})
        await client.connect(**{"timeout": timeout} if protocol != "tcp" else {})
        conversation = Conversation(client._session, echo, ordered)
        commands.update(conversation.commands())
        running.add(asyncio.create_task(conversation.run()))
        return {"sessionId": client.session_id}

    commands["connect"] = connect
    obey(commands)
    tell(event="ready")
    await asyncio.Event().wait()


asyncio.run(main())
