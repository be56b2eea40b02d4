"""One mapping asked for: got from one of the router's protocols, renewed, got again, given back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from wlnet.client.mapping.protocol import RouterProtocol
from wlnet.client.mapping.router import Router
from wlnet.client.mapping.words import (
    Failure,
    Granted,
    MappedPort,
    MappingProtocol,
    NotMapped,
    Standing,
    Wish,
)
from wlnet.client.net.network import Network, Timer
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family
from wlnet.steering.view import family_of, is_public

SHORTEST_RENEWAL = 1.0
LONGEST_RENEWAL = 300.0
"""Seconds: permanent mappings are asked for again so often too, as routers restart."""
AGAIN = (5.0, 15.0, 30.0, 60.0)
"""Seconds until the next attempt after a mapping was lost; the last one counts for all later ones."""

Told = Callable[[MappedPort | NotMapped], None]


class PortLease:
    """A wish until it is closed. Made by :class:`~wlnet.client.mapping.mapper.PortMapper`.

    :param told: called when there is something new: a mapping, another one, or why there is none (any more).
    :param lost: called when the router is to be looked for again; it answers by ``begin`` or ``without``.
    :param closed: called when it is closed.
    :ivar result: what was told last; None: nothing yet.
    """

    def __init__(
        self,
        network: Network,
        wish: Wish,
        family: Family,
        told: Told,
        lost: Callable[[PortLease], None],
        closed: Callable[[PortLease], None],
    ) -> None:
        self.family = family
        self.result: MappedPort | NotMapped | None = None
        self._network = network
        self._wish = wish
        self._told = told
        self._lost = lost
        self._gone = closed
        self._router: Router | None = None
        self._tried: set[MappingProtocol] = set()
        self._asking: RouterProtocol | None = None
        self._held: tuple[RouterProtocol, Granted] | None = None
        self._had = False
        self._failures = 0
        self._generation = 0
        self._timer: Timer | None = None
        self._closed = False
        self._parting: Callable[[], None] = _nothing

    @property
    def held(self) -> bool:
        """The router holds a mapping for us, as far as we know."""
        return self._held is not None

    def close(self) -> None:
        """Give it back; nothing is called any more."""
        self.release(lambda: None)

    def release(self, done: Callable[[], None]) -> None:
        """Likewise; *done* is called once the router knows, or does not answer."""
        if self._closed:
            self._network.call_later(0.0, done)
            return
        self._closed = True
        self._stop_timer()
        self._gone(self)
        if self._held is not None:
            protocol, granted = self._held
            protocol.unmap(self._wish, granted, done)
        elif self._asking is not None:
            self._parting = done
        else:
            self._network.call_later(0.0, done)

    # -- for the mapper --------------------------------------------------------------------------

    def begin(self, router: Router) -> None:
        """Ask *router*, from the start."""
        if router is not self._router:
            self._held = None
        self._router = router
        self._tried = set()
        self._asking = None
        self._generation += 1
        self._stop_timer()
        self.advance()

    def without(self, text: str) -> None:
        """There is no router to ask; *text* is a sentence."""
        self._router = None
        self._held = None
        self._asking = None
        self._generation += 1
        self._stop_timer()
        self._tell(self._not_mapped(text))

    def advance(self) -> None:
        """Another protocol may be worth asking."""
        if self._closed or self._asking is not None or self._timer is not None or self._router is None:
            return
        choice = self._router.choose(self._tried)
        if choice is not None:
            self._ask(choice)
        elif not self._router.waits(self._tried):
            self._fail(self._router)

    def renew(self) -> None:
        """Ask again now, if there is something to renew."""
        if not self._closed and self._held is not None and self._asking is None:
            self._stop_timer()
            self._ask(self._held[0])

    # ---------------------------------------------------------------------------------------------

    def _ask(self, protocol: RouterProtocol) -> None:
        self._asking = protocol
        protocol.map(self._wish, partial(self._answered, self._generation, protocol))

    def _answered(self, generation: int, protocol: RouterProtocol, result: Granted | Failure) -> None:
        router = self._router
        if self._closed:
            if isinstance(result, Granted):
                protocol.unmap(self._wish, result, self._parting)
            else:
                self._parting()
            return
        if generation != self._generation or router is None:
            return
        self._asking = None
        problem = result if isinstance(result, Failure) else self._problem(result)
        if problem is not None:
            if isinstance(result, Granted):
                protocol.unmap(self._wish, result, lambda: None)
            router.failed(protocol.protocol, problem)
            renewing, self._held = self._held is not None, None
            if renewing:
                self._lost(self)
            else:
                self._tried.add(protocol.protocol)
                self.advance()
            return
        if isinstance(result, Granted):
            self._take(router, protocol, result)

    def _take(self, router: Router, protocol: RouterProtocol, granted: Granted) -> None:
        router.granted(protocol.protocol, granted)
        self._held = protocol, granted
        self._had = True
        self._failures = 0
        external = granted.external
        self._wish = replace(self._wish, external=external.port, address=external.host)
        half = granted.lifetime / 2 if granted.lifetime else LONGEST_RENEWAL
        delay = min(max(half, SHORTEST_RENEWAL), LONGEST_RENEWAL)
        self._timer = self._network.call_later(delay, self.renew)
        self._tell(
            MappedPort(
                protocol=protocol.protocol,
                transport=self._wish.transport,
                family=self.family,
                internal=Endpoint(router.gateway.source, self._wish.port),
                external=external,
                lifetime=granted.lifetime,
            )
        )

    def _problem(self, granted: Granted) -> Failure | None:
        external = granted.external
        if external.port == 0 or family_of(external.host) is not self.family:
            return Failure(
                standing=Standing.FAULTY, text="The router says nothing of use about its outer end."
            )
        if self._wish.exact and external.port != self._wish.external:
            text = f"The router gives another port than {self._wish.external}."
            return Failure(standing=Standing.REFUSED, text=text, address=external.host)
        if not is_public(external.host):
            return private(external.host)
        return None

    def _fail(self, router: Router) -> None:
        self._held = None
        self._tell(self._not_mapped(reason(router)))
        if self._had:
            delay = AGAIN[min(self._failures, len(AGAIN) - 1)]
            self._failures += 1
            self._timer = self._network.call_later(delay, self._retry)

    def _retry(self) -> None:
        self._timer = None
        if not self._closed:
            self._lost(self)

    def _not_mapped(self, text: str) -> NotMapped:
        reports = self._router.reports if self._router is not None else ()
        return NotMapped(transport=self._wish.transport, family=self.family, text=text, reports=reports)

    def _tell(self, result: MappedPort | NotMapped) -> None:
        before, self.result = self.result, result
        if self._closed or same(before, result):
            return
        self._told(result)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _nothing() -> None:
    pass


def same(one: MappedPort | NotMapped | None, other: MappedPort | NotMapped) -> bool:
    """Nobody needs to hear of *other* after *one*."""
    if isinstance(one, MappedPort) and isinstance(other, MappedPort):
        return (one.external, one.internal) == (other.external, other.internal)
    return isinstance(one, NotMapped) and isinstance(other, NotMapped) and one.text == other.text


def private(address: str) -> Failure:
    """The router's outer address is no public one."""
    return Failure(
        standing=Standing.PRIVATE,
        text=f"The router says its outer address is private ({address}): it is behind another NAT.",
        address=address,
    )


_TELLING = (Standing.PRIVATE, Standing.REFUSED, Standing.DISCONNECTED, Standing.FAULTY)


def reason(router: Router) -> str:
    """Why nothing was mapped: the most telling of what the protocols said."""
    for standing in _TELLING:
        for report in router.reports:
            if report.standing is standing:
                return report.text
    names = [report.protocol.label for report in router.reports]
    if len(names) == 1:
        listed = f"does not answer {names[0]}"
    else:
        listed = f"answers neither {', '.join(names[:-1])} nor {names[-1]}"
    return f"The router {router.gateway.address} {listed}: it does not open ports, or was told not to."
