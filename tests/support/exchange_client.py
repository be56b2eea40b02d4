"""A player's exchange over a real connection to the lobby; every wait has a deadline."""

from __future__ import annotations

import time
from typing import TypeVar

from tests.support.wire_client import LobbyClient
from wlnet.protocols.exchange.messages import Hello, Join, Publish, Said, decode_hello, decode_told, encode
from wlnet.rendezvous.events import Begin, Ended, PlanPart, Published, Refusal, Refused, Settled, Told

T = TypeVar("T", bound=Told)

PRINT = "a" * 64


class ExchangeClient:
    """Negotiates when made.

    :ivar told: all that was heard.
    """

    def __init__(self, lobby: LobbyClient) -> None:
        self.lobby = lobby
        self.told: list[Told] = []
        lobby.send("WLNET", "1")
        while len(packet := lobby.next()) != 3 or packet[0] != "WLNET":
            pass
        self.hello: Hello = decode_hello(packet[2])

    def say(self, message: Said) -> None:
        """Say it."""
        self.lobby.send("WLNET", encode(message))

    def raw(self, text: str) -> None:
        """Say whatever that is."""
        self.lobby.send("WLNET", text)

    def hear(self, kind: type[T], timeout: float = 5.0) -> T:
        """The next message of that kind; others are only noted."""
        deadline = time.monotonic() + timeout
        while True:
            packet = self.lobby.next(deadline - time.monotonic())
            assert packet[0] == "WLNET", packet
            told = decode_told(packet[1])
            self.told.append(told)
            if isinstance(told, kind):
                return told

    def refusal(self, message: Said) -> Refusal:
        """Say it, and hear that it is refused."""
        self.say(message)
        return self.hear(Refused).code

    def error(self, text: str) -> str:
        """Say *text*, and get the ERROR about it."""
        self.raw(text)
        while (packet := self.lobby.next())[0] != "ERROR":
            pass
        assert packet[1] == "WLNET", packet
        return packet[2]

    def publish(self, game: str) -> None:
        """List a game."""
        self.say(Publish(game=game, traffic="udp", fingerprint=PRINT))
        self.hear(Published)

    def join(self, game: str) -> Begin:
        """Begin an attempt."""
        self.say(Join(game=game, fingerprint=PRINT))
        return self.hear(Begin)

    def listen(self, seconds: float) -> list[Told]:
        """All that comes within that time."""
        before = len(self.told)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.hear(Ended, deadline - time.monotonic())
            except TimeoutError:
                break
        return self.told[before:]

    @property
    def targets(self) -> set[tuple[str, int]]:
        """Wherever plans sent us so far, the relay aside."""
        return {
            (target.address, target.port)
            for part in self.told
            if isinstance(part, PlanPart)
            for step in part.steps
            if not step.technique.startswith("relay")
            for target in step.order.targets
        }

    @property
    def settled(self) -> list[int]:
        """The steps play was believed to go over."""
        return [one.step for one in self.told if isinstance(one, Settled)]
