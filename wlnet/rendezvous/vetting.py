"""Candidates of players: absurd ones left out, promising ones tested."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.limits.addresses import parse_address
from wlnet.metrics import Limit
from wlnet.rendezvous.claims import Claims, absurdity, cleaned, is_address, is_credible
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
        self._agenda = agenda
        self._again = settings.probe_again
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
        own = self._own(member)
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

    def credible(self, member: Member, address: str) -> bool:
        """Whether a datagram of *member* can have come from *address*; counted if not."""
        if is_credible(address, member.player.address, self._own(member)):
            return True
        self._count(Limit.FORGED_SOURCE)
        return False

    def _own(self, member: Member) -> list[str]:
        """Addresses of our servers, as far as *member* deals with them."""
        own = (*self._relays.addresses(member.reached_at), member.reached_at)
        return [one for one in own if is_address(one)]

    def test(self, member: Member, claims: Claims) -> None:
        """Have those candidates tested that may be reachable, if we saw him at their addresses.

        One that was tested long ago is tested again: port mappings vanish, and come back. What the last test
        came to holds meanwhile.
        """
        for candidate in claims.candidates:
            place = place_of(candidate)
            if candidate.kind not in _TESTED or not self._due(member, place):
                continue
            if not any(parse_address(candidate.address) == parse_address(one) for one in member.seen):
                continue
            if not self._has_room(member, place) or not self.probes.begin(member, place):
                self._count(Limit.PROBES)
                continue
            member.verdicts.setdefault(place, None)
            member.tested.pop(place, None)
            member.tested[place] = self._agenda.now()

    def _due(self, member: Member, place: Place) -> bool:
        tested = member.tested.get(place)
        return tested is None or self._agenda.now() >= tested + self._again

    def _has_room(self, member: Member, place: Place) -> bool:
        """For one more verdict; the oldest makes room if it would not hold much longer anyway."""
        if place in member.verdicts or len(member.verdicts) < MAX_VERDICTS:
            return True
        oldest = next(iter(member.tested))
        if not self._due(member, oldest):
            return False
        del member.tested[oldest], member.verdicts[oldest]
        return True

    def _probed(self, member: Member, place: Place, reached: bool) -> None:
        before = member.verdicts.get(place)
        if place in member.verdicts:
            member.verdicts[place] = reached
        member.inbox.tell(
            Verified(transport=place.transport, address=place.address, port=place.port, reached=reached)
        )
        if reached is not bool(before):
            self._refresh(member)
