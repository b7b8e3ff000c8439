"""rekey.json: what two sides send and read when keys change under traffic (spec/protocol.md §7).

Two sides and the line between them are played here; each frame that is read is also opened, so that a script which
breaks the rules cannot be written.
"""

from collections import deque

from cryptography.exceptions import InvalidTag

import keys
from handshakes import BY_NAME, OTHER, Session
from material import derived

# The salts of the first three scripts.
FIXED_SALTS = {
    "one": bytes.fromhex("13e947b4595ebc3fcea4da0ba5c8bfdffbf962e9cbc2ed3be11c0cd2e3fb2b44"),
    "two": bytes.fromhex("51731c5e96469e05425d85607022a32efc9229c7387eeadebe76df90a6f798f9"),
    "three": bytes.fromhex("02f9dd88373fa9ebc066a586551d19e08dc3d972331b5d675f31961db13c6a7a"),
}


class Script:
    """One conversation after the handshake: the frames in the order of sending, and each side's view of them."""

    def __init__(self, name: str, session: Session, first_salt: bytes | None = None) -> None:
        self.name = name
        self.session = session
        self.first_salt = first_salt
        self.frames: list[dict] = []
        # Pair 0 is that of the handshake; each REKEY adds one.
        self.pairs = [session.keys]
        self.rekeys: list[dict] = []
        self.client = Side(self, "client")
        self.server = Side(self, "server")

    def side(self, name: str) -> "Side":
        return self.client if name == "client" else self.server

    def describe(self) -> dict:
        sides = [side for side in (self.client, self.server) if not side.released]
        return {
            "name": self.name,
            "session": self.session.name,
            "rekeys": self.rekeys,
            "frames": self.frames,
            "views": {side.name: side.view for side in sides},
            "received": {side.name: [message.hex() for message in side.received] for side in sides},
            "completed": {side.name: side.completed for side in sides},
        }


class Side:
    """One end. `tx` and `rx` are numbers of key pairs, of which a side uses one half each."""

    def __init__(self, script: Script, name: str) -> None:
        self.script = script
        self.name = name
        # A side that does what only released peers do has no view for others to follow.
        self.released = False
        self.tx = 0
        self.rx = 0
        self.tx_seq = 0
        self.rx_seq = 0
        # While a REKEY of its own waits for the first frame under the new key: the old (tx, rx, rx_seq).
        self.before: tuple[int, int, int] | None = None
        self.complete = True
        self.line: deque[int] = deque()
        self.view: list[int] = []
        self.received: list[bytes] = []
        self.completed: list[int] = []
        self.partial: list[bytes] = []
        self.mid_message = False
        self.pongs_owed = 0

    @property
    def peer(self) -> "Side":
        return self.script.side(OTHER[self.name])

    def send(self, kind: str, plaintext: bytes = b"") -> None:
        session = self.script.session
        frame = keys.seal(self.script.pairs[self.tx][self.name], session.session_id, kind, self.tx_seq, plaintext)
        number = len(self.script.frames)
        self.script.frames.append(
            {
                "from": self.name,
                "type": kind,
                "seq": self.tx_seq,
                "keys": self.tx,
                "plaintext": plaintext.hex(),
                "frame": frame.hex(),
            }
        )
        self.tx_seq += 1
        self.view.append(number)
        self.peer.line.append(number)

    def data(self, text: str) -> None:
        self.send("DATA", text.encode())
        self.mid_message = False
        self.pay_pongs()

    def fragment(self, text: str) -> None:
        self.send("DATA_FRAG", text.encode())
        self.mid_message = True

    def message(self, size: int) -> None:
        """A message of our own kind: full parts, then the rest, with nothing in between."""
        plaintext = derived(f"{self.script.name}/message/{len(self.script.frames)}", size)
        while len(plaintext) > 452:
            self.send("DATA_FRAG", plaintext[:452])
            plaintext = plaintext[452:]
        self.send("DATA", plaintext)

    def rekey(self, ping: bool = True) -> None:
        """REKEY, the switch, and the PING that released peers do not send (§7.4)."""
        assert self.complete
        script = self.script
        salt = derived(f"{script.name}/salt/{len(script.rekeys)}", 32)
        if not script.rekeys and script.first_salt is not None:
            salt = script.first_salt
        self.send("REKEY", salt)
        old_tx, old_rx = script.pairs[self.tx][self.name], script.pairs[self.rx][OTHER[self.name]]
        new_tx, new_rx = keys.rekey(old_tx, old_rx, salt, script.session.session_id)
        old_pair = {self.name: old_tx, OTHER[self.name]: old_rx}
        new_pair = {self.name: new_tx, OTHER[self.name]: new_rx}
        script.pairs.append(new_pair)
        script.rekeys.append(
            {
                "from": self.name,
                "salt": salt.hex(),
                "old_k_c2s": old_pair["client"].hex(),
                "old_k_s2c": old_pair["server"].hex(),
                "k_c2s": new_pair["client"].hex(),
                "k_s2c": new_pair["server"].hex(),
            }
        )
        self.before = (self.tx, self.rx, self.rx_seq)
        self.tx = self.rx = len(script.pairs) - 1
        self.tx_seq = self.rx_seq = 0
        self.complete = False
        if ping:
            self.send("PING")
        else:
            self.released = True

    def read(self, count: int | None = None) -> None:
        """Takes the next frames from the line, all of them unless told how many."""
        for _ in range(len(self.line) if count is None else count):
            self.take(self.line.popleft())

    def take(self, number: int) -> None:
        frame = self.script.frames[number]
        self.view.append(number)
        plaintext = self.open(number, bytes.fromhex(frame["frame"]))
        if frame["type"] == "PING":
            self.pongs_owed += 1
        elif frame["type"] == "REKEY":
            self.on_rekey(next(i for i, rekey in enumerate(self.script.rekeys, 1) if rekey["salt"] == plaintext.hex()))
        elif frame["type"] == "DATA_FRAG":
            self.partial.append(plaintext)
        elif frame["type"] == "DATA":
            self.received.append(b"".join([*self.partial, plaintext]))
            self.partial = []
        self.pay_pongs()

    def open(self, number: int, frame: bytes) -> bytes:
        script = self.script
        seq = int.from_bytes(frame[4:8], "little")
        if self.before is not None and seq == self.before[2]:
            old_tx, old_rx, expected = self.before
            try:
                plaintext = keys.unseal(script.pairs[old_rx][self.peer.name], script.session.session_id, frame)
                self.before = (old_tx, old_rx, expected + 1)
                return plaintext
            except InvalidTag:
                pass
        assert seq == self.rx_seq, f"{script.name}: frame {number} comes out of order"
        plaintext = keys.unseal(script.pairs[self.rx][self.peer.name], script.session.session_id, frame)
        self.rx_seq += 1
        if not self.complete:
            self.complete = True
            self.before = None
            self.completed.append(number)
        return plaintext

    def on_rekey(self, pair: int) -> None:
        if self.before is None:
            self.tx = self.rx = pair
            self.tx_seq = self.rx_seq = 0
            self.complete = False
        else:
            # Crossing (§7.3): the receiving half alone is taken from the peer.
            self.rx, self.rx_seq, self.before = pair, 0, None

    def pay_pongs(self) -> None:
        """PONG waits until a message is out (§5)."""
        while self.pongs_owed and not self.mid_message:
            self.pongs_owed -= 1
            self.send("PONG")


def exchange(a: Side, b: Side, text: str) -> None:
    """A message each way, read at once."""
    a.data(f"{text}, {a.name}")
    b.read()
    b.data(f"{text}, {b.name}")
    a.read()


def quiet_rekey(a: Side, b: Side) -> None:
    """REKEY with nothing else under way: REKEY, PING, PONG."""
    a.rekey()
    b.read()
    a.read()


def plain(session: str, initiator: str) -> Script:
    salt = FIXED_SALTS[session] if initiator == "client" else None
    script = Script(f"REKEY from the {initiator}, session {session}", BY_NAME[session], salt)
    a, b = script.side(initiator), script.side(OTHER[initiator])
    exchange(a, b, "before")
    quiet_rekey(a, b)
    exchange(a, b, "after")
    return script


def first_frame(initiator: str) -> Script:
    script = Script(f"REKEY from the {initiator} as the first frame of the session", BY_NAME["four"])
    a, b = script.side(initiator), script.side(OTHER[initiator])
    quiet_rekey(a, b)
    exchange(a, b, "after")
    return script


def without_ping(initiator: str) -> Script:
    script = Script(f"REKEY from a released {initiator}, which sends no PING", BY_NAME["two"])
    a, b = script.side(initiator), script.side(OTHER[initiator])
    exchange(a, b, "before")
    a.rekey(ping=False)
    b.read()
    exchange(a, b, "after")
    return script


def under_way(initiator: str) -> Script:
    script = Script(f"frames under way under the old key when the {initiator} sends REKEY", BY_NAME["one"])
    a, b = script.side(initiator), script.side(OTHER[initiator])
    exchange(a, b, "before")
    a.rekey()
    b.data("under way")
    b.message(1808)
    b.data("")
    a.read(3)
    b.read()
    a.read()
    exchange(a, b, "after")
    return script


def under_way_from_zero(initiator: str) -> Script:
    script = Script(f"REKEY from the {initiator} while number 0 is expected under both keys", BY_NAME["three"])
    a, b = script.side(initiator), script.side(OTHER[initiator])
    a.data("nothing has come back yet")
    a.rekey()
    b.data("old number 0")
    b.data("old number 1")
    a.read()
    b.read()
    a.read()
    exchange(a, b, "after")
    return script


def old_from_zero_at_once(initiator: str) -> Script:
    script = Script(f"REKEY from the {initiator}: old number 0 and new number 0 right behind it", BY_NAME["five"])
    a, b = script.side(initiator), script.side(OTHER[initiator])
    a.rekey()
    b.data("old number 0")
    b.read()
    b.data("new number 1, behind PONG")
    a.read()
    exchange(a, b, "after")
    return script


def straddling(initiator: str) -> Script:
    """The released responder switches between two parts of a message that it sends (§7.2)."""
    script = Script(f"a message of the released peer straddles the REKEY of the {initiator}", BY_NAME["two"])
    a, b = script.side(initiator), script.side(OTHER[initiator])
    b.released = True
    exchange(a, b, "before")
    a.rekey()
    b.fragment("first part under the old key, ")
    b.fragment("second too, ")
    b.read(1)
    b.fragment("third under the new one, ")
    b.data("and the last")
    b.read()
    a.read()
    exchange(a, b, "after")
    return script


def crossing(session: str) -> Script:
    script = Script(f"crossing REKEYs, session {session}", BY_NAME[session])
    a, b = script.client, script.server
    exchange(a, b, "before")
    a.rekey()
    b.rekey()
    a.read()
    b.read()
    a.read()
    exchange(a, b, "after")
    return script


def crossing_under_traffic() -> Script:
    script = Script("crossing REKEYs while both sides stream", BY_NAME["four"])
    a, b = script.client, script.server
    a.message(453)
    a.rekey()
    a.message(905)
    b.data("old")
    b.message(453)
    b.rekey()
    b.message(1357)
    a.read(3)
    b.read(2)
    a.data("between")
    b.data("between")
    a.read()
    b.read()
    a.read()
    exchange(a, b, "after")
    return script


def again(first: str, second: str) -> Script:
    script = Script(f"REKEY from the {first}, then from the {second}", BY_NAME["five"])
    for initiator in (first, second):
        quiet_rekey(script.side(initiator), script.side(OTHER[initiator]))
        exchange(script.client, script.server, f"after that of the {initiator}")
    return script


def after_crossing(initiator: str) -> Script:
    script = Script(f"crossing REKEYs, then one from the {initiator}", BY_NAME["one"])
    a, b = script.client, script.server
    a.rekey()
    b.rekey()
    a.read()
    b.read()
    a.read()
    exchange(a, b, "between")
    quiet_rekey(script.side(initiator), script.side(OTHER[initiator]))
    exchange(a, b, "after")
    return script


def scripts() -> list[Script]:
    return [
        *(plain(session, "client") for session in ("one", "two", "three")),
        plain("one", "server"),
        *(make(side) for make in (first_frame, without_ping, under_way) for side in OTHER),
        *(make(side) for make in (under_way_from_zero, old_from_zero_at_once) for side in OTHER),
        *(straddling(side) for side in OTHER),
        crossing("one"),
        crossing("two"),
        crossing_under_traffic(),
        *(again(first, second) for first in OTHER for second in OTHER),
        *(after_crossing(side) for side in OTHER),
    ]


def build() -> dict:
    return {
        "about": "Changes of keys under traffic. The format is described in README.md.",
        "scripts": [script.describe() for script in scripts()],
    }
