"""One attempt from our side: begin, what we are, plans, paths, and what the lobby is told of them."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Callable

from wlnet.client.net.network import Network, TlsOptions
from wlnet.client.paths.limits import MAX_STEPS
from wlnet.client.paths.pathset import PathSet
from wlnet.client.paths.words import (
    Event,
    Failed,
    PathCarried,
    PathChanged,
    PathLost,
    PathValidated,
    RelayRefused,
    StepFailed,
)
from wlnet.client.peer.options import PartyOptions
from wlnet.client.peer.ports import Gatherer, GatheringEvents
from wlnet.client.peer.sockets import AttemptSockets
from wlnet.protocols.exchange.messages import Candidates, Carried, Probed, Renew, Report, Said
from wlnet.rendezvous.events import Begin, PlanPart, RelayGrant
from wlnet.steering.attempt import Result
from wlnet.steering.model import PathKind

SECRET_SIZE = 32
_DETAIL = 200
_RENEWABLE = frozenset({"EXPIRED", "UNKNOWN_KEY", "FORGED", "BAD_TICKET"})
"""Refusals a new ticket helps against."""
_RENEW_PAUSE = 10.0

Tell = Callable[[Said], object]
"""Says something to the lobby; without effect while it is away."""


class BadBeginError(Exception):
    """The lobby told nonsense."""


class Attempt(GatheringEvents):
    """One attempt.

    :param tell: says something to the lobby.
    :param touched: something happened; called from callbacks of the network.
    :raises BadBeginError: the beginning makes no sense.
    :ivar steered: the lobby still wants to hear of it.
    :ivar known: the lobby remembers it.
    :ivar connected: payloads of the game were received over it.
    """

    def __init__(
        self,
        begin: Begin,
        network: Network,
        gatherer: Gatherer,
        options: PartyOptions,
        tell: Tell,
        touched: Callable[[], None],
    ) -> None:
        self.begin = begin
        self.number = begin.attempt
        self.side = begin.side
        self.begun = network.now()
        self.secret = secret_of(begin)
        self.steered = True
        self.known = True
        self.connected = False
        self.failed = False
        self.reasons: dict[int, str] = {}
        self._network = network
        self._tell = tell
        self._touched = touched
        self._opened: set[int] = set()
        self._carried: set[int] = set()
        self._reported: set[int] = set()
        self._pending: set[int] = set()
        self._playing = False
        self._renew_wanted = False
        self._renewed_at = -_RENEW_PAUSE
        ticket = ticket_of(begin.relay) if begin.relay is not None else b""
        self._gathering = gatherer.gather(begin, self)
        self.paths = PathSet(
            begin.side,
            begin.attempt,
            self.secret,
            ticket,
            network.random_bytes,
            self.begun,
            primer_hops=self._gathering.primer_hops,
        )
        self.sockets = AttemptSockets(
            network,
            self.paths,
            self._gathering,
            TlsOptions(name=options.tls_name, ca_file=options.tls_ca),
            options.stream_queue,
            touched,
        )

    # -- what the lobby says ---------------------------------------------------------------------

    def plan(self, part: PlanPart) -> None:
        """Race these steps too."""
        for step in part.steps[: MAX_STEPS - len(self.reasons)]:
            self.reasons.setdefault(step.number, step.why)
        self.paths.add_plan(part.steps, self._network.now())
        self.sockets.flush()  # starts are meant to the millisecond
        self._touched()

    def granted(self, relay: RelayGrant) -> None:
        """A new ticket."""
        try:
            self.paths.set_ticket(ticket_of(relay), self._network.now())
        except BadBeginError:
            return
        self._touched()

    def ended(self, *, forgotten: bool = False) -> None:
        """The lobby steers it no more; its paths go on. *forgotten*: it does not know it any more."""
        self.steered = False
        if forgotten:
            self.known = False

    def link_back(self) -> None:
        """There is a lobby again to ask for a ticket."""
        if self._renew_wanted:
            self._renew()

    # -- what was found out (GatheringEvents) ----------------------------------------------------

    def gathered(self, candidates: Candidates) -> None:
        """Pass it on."""
        if self.steered:
            self._tell(candidates)

    def probed(self, token: str) -> None:
        """Pass it on."""
        self._tell(Probed(token=token))

    # -- what the paths say ----------------------------------------------------------------------

    def playing(self) -> None:
        """Bytes of the game came out of the tunnel; what comes over a path from now on is the game's."""
        self._playing = True
        current = self.paths.current
        for path in self.paths.paths:
            if path.step.number not in self._pending:
                continue
            if path is current:
                self._say_carried(path.step.number)
            else:
                path.carried = False  # that was the handshake; the next packet counts
        self._pending.clear()

    def happened(self, event: Event) -> None:
        """Tell the lobby what it should hear of."""
        match event:
            case PathValidated(step=step):
                if step not in self._opened:
                    self._opened.add(step)
                    self._report(step, Result.OPENED, "")
            case PathCarried(step=step):
                self.connected = True
                if self._playing:
                    self._say_carried(step)
                else:
                    self._pending.add(step)
            case PathLost(step=step):
                self._lost(step)
            case StepFailed(step=step, detail=detail):
                if step not in self._reported and step not in self._carried:
                    self._reported.add(step)
                    self._report(step, Result.FAILED, detail)
            case RelayRefused(word=word, final=True):
                if word in _RENEWABLE:
                    self._renew_wanted = True
                    self._renew()
            case PathChanged():
                self._gathering.begin()
                self.failed = False
            case Failed():
                self.failed = True

    def _lost(self, step: int) -> None:
        self._opened.discard(step)
        self._pending.discard(step)
        if step in self._carried:
            self._carried.discard(step)
            self._report(step, Result.LOST, "")
        for path in self.paths.paths:
            if path.step.number == step:
                path.carried = False  # said again if it comes back

    def _say_carried(self, step: int) -> None:
        if step not in self._carried:
            self._carried.add(step)
            if self.steered:
                self._tell(Carried(attempt=self.number, step=step))

    def _report(self, step: int, result: Result, detail: str) -> None:
        if self.steered:
            self._tell(Report(attempt=self.number, step=step, result=result, detail=detail[:_DETAIL]))

    def _renew(self) -> None:
        now = self._network.now()
        if now >= self._renewed_at + _RENEW_PAUSE:
            self._renewed_at = now
            self._tell(Renew(attempt=self.number))

    # -- what others ask -------------------------------------------------------------------------

    @property
    def kind(self) -> PathKind | None:
        """Of the path in use."""
        current = self.paths.current
        return current.step.kind if current is not None else None

    def reason(self, step: int) -> str:
        """Why the plan has that step."""
        return self.reasons.get(step, "")

    def close(self) -> None:
        """Close everything. The pair's relay hears of it."""
        self.steered = False
        self.paths.close()
        self.sockets.flush()
        self.sockets.close()
        self._gathering.close()


def secret_of(begin: Begin) -> bytes:
    """The session secret.

    :raises BadBeginError: it is none.
    """
    try:
        secret = bytes.fromhex(begin.secret)
    except ValueError as error:
        raise BadBeginError("the session secret is no hexadecimal number") from error
    if len(secret) != SECRET_SIZE:
        raise BadBeginError("the session secret has another length")
    return secret


def ticket_of(relay: RelayGrant) -> bytes:
    """The ticket as bytes.

    :raises BadBeginError: it is no base64.
    """
    text = relay.ticket
    try:
        return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise BadBeginError("the ticket for the relay is not readable") from error
