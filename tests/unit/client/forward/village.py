"""A host and guests with their games on simulated machines, joined by the real server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tests.support.sim_server import LOBBY_PORT
from tests.support.sim_stun import FIRST
from tests.support.simnet import SimDatagramSocket, SimHost
from tests.support.simnet_tcp import SimStream
from tests.unit.client.peer.town import Town, router
from wlnet.client.forward.forwarding import Forwarding, WatchedParty
from wlnet.client.forward.guest import Guest
from wlnet.client.forward.host import Host
from wlnet.client.forward.limits import ForwardLimits
from wlnet.client.forward.places import Traffic, parse_place, parse_target
from wlnet.client.forward.reports import Closed, Hosting, PeerHere, Report
from wlnet.client.gather.words import GatherOptions
from wlnet.client.lobby.address import LobbyAddress
from wlnet.client.lobby.session import Login
from wlnet.client.net.network import Stream, StreamEnd, StreamHandler
from wlnet.client.peer.options import PartyOptions
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family

GAME = "duel"
GAME_PORT = 7396

R = TypeVar("R", bound=Report)


class Call(StreamHandler):
    """One end of a TCP connection of the game."""

    def __init__(self, *, echoes: bool = False) -> None:
        self.echoes = echoes
        self.stream: Stream | None = None
        self.got = bytearray()
        self.is_ended = False
        self.end: StreamEnd | None = None
        self.is_connected = False

    def connected(self, local: Endpoint) -> None:
        self.is_connected = True

    def received(self, data: bytes) -> None:
        self.got += data
        if self.echoes and self.stream is not None:
            self.stream.write(data)

    def ended(self) -> None:
        self.is_ended = True
        if self.echoes and self.stream is not None:
            self.stream.end()

    def drained(self) -> None:
        pass

    def closed(self, end: StreamEnd) -> None:
        self.end = end


class TcpGame:
    """A server of the game on its machine."""

    def __init__(self, machine: SimHost, *, echoes: bool = True) -> None:
        self.calls: list[Call] = []
        self._echoes = echoes
        self.listener = machine.listen(Family.V4, self._accepted, address="127.0.0.1", port=GAME_PORT)

    def _accepted(self, stream: Stream) -> Call:
        call = Call(echoes=self._echoes)
        call.stream = stream
        self.calls.append(call)
        return call


class UdpGame:
    """A socket of the game; a server echoes."""

    def __init__(self, machine: SimHost, port: int = 0, *, echoes: bool = False) -> None:
        self.got: list[tuple[bytes, Endpoint]] = []
        self._echoes = echoes
        self.socket: SimDatagramSocket = machine.open_datagram(
            Family.V4, self._received, address="127.0.0.1", port=port
        )

    def _received(self, data: bytes, source: Endpoint) -> None:
        self.got.append((data, source))
        if self._echoes:
            self.socket.send(data, source)

    @property
    def data(self) -> list[bytes]:
        return [data for data, _ in self.got]


class Program:
    """What `wlnet host` or `wlnet join` is, without its terminal."""

    def __init__(self, machine: SimHost) -> None:
        self.machine = machine
        self.reports: list[Report] = []
        self.code: int | None = None

    def tell(self, report: Report) -> None:
        assert self.code is None
        assert not self.said(Closed)
        self.reports.append(report)

    def over(self, code: int) -> None:
        assert self.code is None
        self.code = code

    def said(self, kind: type[R]) -> list[R]:
        return [report for report in self.reports if isinstance(report, kind)]


class Village:
    """The town, and programs in it."""

    def __init__(self, **settings: object) -> None:
        self.town = Town(**settings)  # type: ignore[arg-type]
        self.net = self.town.net
        self._count = 0

    def machine(self, name: str, kind: str = "port-restricted") -> SimHost:
        self._count += 1
        public = f"198.51.100.{100 + self._count}"
        nat = router(kind, public)
        return self.net.host(name, [public if nat is None else f"192.168.{100 + self._count}.10"], nat)

    def _begin(self, program: Program, forwarding: Forwarding, name: str) -> None:
        party = WatchedParty(
            program.machine,
            LobbyAddress(FIRST, LOBBY_PORT),
            Login(name=name, secret=f"secret of {name}", build="test"),
            forwarding,
            PartyOptions(gather=GatherOptions(mappings=False), join_timeout=20),
            identity=self.town.identity,
        )
        party.watcher = forwarding
        forwarding.begin(party)

    def host(
        self,
        name: str = "ann",
        *,
        traffic: str = "tcp",
        kind: str = "port-restricted",
        limits: ForwardLimits | None = None,
        game: str = GAME,
        machine: SimHost | None = None,
    ) -> tuple[Program, Host]:
        program = Program(machine or self.machine(name, kind))
        target = parse_target(Traffic(traffic), f"127.0.0.1:{GAME_PORT}")
        host = Host(program.machine, game, target, program.tell, program.over, limits)
        self._begin(program, host, name)
        return program, host

    def listed(self, **options: object) -> tuple[Program, Host]:
        """A host whose game can be joined."""
        program, host = self.host(**options)  # type: ignore[arg-type]
        self.net.run_until(lambda: program.said(Hosting), 10)
        return program, host

    def guest(
        self,
        name: str = "bob",
        *,
        at: str = "tcp:127.0.0.1:0",
        kind: str = "port-restricted",
        limits: ForwardLimits | None = None,
        rejoin: float = 120.0,
        game: str = GAME,
        machine: SimHost | None = None,
        verbose: bool = False,
    ) -> tuple[Program, Guest]:
        program = Program(machine or self.machine(name, kind))
        guest = Guest(
            program.machine,
            game,
            parse_place(at),
            program.tell,
            program.over,
            limits,
            rejoin=rejoin,
            verbose=verbose,
        )
        self._begin(program, guest, name)
        return program, guest

    def joined(
        self,
        traffic: str = "tcp",
        *,
        host_limits: ForwardLimits | None = None,
        limits: ForwardLimits | None = None,
        rejoin: float = 120.0,
    ) -> tuple[Program, Host, Program, Guest]:
        """Both in the game."""
        ann, host = self.listed(traffic=traffic, limits=host_limits)
        bob, guest = self.guest(at=f"{traffic}:127.0.0.1:0", limits=limits, rejoin=rejoin)
        self.net.run_until(lambda: bob.said(PeerHere) and ann.said(PeerHere), 10)
        return ann, host, bob, guest

    def dial(self, machine: SimHost, guest: Guest, *, echoes: bool = False) -> tuple[SimStream, Call]:
        """The guest's game connects to the guest's door."""
        call = Call(echoes=echoes)
        call.stream = stream = machine.connect(Endpoint("127.0.0.1", guest.local.port), call)
        return stream, call

    def until(self, what: Callable[[], object], limit: float = 30.0) -> float:
        return self.net.run_until(what, limit)


def clean(program: Program) -> None:
    """Nothing of the program is left open."""
    assert program.machine.open == 0
