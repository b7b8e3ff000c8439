"""What a peer does in a session, whichever side opened it: check what arrives, perhaps echo it, and send on command."""

import asyncio
import hashlib
import socket
from itertools import count as count_from

from control import tell

TABLE = bytes(range(256)) * 10


def pattern(number, size):
    """The content of message `number`: no other number or size gives the same, as far as the size allows."""
    start = (number * 7 + size * 13) & 0xFF
    return (number.to_bytes(4, "little") + TABLE[start : start + size])[:size]


class Conversation:
    def __init__(self, session, echo, ordered):
        self.session = session
        self.echo = echo
        self.ordered = ordered
        self.numbers = set()
        self.received = 0
        self.over = False
        self.changed = asyncio.Condition()
        self.reading = asyncio.Event()
        self.reading.set()

    async def run(self):
        """Receives until the session ends. Messages must come whole and once, and in order where that is promised."""
        try:
            for expected in count_from():
                await self.reading.wait()
                data = await self.session.recv()
                number = expected if self.ordered else int.from_bytes(data[:4], "little")
                if data != pattern(number, len(data)):
                    raise AssertionError(f"not message {number}: {data[:16].hex()}… of {len(data)} bytes")
                if number in self.numbers:
                    raise AssertionError(f"message {number} came twice")
                self.numbers.add(number)
                if self.echo:
                    await self.session.send(data)
                self.received += 1
                await self.wake()
        except Exception as error:
            tell(event="closed", error=type(error).__name__, message=str(error))
        finally:
            # As an application would: 1.0.0 leaves the connection of a client open.
            self.session._writer.close()
            self.over = True
            await self.wake()

    async def wake(self):
        async with self.changed:
            self.changed.notify_all()
        # Where bytes wait already, receiving alone would not let a sending task have its turn.
        await asyncio.sleep(0)

    async def wait_received(self, count):
        """Until `count` messages have arrived, or no more will."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.received >= count or self.over)
        return self.state()

    async def send(self, count, sizes, first=0, window=None):
        """Sends `count` messages of the sizes in turn; with a window, as many ahead of what has arrived."""
        for number in range(first, first + count):
            if window is not None:
                await self.wait_received(number - window + 1)
            await self.session.send(pattern(number, sizes[number % len(sizes)]))
            # Nor would sending, as long as the line takes all.
            await asyncio.sleep(0)

    async def ping(self):
        await self.session.ping()

    async def bye(self):
        await self.session.bye()

    async def rekey(self):
        await self.session.rekey()

    async def pause(self):
        """The application stops to read, after what it waits for already."""
        self.reading.clear()

    async def resume(self):
        self.reading.set()

    async def limit_send_buffer(self, bytes):
        """The kernel's; so that a peer which does not read is soon felt."""
        line = self.session._writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, bytes)

    async def get_state(self):
        return self.state()

    def state(self):
        info = self.session._info
        return {
            "received": self.received,
            "highest": max(self.numbers, default=-1),
            "txSeq": info.tx_seq,
            "rxSeq": info.rx_seq,
            "keys": hashlib.sha256(info.tx_key + info.rx_key).hexdigest(),
        }

    def commands(self):
        return {
            "send": self.send,
            "waitReceived": self.wait_received,
            "ping": self.ping,
            "bye": self.bye,
            "rekey": self.rekey,
            "pause": self.pause,
            "resume": self.resume,
            "limitSendBuffer": self.limit_send_buffer,
            "state": self.get_state,
        }
