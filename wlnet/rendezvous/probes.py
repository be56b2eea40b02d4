"""Tests whether a player can be reached from outside: we send a token, he tells it back.

Only addresses a server of ours saw the player at are tested, so nobody can have others knocked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from wlnet.agenda import Agenda, Appointment
from wlnet.rendezvous.ports import ReachPort
from wlnet.steering.model import Transport

if TYPE_CHECKING:
    from wlnet.rendezvous.member import Member

KNOCK = 0x23
"""First byte of the packet; a token of 16 bytes follows."""
TOKEN_SIZE = 16

_REPEATS = (0.0, 0.4, 1.0)
"""When a datagram is sent, seconds; it may be lost."""


class Place(Struct, frozen=True, kw_only=True):
    """A transport address."""

    transport: Transport
    address: str
    port: int


class _Probe:
    __slots__ = ("appointments", "member", "place")

    def __init__(self, member: Member, place: Place) -> None:
        self.member = member
        self.place = place
        self.appointments: list[Appointment] = []


class Probes:
    """All tests under way.

    :param verdict: called once for each test that was begun, unless its player left before.
    """

    def __init__(
        self,
        agenda: Agenda,
        reach: ReachPort,
        random_bytes: Callable[[int], bytes],
        verdict: Callable[[Member, Place, bool], None],
        *,
        timeout: float,
        limit: int,
        per_player: int,
    ) -> None:
        self._agenda = agenda
        self._reach = reach
        self._random_bytes = random_bytes
        self._verdict = verdict
        self._timeout = timeout
        self._limit = limit
        self._per_player = per_player
        self._by_token: dict[str, _Probe] = {}
        self._by_member: Counter[Member] = Counter()

    def __len__(self) -> int:
        return len(self._by_token)

    def begin(self, member: Member, place: Place) -> bool:
        """Test *place* of *member*; False: too many tests are under way."""
        if len(self._by_token) >= self._limit or self._by_member[member] >= self._per_player:
            return False
        token = self._random_bytes(TOKEN_SIZE)
        probe = self._by_token[token.hex()] = _Probe(member, place)
        self._by_member[member] += 1
        packet = bytes([KNOCK]) + token

        def knock() -> None:
            self._reach.knock(place.transport, place.address, place.port, packet, self._timeout)

        times = _REPEATS if place.transport is Transport.UDP else _REPEATS[:1]
        for delay in times:
            if delay == 0.0:
                knock()
            elif delay < self._timeout:
                probe.appointments.append(self._agenda.after(delay, knock))
        probe.appointments.append(
            self._agenda.after(self._timeout, partial(self._over, token.hex(), reached=False))
        )
        return True

    def answered(self, member: Member, token: str) -> bool:
        """*member* tells a token; False: it is none of his that is waited for."""
        probe = self._by_token.get(token)
        if probe is None or probe.member is not member:
            return False
        self._over(token, reached=True)
        return True

    def forget(self, member: Member) -> None:
        """*member* has left."""
        for token in [token for token, probe in self._by_token.items() if probe.member is member]:
            self._remove(token)

    def _over(self, token: str, *, reached: bool) -> None:
        probe = self._remove(token)
        self._verdict(probe.member, probe.place, reached)

    def _remove(self, token: str) -> _Probe:
        probe = self._by_token.pop(token)
        for appointment in probe.appointments:
            appointment.cancel()
        self._by_member[probe.member] -= 1
        if not self._by_member[probe.member]:
            del self._by_member[probe.member]
        return probe
