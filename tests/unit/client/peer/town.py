"""Players behind routers of all kinds, each with a party, and a server."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random

from tests.support.sim_server import LOBBY_PORT, SimServer
from tests.support.sim_stun import FIRST
from tests.support.simnet import SimHost, SimNet
from tests.support.simnet_nat import Protocol, SimNat
from wlnet.client.gather.words import GatherOptions
from wlnet.client.lobby.address import LobbyAddress
from wlnet.client.lobby.session import Login
from wlnet.client.peer.options import PartyOptions
from wlnet.client.peer.party import Party
from wlnet.client.peer.peer import Peer
from wlnet.client.peer.streams import PeerStream, StreamUser
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.client.tunnel.identity import Identity
from wlnet.client.tunnel.shell_identity import make_identity
from wlnet.rendezvous.events import ListedGame
from wlnet.steering.model import Allocation, Filtering, Mapping, PathKind

GAME = "duel"


@lru_cache
def identity(number: int) -> Identity:
    """Making keys takes time; each party gets others."""
    return make_identity()


def router(kind: str, address: str) -> SimNat | None:
    """By the names of the laboratory."""
    match kind:
        case "open":
            return None
        case "full-cone":
            return SimNat(address, filtering=Filtering.ENDPOINT_INDEPENDENT)
        case "restricted":
            return SimNat(address, filtering=Filtering.ADDRESS_DEPENDENT)
        case "port-restricted":
            return SimNat(address)
        case "sym-random":
            return SimNat(address, mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT, allocation=Allocation.RANDOM)
        case "sym-seq":
            return SimNat(
                address, mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT, allocation=Allocation.SEQUENTIAL
            )
        case "udp-blocked":
            return SimNat(address, blocks=frozenset({Protocol.UDP}))
        case _:
            raise ValueError(kind)


class Chat(StreamUser):
    """A user of a stream who keeps everything."""

    def __init__(self) -> None:
        self.stream: PeerStream | None = None
        self.got = bytearray()
        self.is_ended = False
        self.broken = ""
        self.reads = True
        self.unread = 0
        self._left = memoryview(b"")
        self._ends = False

    def send(self, data: bytes, *, end: bool = False) -> None:
        """Send all of it, as there is room."""
        self._left = memoryview(bytes(self._left) + data)
        self._ends = end
        self.writable()

    def received(self, data: bytes) -> None:
        self.got += data
        if self.reads:
            assert self.stream is not None
            self.stream.consumed(len(data))
        else:
            self.unread += len(data)

    def read_on(self) -> None:
        assert self.stream is not None
        self.reads = True
        self.unread, size = 0, self.unread
        self.stream.consumed(size)

    def ended(self) -> None:
        self.is_ended = True

    def writable(self) -> None:
        assert self.stream is not None
        while self._left:
            taken = self.stream.write(bytes(self._left[:65536]))
            if not taken:
                return
            self._left = self._left[taken:]
        if self._ends:
            self.stream.end()

    def closed(self, text: str) -> None:
        assert not self.broken
        self.broken = text or "closed"


class Player:
    """One player: a machine, a party, and everything its user heard."""

    def __init__(self, town: Town, name: str, host: SimHost, options: PartyOptions) -> None:
        self.town = town
        self.name = name
        self.machine = host
        self.heard: list[tuple[float, str, object]] = []
        self.chats: list[Chat] = []
        self.datagrams: list[bytes] = []
        self.ready: list[Peer] = []
        self.gone: list[tuple[Peer, str]] = []
        self.paths: list[tuple[float, PathNews | PathGone]] = []
        self.party = Party(
            host,
            LobbyAddress(FIRST, LOBBY_PORT),
            Login(name=name, secret=f"secret of {name} 0123456789", build="test"),
            self,
            options,
            identity=town.identity,
        )

    # PartyUser

    def party_ready(self, name: str) -> None:
        self._note("ready", name)

    def party_lost(self, text: str, again: float) -> None:
        self._note("lost", text)

    def party_line(self, text: str) -> None:
        self._note("line", text)

    def party_published(self, game: str) -> None:
        self._note("published", game)

    def party_unpublished(self, game: str) -> None:
        self._note("unpublished", game)

    def party_refused(self, of: str, text: str) -> None:
        self._note(f"refused {of}", text)

    def party_games(self, games: tuple[ListedGame, ...]) -> None:
        self._note("games", games)

    def party_gone(self, text: str) -> None:
        self._note("gone", text)

    def peer_ready(self, peer: Peer) -> None:
        self.ready.append(peer)
        self._note("peer ready", peer.name)

    def peer_path(self, peer: Peer, news: PathNews | PathGone) -> None:
        self.paths.append((self.town.net.time, news))

    def peer_stream(self, peer: Peer, stream: PeerStream) -> StreamUser | None:
        chat = Chat()
        chat.stream = stream
        self.chats.append(chat)
        return chat

    def peer_datagram(self, peer: Peer, data: bytes) -> None:
        self.datagrams.append(data)

    def peer_closed(self, peer: Peer, text: str) -> None:
        self.gone.append((peer, text))

    # For tests

    def _note(self, what: str, value: object) -> None:
        self.heard.append((self.town.net.time, what, value))

    def said(self, what: str) -> list[object]:
        return [value for _, one, value in self.heard if one == what]

    @property
    def peer(self) -> Peer:
        (peer,) = self.party.peers
        return peer

    @property
    def kind(self) -> PathKind | None:
        path = self.peer.path
        return None if path is None else path.kind

    def open(self, peer: Peer | None = None, purpose: int = 3) -> Chat:
        chat = Chat()
        chat.stream = (peer or self.peer).open_stream(purpose, chat)
        return chat


class Town:
    """A network with a server, and players as a test wants them."""

    def __init__(self, seed: int = 1, latency: float = 0.01, **settings: object) -> None:
        self.net = SimNet(seed, latency)
        self.server = SimServer(self.net, settings=settings)
        self.random = Random(seed)
        self.players: list[Player] = []
        self._identities = 0

    def identity(self) -> Identity:
        self._identities += 1
        return identity(self._identities)

    def player(self, name: str, kind: str = "port-restricted", **options: object) -> Player:
        number = len(self.players) + 1
        public = f"198.51.100.{number}"
        nat = router(kind, public)
        address = public if nat is None else f"192.168.{number}.10"
        gather = options.pop("gather", GatherOptions(mappings=False))
        assert isinstance(gather, GatherOptions)
        made = PartyOptions(gather=gather, **options)  # type: ignore[arg-type]
        player = Player(self, name, self.net.host(f"{name} {number}", [address], nat), made)
        self.players.append(player)
        return player

    def pair(self, host_kind: str, guest_kind: str, **options: object) -> tuple[Player, Player]:
        """A host whose game is listed and a guest, both surveyed."""
        host = self.player("ann", host_kind, **options)
        host.party.host(GAME)
        guest = self.player("bob", guest_kind, **options)
        self.net.run_until(lambda: host.said("published") and guest.said("ready"))
        self.net.advance(4.0)
        return host, guest

    def joined(
        self, host_kind: str = "port-restricted", guest_kind: str = "port-restricted"
    ) -> tuple[Player, Player]:
        """Both ready, on whatever path came first."""
        host, guest = self.pair(host_kind, guest_kind)
        guest.party.join(GAME)
        self.net.run_until(lambda: host.ready and guest.ready, 10)
        return host, guest

    def close(self) -> None:
        """Everybody leaves; nothing may be left open."""
        closed: list[str] = []
        for player in self.players:
            player.party.close(lambda name=player.name: closed.append(name))  # type: ignore[misc]
        self.net.run_until(lambda: len(closed) == len(self.players), 2.01)
        self.net.advance(20)
        for player in self.players:
            assert player.machine.open == 0, f"{player.name} left sockets open"

    def nat(self, player: Player) -> SimNat:
        assert player.machine.nat is not None
        return player.machine.nat


def numbered(count: int, seed: int = 1) -> bytes:
    """Bytes that cannot be mistaken for others."""
    return Random(seed).randbytes(count)


def kinds(player: Player) -> Sequence[PathKind | None]:
    """The paths of a player in order; None where nothing carried the game."""
    return [news.kind if isinstance(news, PathNews) else None for _, news in player.paths]
