"""Makes the message about candidates out of what a gathering has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from wlnet.client.gather.limits import LEAST_CANDIDATES
from wlnet.client.gather.mappings import Mapped
from wlnet.client.gather.words import GatherOptions, Line, Survey
from wlnet.protocols.exchange.messages import Candidates
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Candidate, CandidateKind

_MOST_MEASURED = 4


class Offer(NamedTuple):
    """What one socket can be reached at.

    :ivar addresses: our own ones, the preferred one first.
    :ivar seen: where the server sees it.
    :ivar mapped: granted by the router, and believed.
    """

    line: Line
    port: int
    addresses: list[str]
    seen: Endpoint | None
    mapped: Mapped | None


def present(
    attempt: int,
    offers: Iterable[Offer],
    survey: Survey,
    options: GatherOptions,
    *,
    most: int,
    complete: bool,
) -> Candidates:
    """The message. What matters most comes first and is kept if there is too much."""
    offers = list(offers)
    found: dict[Candidate, None] = {}
    for offer in offers:
        if offer.seen is not None:
            _add(found, offer, CandidateKind.SERVER_REFLEXIVE, offer.seen.host, offer.seen.port)
    for offer in offers:
        if offer.mapped is not None:
            _add(found, offer, CandidateKind.MAPPED, offer.mapped.address, offer.mapped.port)
    for place in range(max((len(offer.addresses) for offer in offers), default=0)):
        for offer in offers:
            if place < len(offer.addresses):
                _add(found, offer, CandidateKind.HOST, offer.addresses[place], offer.port)
    return Candidates(
        attempt=attempt,
        candidates=() if options.relay_only else tuple(found)[: max(LEAST_CANDIDATES, most)],
        measured=survey.measured()[:_MOST_MEASURED],
        udp=options.udp,
        tcp=options.tcp,
        only_port=443 if survey.only_port else 0,
        birthday=options.birthday,
        relay_only=options.relay_only,
        complete=complete,
    )


def _add(found: dict[Candidate, None], offer: Offer, kind: CandidateKind, address: str, port: int) -> None:
    transport, _ = offer.line
    candidate = Candidate(kind=kind, transport=transport, address=address, port=port, base_port=offer.port)
    found.setdefault(candidate)
