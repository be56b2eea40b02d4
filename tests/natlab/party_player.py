"""A player who hosts or joins a game with the client's own machinery, and says which path it takes.

Runs in a home of the laboratory. Arguments: lobby address, `host` or `join`, name of the game, transports.
Prints JSON lines; ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import sys

from wlnet.client.gather.words import GatherOptions
from wlnet.client.lobby.address import parse_lobby
from wlnet.client.lobby.session import Login
from wlnet.client.mapping.mapper import PortMapper
from wlnet.client.net.shell_asyncio import AsyncioNetwork
from wlnet.client.peer.options import PartyOptions
from wlnet.client.peer.party import Party, PartyUser
from wlnet.client.peer.peer import Peer
from wlnet.client.peer.streams import PeerStream, StreamUser
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.protocols.exchange.messages import Candidates, Said
from wlnet.rendezvous.events import Ended, ListedGame, PlanPart, Told

PAUSE = 0.05


class Watched(Party):
    """Tells what goes to and comes from the rendezvous."""

    def lobby_told(self, told: Told) -> None:
        match told:
            case PlanPart():
                for step in told.steps:
                    say(
                        "step",
                        number=step.number,
                        technique=step.technique,
                        transport=step.transport,
                        act=step.order.act,
                        start=step.order.start,
                        local=step.order.local_ports,
                        targets=[one.port for one in step.order.targets],
                    )
            case Ended():
                say("ended", reason=told.reason, text=told.text)
        super().lobby_told(told)

    def _say(self, said: Said) -> bool:
        if isinstance(said, Candidates):
            say(
                "candidates",
                offers=[
                    (one.kind, one.transport, one.address, one.port, one.base_port) for one in said.candidates
                ],
            )
        return super()._say(said)


class User(PartyUser):
    def __init__(self) -> None:
        self.network: AsyncioNetwork | None = None

    def party_ready(self, name: str) -> None:
        say("ready", name=name)

    def party_lost(self, text: str, again: float) -> None:
        say("trouble", text=text)

    def party_line(self, text: str) -> None:
        say("line", text=text)

    def party_published(self, game: str) -> None:
        say("published")

    def party_unpublished(self, game: str) -> None:
        pass

    def party_refused(self, of: str, text: str) -> None:
        say("trouble", text=text)

    def party_games(self, games: tuple[ListedGame, ...]) -> None:
        pass

    def party_gone(self, text: str) -> None:
        say("trouble", text=text)

    def peer_ready(self, peer: Peer) -> None:
        self.play(peer)

    def play(self, peer: Peer) -> None:
        """A datagram every now and then: the lobby wants to hear that a path carries the game."""
        assert self.network is not None
        if not peer.closed:
            peer.send_datagram(b"play")
            self.network.call_later(PAUSE, lambda: self.play(peer))

    def peer_path(self, peer: Peer, news: PathNews | PathGone) -> None:
        if isinstance(news, PathNews):
            say(
                "path",
                technique=news.technique,
                transport=news.transport,
                family=news.family,
                kind=news.kind,
                setup=news.setup,
            )
        else:
            say("path gone")

    def peer_stream(self, peer: Peer, stream: PeerStream) -> StreamUser | None:
        return None

    def peer_datagram(self, peer: Peer, data: bytes) -> None:
        pass

    def peer_closed(self, peer: Peer, text: str) -> None:
        say("closed", text=text)


def say(event: str, **words: object) -> None:
    print(json.dumps({"event": event, **words}), flush=True)


async def main(lobby: str, role: str, game: str, transports: str) -> None:
    user = User()
    network = user.network = AsyncioNetwork()
    mapper = PortMapper(network)
    options = PartyOptions(
        gather=GatherOptions(udp="udp" in transports, tcp="tcp" in transports, birthday=False)
    )
    login = Login(name=f"p{network.random_bytes(6).hex()}", build="test")
    party = Watched(network, parse_lobby(lobby), login, user, options, mapper=mapper)
    if role == "host":
        party.host(game, "udp")
    else:
        party.join(game)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    closed = asyncio.Event()
    party.close(closed.set)
    await closed.wait()
    closed.clear()
    mapper.close(closed.set)
    await closed.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
