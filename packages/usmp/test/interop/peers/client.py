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

    async def connect(host, port, psk, deviceId, echo=False):
        client = USMPClient(host, port, psk.encode(), bytes.fromhex(deviceId.replace(":", "")))
        await client.connect()
        conversation = Conversation(client._session, echo)
        commands.update(conversation.commands())
        running.add(asyncio.create_task(conversation.run()))
        return {"sessionId": client.session_id}

    commands["connect"] = connect
    obey(commands)
    tell(event="ready")
    await asyncio.Event().wait()


asyncio.run(main())
