"""Keeps what is known of our network up to date: found out at login, again when something changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wlnet.client.gather import limits
from wlnet.client.gather.discoveries import DatagramDiscovery, StreamsDiscovery
from wlnet.client.gather.hops import HopSearch
from wlnet.client.gather.observing import Observation
from wlnet.client.gather.words import WEB_PORT, Line, ServerPlace, Survey
from wlnet.client.net.network import Network, Timer
from wlnet.limits.addresses import parse_address
from wlnet.protocols.exchange.messages import Hello
from wlnet.protocols.stun.findings import Finding, family_of
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family, Mapping, Transport

_Discovery = DatagramDiscovery | StreamsDiscovery


class Surveyor:
    """Surveys our network; :meth:`start` it at login.

    :param changed: our own addresses are others now, or the machine has slept; a new survey is under way.
    :ivar address: where the lobby sees us; empty until :meth:`greeted`.
    :ivar most_candidates: what the lobby takes in one message.
    """

    def __init__(
        self,
        network: Network,
        place: ServerPlace,
        *,
        udp: bool = True,
        tcp: bool = True,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.address = ""
        self.most_candidates = 32
        self.place = place
        self.changed = changed
        self._network = network
        self._udp = udp
        self._tcp = tcp
        self._servers: dict[Family, Endpoint] = {}
        self._running: dict[Line, _Discovery] = {}
        self._findings: dict[Line, Finding] = {}
        self._hops: dict[Family, int] = {}
        self._searches: dict[Family, HopSearch] = {}
        self._observation: Observation | None = None
        self._tickets: tuple[str, ...] = ()
        self._waiting: list[_Wait] = []
        self._holds: dict[object, Timer] = {}
        self._wanted = False
        self._surveyed_at: float | None = None
        self._sources: dict[Family, str] = {}
        self._clocks = 0.0
        self._look: Timer | None = None
        self._tellings: list[Timer] = []
        self._closed = False

    # -- what is known -------------------------------------------------------------------------------

    @property
    def survey(self) -> Survey:
        """What is known by now."""
        now = self._network.now()
        blocked = {line for line, one in self._findings.items() if one.behaviour.mapping is Mapping.BLOCKED}
        blocked |= {line for line, one in self._running.items() if _is_silent(one, now)}
        seen = dict.fromkeys([self.address] if self.address else [])
        known = [one.so_far() for one in self._running.values()]
        findings = (*self._findings.values(), *(one for one in known if one is not None))
        seen |= dict.fromkeys(one.candidate.address for one in findings if one.candidate is not None)
        return Survey(
            findings=findings,
            blocked=frozenset(blocked),
            running=len(self._running),
            hops=dict(self._hops),
            seen=tuple(seen),
            only_port=WEB_PORT if self._only_web(blocked) else 0,
        )

    @property
    def searching(self) -> bool:
        """Hops are being looked for."""
        return bool(self._searches)

    def server(self, family: Family) -> Endpoint | None:
        """Where STUN is asked over *family*; None: that family goes nowhere."""
        return self._servers.get(family)

    @property
    def families(self) -> tuple[Family, ...]:
        """Those with a route to the server."""
        return tuple(self._servers)

    def _only_web(self, blocked: set[Line]) -> bool:
        """Nothing but TCP 443 gets out: that is where the lobby is, and all else was tried in vain."""
        tried = set(self._findings) | set(self._running)
        return (
            self.place.lobby_port == WEB_PORT and self._udp and self._tcp and bool(tried) and tried <= blocked
        )

    # -- what happens --------------------------------------------------------------------------------

    def start(self) -> None:
        """Survey, and go on looking whether something changes."""
        if self._closed or self._look is not None:
            return
        self._clocks = self._network.wall() - self._network.now()
        self._survey()
        self._look = self._network.call_later(limits.LOOK, self._watch)

    def greeted(self, hello: Hello) -> None:
        """The lobby's hello, with tickets: show the server where our packets come from."""
        if self._closed:
            return
        self.address = str(parse_address(hello.address)) if _is_address(hello.address) else ""
        self.most_candidates = hello.candidates
        self._tickets = hello.observe
        self._observe()

    def move(self, place: ServerPlace) -> None:
        """The server is elsewhere."""
        if place != self.place:
            self.place = place
            self._again()

    def refresh(self) -> None:
        """Survey again, as soon as no attempt keeps it back."""
        self._again()

    def close(self) -> None:
        """Close everything; nothing is called any more."""
        self._closed = True
        self._stop()
        if self._look is not None:
            self._look.cancel()
        for timer in (*self._holds.values(), *self._tellings):
            timer.cancel()
        self._holds.clear()
        self._waiting.clear()

    # -- attempts ------------------------------------------------------------------------------------

    def hold(self, owner: object, seconds: float) -> None:
        """Begin no survey now: its flows would spoil what an attempt counts on."""
        self.release(owner)
        seconds = min(seconds, limits.LONGEST_HOLD)
        self._holds[owner] = self._network.call_later(seconds, partial(self.release, owner))

    def release(self, owner: object) -> None:
        """It does not matter any more."""
        timer = self._holds.pop(owner, None)
        if timer is not None:
            timer.cancel()
        if self._wanted and not self._holds and not self._closed:
            self._survey()

    def when_known(self, call: Callable[[], None], *, over: bool = False) -> Callable[[], None]:
        """Call it, not within this call, once all that is still under way is silence.

        :param over: wait until even that is over.
        :returns: cancels it.
        """
        wait = _Wait(call, over=over)
        self._waiting.append(wait)
        self._tell_in(0.0)
        return wait.cancel

    # -- surveying -----------------------------------------------------------------------------------

    def _again(self) -> None:
        if self._closed or self._look is None:
            return
        if self._holds:
            self._wanted = True
        else:
            self._survey()

    def _survey(self) -> None:
        self._stop()
        self._wanted = False
        self._surveyed_at = self._network.now()
        self._findings.clear()
        self._hops.clear()
        self._servers = self._find_servers()
        self._sources = self._find_sources(self._servers)
        # Each in one go, so that the ports its flows get come one after another.
        for family, server in self._servers.items():
            for transport, wanted in ((Transport.UDP, self._udp), (Transport.TCP, self._tcp)):
                if wanted:
                    self._discover(transport, family, server)
        if self._udp:
            for family, server in self._servers.items():
                self._search(family, server)
        self._observe()
        self._tell_in(limits.SILENCE + 0.01)
        self._tell()

    def _discover(self, transport: Transport, family: Family, server: Endpoint) -> None:
        line = (transport, family)
        done = partial(self._found, line)
        second = self.place.second_port
        try:
            if transport is Transport.UDP:
                self._running[line] = DatagramDiscovery(self._network, server, second, done)
            else:
                self._running[line] = StreamsDiscovery(self._network, server, second, done)
        except OSError:
            return

    def _found(self, line: Line, finding: Finding) -> None:
        self._running.pop(line, None)
        self._findings[line] = finding
        self._tell()

    def _search(self, family: Family, server: Endpoint) -> None:
        """With the rest, not when the round trip is known: later its flow would spoil counted ports."""
        try:
            self._searches[family] = HopSearch(self._network, server, partial(self._hopped, family))
        except OSError:
            return

    def _hopped(self, family: Family, hops: int | None) -> None:
        self._searches.pop(family, None)
        if hops is not None:
            self._hops[family] = hops

    def _observe(self) -> None:
        """With what tickets there are; those of UDP only, since TCP is what the lobby sees."""
        if not self._tickets or not self._servers or not self._udp:
            return
        if self._observation is not None:
            self._observation.close()
        tickets, self._tickets = self._tickets, ()
        self._observation = Observation(self._network, self._servers.values(), tickets)

    def _tell_in(self, delay: float) -> None:
        def due() -> None:
            self._tellings.remove(timer)
            self._tell()

        timer = self._network.call_later(delay, due)
        self._tellings.append(timer)

    def _tell(self) -> None:
        now = self._network.now()
        known = all(_is_silent(one, now) for one in self._running.values())
        waiting, self._waiting = self._waiting, []
        for wait in waiting:
            if known and not (wait.over and self._running):
                wait.happen()
            else:
                self._waiting.append(wait)

    def _stop(self) -> None:
        for discovery in self._running.values():
            discovery.close()
        self._running.clear()
        for search in self._searches.values():
            search.close()
        self._searches.clear()
        if self._observation is not None:
            self._observation.close()
            self._observation = None

    def _find_servers(self) -> dict[Family, Endpoint]:
        found: dict[Family, Endpoint] = {}
        for address in self.place.addresses:
            if not _is_address(address):
                continue
            server = Endpoint(str(parse_address(address)), self.place.stun_port)
            family = family_of(server)
            if family not in found and self._network.source_for(server) is not None:
                found[family] = server
        return found

    def _find_sources(self, servers: dict[Family, Endpoint]) -> dict[Family, str]:
        """Our own addresses towards the server. Others come and go with virtual machines and the like."""
        found = {family: self._network.source_for(server) for family, server in servers.items()}
        return {family: source for family, source in found.items() if source is not None}

    # -- changes -------------------------------------------------------------------------------------

    def _watch(self) -> None:
        network = self._network
        self._look = network.call_later(limits.LOOK, self._watch)
        sources = self._find_sources(self._find_servers())
        clocks = network.wall() - network.now()
        slept = abs(clocks - self._clocks) > limits.SLEPT
        self._clocks = clocks
        if slept or sources != self._sources:
            self._sources = sources
            self._again()
            self.changed()
        elif self._surveyed_at is not None and network.now() - self._surveyed_at >= limits.FRESH:
            self._again()


class _Wait:
    __slots__ = ("_call", "over")

    def __init__(self, call: Callable[[], None], *, over: bool) -> None:
        self._call: Callable[[], None] | None = call
        self.over = over

    def happen(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call()

    def cancel(self) -> None:
        self._call = None


def _is_silent(discovery: _Discovery, now: float) -> bool:
    """Nothing came back so far, and a while has passed."""
    return not discovery.heard and now - discovery.begun >= limits.SILENCE


def _is_address(text: str) -> bool:
    try:
        parse_address(text)
    except ValueError:
        return False
    return True
