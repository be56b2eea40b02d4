"""Finds out everything, one thing after the other: the lobby, the network, the relay and the router, the test
from outside. Takes about seven seconds, bounded by the timers of its parts.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from wlnet.client.doctor.findings import Findings, LineFinding, MappingTrial, RelayLeg, Truth
from wlnet.client.doctor.relay_check import RelayCheck
from wlnet.client.doctor.trials import Trials
from wlnet.client.gather.gathering import Gathering
from wlnet.client.gather.surveyor import Surveyor
from wlnet.client.gather.words import GatherOptions, ServerPlace
from wlnet.client.lobby.address import LobbyAddress
from wlnet.client.lobby.link import LobbyHandler, LobbyLink
from wlnet.client.lobby.session import Login
from wlnet.client.mapping.gateway import Gateways
from wlnet.client.mapping.mapper import PortMapper
from wlnet.client.mapping.shell_gateway import read_gateways
from wlnet.client.mapping.words import Standing
from wlnet.client.net.network import Network, Timer, TlsOptions
from wlnet.limits.addresses import parse_address
from wlnet.protocols.exchange.messages import Candidates, Hello, Probed
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import Told, Verified
from wlnet.steering.model import Candidate, CandidateKind, Technique, Transport
from wlnet.steering.view import family_of

LOBBY_PATIENCE = 6.0
VERDICTS = 5.0
"""Seconds the server's tests are waited for; each takes it 3 at most."""
WEB_PORT = 443
STUN_PORT, SECOND_PORT = 3478, 3479
_MOST_PLACES = 4
_TESTED = (CandidateKind.HOST, CandidateKind.MAPPED)


class Stage(StrEnum):
    """What is being done."""

    LOBBY = "lobby"
    NETWORK = "network"
    ROUTER = "router"
    OUTSIDE = "outside"


class ExaminationOptions(Struct, frozen=True, kw_only=True):
    """What the player allows.

    :ivar name: under which we log in, without account.
    :ivar mapping: ask the router for ports.
    :ivar ca_file: authorities to trust instead of the system's.
    """

    name: str
    build: str
    mapping: bool = True
    ca_file: str | None = None


class Examination(LobbyHandler):
    """Begins when it is made; ends by exactly one call of *done*, everything closed and given back.

    :param progress: a stage has begun.
    """

    def __init__(
        self,
        network: Network,
        address: LobbyAddress,
        options: ExaminationOptions,
        progress: Callable[[Stage], None],
        done: Callable[[Findings], None],
        *,
        gateways: Callable[[], Gateways] = read_gateways,
    ) -> None:
        self._network = network
        self._address = address
        self._options = options
        self._progress = progress
        self._done = done
        self._gateways = gateways
        self._findings = Findings(lobby=str(address), addresses=network.interfaces())
        self._ready = False
        self._moved_on = False
        self._places: tuple[str, ...] = ()
        self._second_port = SECOND_PORT
        self._relay_check: RelayCheck | None = None
        self._trials: Trials | None = None
        self._gathering: Gathering | None = None
        self._gathered: Candidates | None = None
        self._verdicts: dict[tuple[Transport, str, int], bool] = {}
        self._open_parts = 0
        self._ending = False
        self._timer: Timer = network.call_later(LOBBY_PATIENCE, self._no_lobby)
        self._surveyor = Surveyor(network, ServerPlace(addresses=()))
        self._mapper = PortMapper(network, gateways=gateways)
        login = Login(name=options.name, secret=network.random_bytes(16).hex(), build=options.build)
        self._link = LobbyLink(network, address, login, self, ca_file=options.ca_file)
        network.call_later(0.0, lambda: progress(Stage.LOBBY))

    def cancel(self) -> None:
        """Find out no more, but give everything back; *done* comes as ever, with what is known."""
        if not self._ending:
            self._moved_on = True
            self._end()

    # -- the lobby -------------------------------------------------------------------------------

    def lobby_ready(self, name: str, hello: Hello) -> None:  # noqa: ARG002
        """It steers players, and says where STUN is."""
        if self._moved_on:
            return
        self._ready = True
        self._findings = replace(self._findings, lobby_reached=True)
        server = self._link.server
        port = server.port if server is not None else self._address.port
        if hello.stun is not None:
            place = ServerPlace(
                addresses=hello.stun.addresses,
                stun_port=hello.stun.port,
                second_port=hello.stun.second_port,
                lobby_port=port,
            )
        else:
            addresses = (server.host,) if server is not None else ()
            place = ServerPlace(addresses=addresses, lobby_port=port)
        self._surveyor.greeted(hello)
        self._survey(place)

    def lobby_told(self, told: Told) -> None:
        """The verdict of a test."""
        if not self._ending and isinstance(told, Verified):
            self._verdicts[told.transport, told.address, told.port] = told.reached
            self._look_at_verdicts()

    def lobby_lost(self, text: str, again: float) -> None:  # noqa: ARG002
        """Once is enough to know."""
        self._refused(text)

    def lobby_gone(self, text: str) -> None:
        """Likewise."""
        self._refused(text)

    def lobby_trouble(self, text: str) -> None:
        """It does not matter here."""

    def lobby_tickets(self, hello: Hello) -> None:
        """None are asked for."""

    def lobby_line(self, text: str) -> None:
        """Greetings are for players."""

    def _refused(self, text: str) -> None:
        if self._ending:
            return
        self._ready = False
        if not self._moved_on:
            self._findings = replace(self._findings, lobby_text=text)
            self._no_lobby()

    def _no_lobby(self) -> None:
        """Look at the network all the same: STUN is mostly on the same machine."""
        if self._moved_on:
            return
        self._moved_on = True
        self._timer.cancel()
        if not self._findings.lobby_text:
            text = f"The lobby {self._address} does not answer in time."
            self._findings = replace(self._findings, lobby_text=text)
        self._network.resolve(self._address.host, self._resolved)

    def _resolved(self, found: tuple[str, ...] | OSError) -> None:
        if self._ending:
            return
        addresses = () if isinstance(found, OSError) else found[:_MOST_PLACES]
        place = ServerPlace(addresses=addresses, stun_port=STUN_PORT, second_port=SECOND_PORT)
        self._survey(place)

    # -- the network -----------------------------------------------------------------------------

    def _survey(self, place: ServerPlace) -> None:
        self._moved_on = True
        self._timer.cancel()
        self._places = tuple(one for one in place.addresses if _is_address(one))[:_MOST_PLACES]
        self._second_port = place.second_port
        self._progress(Stage.NETWORK)
        self._surveyor.move(place)
        self._surveyor.start()
        self._surveyor.when_known(self._surveyed, over=True)

    def _surveyed(self) -> None:
        if self._ending:
            return
        survey = self._surveyor.survey
        lines = [
            LineFinding(
                transport=one.transport,
                family=one.family,
                behaviour=one.behaviour,
                certain_mapping=one.certain_mapping,
                certain_filtering=one.certain_filtering,
                address=one.candidate.address if one.candidate is not None else "",
                rtt=one.rtt,
                ports=one.ports,
            )
            for one in survey.findings
        ]
        families = self._surveyor.families
        self._findings = replace(
            self._findings,
            families=families,
            lines=tuple(lines),
            seen=survey.seen,
            only_port=survey.only_port,
        )
        self._progress(Stage.ROUTER)
        self._open_parts = 2 if self._options.mapping else 1
        places: list[tuple[Technique, Endpoint]] = []
        for address in self._places:
            if family_of(address) not in families:
                continue
            places.append((Technique.RELAY_UDP, Endpoint(address, self._second_port)))
            places.append((Technique.RELAY_TCP, Endpoint(address, self._second_port)))
            places.append((Technique.RELAY_TLS, Endpoint(address, WEB_PORT)))
        tls = TlsOptions(name=self._address.host, ca_file=self._options.ca_file)
        self._relay_check = RelayCheck(self._network, tuple(places), tls, self._relay_checked)
        if self._options.mapping:
            self._trials = Trials(self._network, self._knocked, self._tried, gateways=self._gateways)

    def _relay_checked(self, legs: tuple[RelayLeg, ...]) -> None:
        self._findings = replace(self._findings, legs=legs)
        self._part_over()

    def _tried(self) -> None:
        if self._trials is not None:
            self._findings = replace(
                self._findings, gateway=self._trials.gateway, trials=self._trials.results
            )
        self._part_over()

    def _part_over(self) -> None:
        self._open_parts -= 1
        if not self._open_parts:
            self._go_outside()

    # -- from outside ----------------------------------------------------------------------------

    def _go_outside(self) -> None:
        self._progress(Stage.OUTSIDE)
        mapper = self._mapper if self._options.mapping else None
        self._gathering = Gathering(
            self._network, self._surveyor, 0, self, GatherOptions(web_port=False), mapper
        )
        self._timer = self._network.call_later(VERDICTS, self._end)

    def gathered(self, candidates: Candidates) -> None:
        """Say it with what the trials mapped; the server tests what may be reachable."""
        if self._ending:
            return
        mapped = self._trials.candidates if self._trials is not None else ()
        room = self._surveyor.most_candidates - len(mapped)
        known = candidates.candidates[: max(0, room)]
        self._gathered = replace(
            candidates, candidates=(*known, *(one for one in mapped if one not in known))
        )
        if self._ready:
            self._link.say(self._gathered)
        self._look_at_verdicts()

    def probed(self, token: str) -> None:
        """The server's test packet came through a port of the gathering."""
        self._knocked(token)

    def _knocked(self, token: str) -> None:
        if self._ready and not self._ending:
            self._link.say(Probed(token=token))

    def _look_at_verdicts(self) -> None:
        if self._ending or self._gathered is None or not self._gathered.complete:
            return
        if not self._ready or all(self._key(one) in self._verdicts for one in self._testable()):
            self._end()

    def _testable(self) -> list[Candidate]:
        """Those the server tests: at an address it saw us at."""
        seen = {str(parse_address(one)) for one in self._findings.seen}
        found = self._gathered.candidates if self._gathered is not None else ()
        return [one for one in found if one.kind in _TESTED and str(parse_address(one.address)) in seen]

    @staticmethod
    def _key(candidate: Candidate) -> tuple[Transport, str, int]:
        return candidate.transport, candidate.address, candidate.port

    # -- the end ---------------------------------------------------------------------------------

    def _end(self) -> None:
        if self._ending:
            return
        self._ending = True
        self._timer.cancel()
        gathered = self._gathered.candidates if self._gathered is not None else ()
        candidates = tuple(
            replace(one, verified=one.kind in _TESTED and self._verdicts.get(self._key(one), False))
            for one in gathered
        )
        self._findings = replace(
            self._findings,
            candidates=candidates,
            tested=self._ready,
            trials=tuple(self._judged(one) for one in self._findings.trials),
        )
        self._close()

    def _judged(self, trial: MappingTrial) -> MappingTrial:
        if trial.standing is not Standing.MAPPED:
            return trial
        seen = {str(parse_address(one)) for one in self._findings.seen}
        if seen and trial.address not in seen:
            return replace(trial, truth=Truth.OTHER_ADDRESS)
        reached = self._verdicts.get((Transport.UDP, trial.address, trial.port))
        if reached is None:
            return trial
        return replace(trial, truth=Truth.REACHED if reached else Truth.NOT_REACHED)

    def _close(self) -> None:
        left = 1 if self._trials is None else 2

        def closed() -> None:
            nonlocal left
            left -= 1
            if not left:
                self._done(self._findings)

        if self._relay_check is not None:
            self._relay_check.cancel()
        if self._gathering is not None:
            self._gathering.close()
        self._surveyor.close()
        self._link.close()
        if self._trials is not None:
            self._trials.close(closed)
        self._mapper.close(closed)


def _is_address(text: str) -> bool:
    try:
        parse_address(text)
    except ValueError:
        return False
    return True
