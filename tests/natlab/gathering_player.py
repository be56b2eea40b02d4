"""A player who logs in, surveys his network, gathers candidates once, and says what came of it.

Runs in a home of the laboratory. Arguments: lobby address, both STUN ports, seconds between login and
gathering, further addresses of the server. Prints JSON lines; ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import sys

import msgspec

from wlnet.client.gather.gathering import Gathering
from wlnet.client.gather.surveyor import Surveyor
from wlnet.client.gather.web import WebDoors
from wlnet.client.gather.words import GatherOptions, ServerPlace
from wlnet.client.lobby.address import parse_lobby
from wlnet.client.lobby.link import LobbyHandler, LobbyLink
from wlnet.client.lobby.session import Login
from wlnet.client.mapping.mapper import PortMapper
from wlnet.client.net.shell_asyncio import AsyncioNetwork
from wlnet.protocols.exchange.messages import Candidates, Hello, Probed
from wlnet.rendezvous.events import Told
from wlnet.steering.model import Family


class Player(LobbyHandler):
    def __init__(self, lobby: str, stun: int, second: int, addresses: list[str], wait: float) -> None:
        self.network = AsyncioNetwork()
        address = parse_lobby(lobby)
        place = ServerPlace(
            addresses=(address.host, *addresses),
            stun_port=stun,
            second_port=second,
            lobby_port=address.port,
        )
        self.wait = wait
        self.mapper = PortMapper(self.network)
        self.surveyor = Surveyor(self.network, place)
        self.gathering: Gathering | None = None
        self.begun = 0.0
        login = Login(name=f"p{self.network.random_bytes(6).hex()}", build="test")
        self.link = LobbyLink(self.network, address, login, self)

    def say(self, **words: object) -> None:
        print(json.dumps(words), flush=True)

    def lobby_ready(self, name: str, hello: Hello) -> None:
        self.surveyor.greeted(hello)
        self.surveyor.start()
        self.network.call_later(self.wait, self.gather)

    def gather(self) -> None:
        self.begun = self.network.now()
        self.gathering = Gathering(
            self.network,
            self.surveyor,
            0,
            self,
            GatherOptions(),
            self.mapper,
            WebDoors(self.network, self.mapper),
        )

    def gathered(self, candidates: Candidates) -> None:
        self.link.say(candidates)
        self.say(
            after=self.network.now() - self.begun,
            said=msgspec.to_builtins(candidates),
            hops=self.surveyor.survey.primer_hops(Family.V4),
        )

    def probed(self, token: str) -> None:
        self.link.say(Probed(token=token))

    def lobby_told(self, told: Told) -> None:
        self.say(told=msgspec.to_builtins(told))

    def lobby_tickets(self, hello: Hello) -> None:
        pass

    def lobby_line(self, text: str) -> None:
        pass

    def lobby_trouble(self, text: str) -> None:
        self.say(trouble=text)

    def lobby_lost(self, text: str, again: float) -> None:
        self.say(trouble=text)

    def lobby_gone(self, text: str) -> None:
        self.say(trouble=text)


async def main(lobby: str, stun: str, second: str, wait: str, *addresses: str) -> None:
    player = Player(lobby, int(stun), int(second), list(addresses), float(wait))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    hops = player.surveyor.survey.primer_hops(Family.V4)
    notes = player.gathering.notes if player.gathering is not None else []
    if player.gathering is not None:
        player.gathering.close()
    player.link.close()
    player.surveyor.close()
    closed = asyncio.Event()
    player.mapper.close(closed.set)
    await closed.wait()
    player.say(hops=hops, notes=notes)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
