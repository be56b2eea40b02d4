"""Candidates of players: absurd ones left out, promising ones tested."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.limits.addresses import parse_address
from wlnet.metrics import Limit
from wlnet.rendezvous.claims import Claims, absurdity, cleaned, is_address
from wlnet.rendezvous.events import Verified
from wlnet.rendezvous.member import MAX_VERDICTS, Member, place_of
from wlnet.rendezvous.ports import PairRelays, ReachPort
from wlnet.rendezvous.probes import Place, Probes
from wlnet.steering.model import CandidateKind

_TESTED = {CandidateKind.HOST, CandidateKind.MAPPED}


class Vetting:
    """Looks at what players claim.

    :param refresh: told of a player of whom we know something better now.
    """

    def __init__(
        self,
        agenda: Agenda,
        settings: schema.Rendezvous,
        relays: PairRelays,
        reach: ReachPort,
        random_bytes: Callable[[int], bytes],
        count: Callable[[Limit], None],
        refresh: Callable[[Member], None],
    ) -> None:
        self._relays = relays
        self._count = count
        self._refresh = refresh
        self.probes = Probes(
            agenda,
            reach,
            random_bytes,
            self._probed,
            timeout=settings.probe_time,
            limit=settings.probes,
            per_player=settings.probes_per_player,
        )

    def sound(self, member: Member, claims: Claims) -> tuple[Claims, str | None]:
        """*claims* without candidates nobody is to be sent to, and a sentence about the first of those."""
        place = self._relays.place(member.reached_at)
        own = [*(place.addresses if place is not None else ()), member.reached_at]
        own = [one for one in own if is_address(one)]
        problem: str | None = None
        kept = []
        for candidate in claims.candidates:
            why = absurdity(candidate, member.seen, own)
            if why is None:
                kept.append(cleaned(candidate, verified=False))
            else:
                self._count(Limit.CANDIDATES)
                problem = problem or f"{candidate.address} port {candidate.port} {why}."
        return replace(claims, candidates=tuple(kept)), problem

    def test(self, member: Member, claims: Claims) -> None:
        """Have those candidates tested that may be reachable, if we saw him at their addresses."""
        for candidate in claims.candidates:
            place = place_of(candidate)
            if candidate.kind not in _TESTED or place in member.verdicts:
                continue
            if not any(parse_address(candidate.address) == parse_address(one) for one in member.seen):
                continue
            if len(member.verdicts) >= MAX_VERDICTS or not self.probes.begin(member, place):
                self._count(Limit.PROBES)
                continue
            member.verdicts.setdefault(place, None)

    def _probed(self, member: Member, place: Place, reached: bool) -> None:
        member.verdicts[place] = reached
        member.inbox.tell(
            Verified(transport=place.transport, address=place.address, port=place.port, reached=reached)
        )
        if reached:
            self._refresh(member)
