"""The relays of pairs linked to a lobby: which one a pair is given, and which pairs are revoked."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

from wlnet.link.addresses import OwnAddress
from wlnet.link.messages import MAX_REVOKED, FromLobby, Message, RevokePairs
from wlnet.link.relay_record import RelayRecord
from wlnet.rendezvous.ports import StunPlace
from wlnet.steering.model import Side
from wlnet.steering.rules import RelayPlace
from wlnet.tickets.keys import TicketKeys
from wlnet.tickets.ticket import RelayPair

_T = TypeVar("_T")


class LinkedPairs:
    """A :class:`~wlnet.rendezvous.ports.PairRelays`: any number of relays as one.

    A pair stays at the relay it was given for as long as that one is known, also while its link is down:
    both sides have to find each other there.

    :param keys: the keys in force now, made from the secret of the link.
    :param own: finds this machine's address of a family, for relays on this machine.
    :param memory: pairs remembered at most: where they are, and that they were revoked.
    :ivar observer: given a ticket a relay got and where it came from; says whether it is worth something.
    """

    def __init__(self, keys: Callable[[], TicketKeys], own: OwnAddress, memory: int) -> None:
        self.observer: Callable[[str, str], bool] = lambda _ticket, _address: False
        self._keys = keys
        self._own = own
        self._memory = memory
        self._relays: dict[str, RelayRecord] = {}
        self._where: OrderedDict[str, RelayRecord] = OrderedDict()
        self._revoked: OrderedDict[str, None] = OrderedDict()

    # For the rendezvous.

    def place(self, reached_at: str, pair: str = "") -> RelayPlace | None:
        """See :meth:`wlnet.rendezvous.ports.PairRelays.place`; of those there are, the least used."""
        known = self._where.get(pair)
        if known is not None and self._relays.get(known.name) is known:
            place = self._place(known, reached_at)
            if place is not None:
                return place
        best: tuple[float, str, RelayRecord, RelayPlace] | None = None
        for relay in self._relays.values():
            if relay.link is None or relay.pairs is None or relay.pair_load >= relay.pairs.capacity:
                continue
            place = self._place(relay, reached_at)
            share = relay.pair_load / relay.pairs.capacity
            if place is not None and (best is None or (share, relay.name) < best[:2]):
                best = share, relay.name, relay, place
        if best is None:
            return None
        if pair:
            best[2].pair_load += 1
            _remember(self._where, pair, best[2], self._memory)
        return best[3]

    def stun(self, reached_at: str) -> StunPlace | None:
        """See :meth:`wlnet.rendezvous.ports.PairRelays.stun`; of the first relay that has it, by name."""
        for _, relay in sorted(self._relays.items()):
            if relay.link is None or relay.stun is None:
                continue
            addresses = relay.addresses_of(relay.stun, reached_at, self._own)
            if addresses:
                return StunPlace(
                    addresses=addresses, port=relay.stun.port, second_port=relay.stun.second_port
                )
        return None

    def addresses(self, reached_at: str) -> tuple[str, ...]:
        """See :meth:`wlnet.rendezvous.ports.PairRelays.addresses`."""
        found: dict[str, None] = {}
        for relay in self._relays.values():
            for ports in (relay.pairs, relay.stun):
                if ports is not None:
                    found.update(dict.fromkeys(relay.addresses_of(ports, reached_at, self._own)))
        return tuple(found)

    def keys(self) -> TicketKeys:
        """See :meth:`wlnet.rendezvous.ports.PairRelays.keys`."""
        return self._keys()

    def quotas(self, pair: str, side: Side, address: str) -> RelayPair:
        """See :meth:`wlnet.rendezvous.ports.PairRelays.quotas`; the settings of the relays are the quotas."""
        return RelayPair(pair=pair, side=side, address=address)

    def revoke(self, pair: str) -> None:
        """See :meth:`wlnet.rendezvous.ports.PairRelays.revoke`.

        A ticket is good at all relays, so all are told, those that are away when they are back.
        """
        self._where.pop(pair, None)
        _remember(self._revoked, pair, None, self._memory)
        self._tell_all(RevokePairs(pairs=(pair,)))

    # For the links.

    def linked(self, relay: RelayRecord) -> Iterator[Message]:
        """A relay is there: what it is told first."""
        self._relays[relay.name] = relay
        return iter(self._revocations()) if relay.pairs is not None else iter(())

    def loaded(self, relay: RelayRecord, pairs: int) -> None:
        """A relay says how many pairs it carries."""
        relay.pair_load = pairs

    def forget(self, relay: RelayRecord) -> None:
        """A relay stays away: its pairs may be given to others."""
        if self._relays.get(relay.name) is relay:
            del self._relays[relay.name]

    def _place(self, relay: RelayRecord, reached_at: str) -> RelayPlace | None:
        ports = relay.pairs
        addresses = relay.addresses_of(ports, reached_at, self._own) if ports is not None else ()
        if ports is None or not addresses:
            return None
        return RelayPlace(addresses=addresses, udp_port=ports.udp, tcp_port=ports.tcp, tls_port=ports.tls)

    def _revocations(self) -> Iterator[RevokePairs]:
        pairs = iter(tuple(self._revoked))
        while part := tuple(islice(pairs, MAX_REVOKED)):
            yield RevokePairs(pairs=part)

    def _tell_all(self, message: FromLobby) -> None:
        for relay in tuple(self._relays.values()):
            if relay.link is not None and relay.pairs is not None:
                relay.link.tell(message)


def _remember(memory: OrderedDict[str, _T], key: str, value: _T, most: int) -> None:
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > most:
        memory.popitem(last=False)
