"""Bans and mutes in force, in memory: what every door of the server asks.

This is the authority at run time; the database behind it (``shell_keeper.py``) may be slow or away. Changes
made here are kept in :meth:`Sanctions.unsaved` until somebody says they are written down.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Network, ip_network
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from wlnet.limits.addresses import IPAddress, IPNetwork, address_key, parse_address
from wlnet.lobby.names import name_problem

MAX_TEXT = 500
"""Characters of a reason."""
MAX_NAME = 255
"""Characters of an account's or player's name, and of who imposed or lifted."""
WIDEST_NETWORK = {4: 8, 6: 16}
"""The shortest prefix that may be banned; a slip of the finger must not shut out the whole world."""


class Kind(StrEnum):
    """What somebody may no longer do: come in, or talk."""

    BAN = "ban"
    MUTE = "mute"


class Target(StrEnum):
    """What a sanction's value is.

    ADDRESS is an IPv4 address or the /64 of an IPv6 address; NETWORK is in CIDR notation; ACCOUNT is the name
    of a registered player, logged in with the password; NAME is the name of any player.
    """

    ADDRESS = "address"
    NETWORK = "network"
    ACCOUNT = "account"
    NAME = "name"


class Sanction(Struct, frozen=True, kw_only=True):
    """One ban or mute. Times are seconds since 1970; ``expires_at`` None means for ever.

    ``sweeps`` says whether those it hits are removed who are here already; it is not stored, for it means
    the moment only.
    """

    id: str
    kind: Kind
    target: Target
    value: str
    reason: str
    by: str
    created_at: float
    expires_at: float | None = None
    lifted_at: float | None = None
    lifted_by: str | None = None
    sweeps: bool = True

    def in_force(self, now: float) -> bool:
        """True if neither lifted nor over at *now*."""
        return self.lifted_at is None and (self.expires_at is None or now < self.expires_at)


class SanctionsFullError(Exception):
    """There are as many sanctions as may be; none was imposed."""


class SanctionListener(Protocol):
    """Who wants to know of changes, wherever they were made; the end of a sanction's time is not told."""

    def imposed(self, sanction: Sanction, /) -> None:
        """*sanction* is in force from now on."""

    def lifted(self, sanction: Sanction, /) -> None:
        """*sanction* is no longer in force, before its time."""


def normal_value(target: Target, value: str) -> str:
    """The one way to write *value*: addresses as their limit key, networks without host bits.

    :raises ValueError: it is no such thing, or too wide; the message is a sentence.
    """
    match target:
        case Target.ADDRESS:
            return _address_value(value)
        case Target.NETWORK:
            return str(_network(value))
        case Target.ACCOUNT | Target.NAME:
            problem = name_problem(value, MAX_NAME)
            if problem is not None:
                raise ValueError(problem)
            return value


class Sanctions:
    """All sanctions in force.

    :param wall: seconds since 1970.
    :param new_id: a fresh identifier at each call, the same never again.
    :param max_entries: sanctions held at a time, those waiting to be saved included.
    """

    def __init__(self, wall: Callable[[], float], new_id: Callable[[], str], max_entries: int) -> None:
        self._wall = wall
        self._new_id = new_id
        self._max_entries = max_entries
        self._active: dict[str, Sanction] = {}
        self._by_value: dict[tuple[Kind, Target, str], dict[str, Sanction]] = {}
        self._networks: dict[Kind, _NetworkIndex] = {kind: _NetworkIndex() for kind in Kind}
        self._endings: list[tuple[float, str]] = []
        self._unsaved: dict[str, Sanction] = {}
        self._over_unsaved: set[str] = set()  # of those, the ones no longer in force
        self._listeners: list[SanctionListener] = []

    def banned(
        self, address: str | None = None, account: str | None = None, name: str | None = None
    ) -> Sanction | None:
        """A ban in force that hits any of these, or None.

        :param address: IP literal; text that is none (a UNIX socket) is hit by nothing.
        :param account: name of a registered player.
        :param name: name of any player, registered or not.
        """
        return self._find(Kind.BAN, address, account, name)

    def muted(
        self, address: str | None = None, account: str | None = None, name: str | None = None
    ) -> Sanction | None:
        """The same for mutes."""
        return self._find(Kind.MUTE, address, account, name)

    def impose(
        self,
        kind: Kind,
        target: Target,
        value: str,
        *,
        reason: str,
        by: str,
        duration: float | None,
        sweeps: bool = True,
    ) -> Sanction:
        """Put a sanction in force and tell the listeners.

        :param reason: for the record, and perhaps for the player; may be empty.
        :param by: who did it.
        :param duration: seconds from now; None for ever.
        :param sweeps: see :class:`Sanction`.
        :raises ValueError: a value that cannot be; the message is a sentence.
        :raises SanctionsFullError: there are too many already.
        """
        kind, target = Kind(kind), Target(target)
        value = normal_value(target, value)
        _check_text("The reason", reason, MAX_TEXT)
        _check_text("The name of who did it", by, MAX_NAME)
        if duration is not None and not (math.isfinite(duration) and duration > 0):
            raise ValueError("The duration must be more than 0 seconds.")
        now = self._wall()
        self._forget_ended(now)
        if self._held() >= self._max_entries:
            raise SanctionsFullError(
                f"There are {self._max_entries} bans and mutes already (moderation.max_entries); lift some."
            )
        sanction = Sanction(
            id=self._new_id(),
            kind=kind,
            target=target,
            value=value,
            reason=reason,
            by=by,
            created_at=now,
            expires_at=None if duration is None else now + duration,
            sweeps=sweeps,
        )
        self._unsaved[sanction.id] = sanction
        self._enter(sanction)
        return sanction

    def lift(self, sanction_id: str, by: str) -> Sanction | None:
        """End a sanction before its time and tell the listeners; None if there is none of that id in force.

        :raises ValueError: *by* cannot be a name.
        """
        _check_text("The name of who did it", by, MAX_NAME)
        now = self._wall()
        self._forget_ended(now)
        sanction = self._active.get(sanction_id)
        if sanction is None:
            return None
        lifted = replace(sanction, lifted_at=now, lifted_by=by)
        self._unsaved[sanction_id] = lifted
        self._leave(lifted)
        return lifted

    def active(self) -> list[Sanction]:
        """Those in force, the oldest entry first."""
        self._forget_ended(self._wall())
        return list(self._active.values())

    def merge(self, stored: Iterable[Sanction]) -> int:
        """Take over what the database (or the lobby, at a relay) says is in force.

        New ones are entered; those that are not in *stored* leave, except those that were not saved yet.
        Listeners are told of both.

        :return: how many could not be entered because there are too many.
        """
        now = self._wall()
        self._forget_ended(now)
        said = {sanction.id: sanction for sanction in stored}
        for sanction_id, known in list(self._active.items()):
            gone = sanction_id not in self._unsaved and sanction_id not in said
            if gone and sanction_id in self._active:  # still: a listener may have lifted it meanwhile
                self._leave(known)
        return sum(not self._adopt(sanction, now) for sanction in said.values())

    def adopt(self, sanction: Sanction) -> bool:
        """Take over one change made elsewhere (imposed, or lifted). False if there are too many."""
        now = self._wall()
        self._forget_ended(now)
        return self._adopt(sanction, now)

    def unsaved(self, limit: int) -> list[Sanction]:
        """What :meth:`impose` and :meth:`lift` changed and nobody wrote down yet, at most *limit* of it."""
        return [sanction for _, sanction in zip(range(limit), self._unsaved.values(), strict=False)]

    def saved(self, sanction: Sanction) -> None:
        """*sanction* was written down as it is here; if it has changed since, the change stays unsaved."""
        if self._unsaved.get(sanction.id) == sanction:
            del self._unsaved[sanction.id]
            self._over_unsaved.discard(sanction.id)

    @property
    def unsaved_count(self) -> int:
        """How many changes wait to be written down."""
        return len(self._unsaved)

    def subscribe(self, listener: SanctionListener) -> Callable[[], None]:
        """Tell *listener* of every change from now on; the answer ends it."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def __len__(self) -> int:
        """Sanctions in force."""
        self._forget_ended(self._wall())
        return len(self._active)

    def _find(
        self, kind: Kind, address: str | None, account: str | None, name: str | None
    ) -> Sanction | None:
        self._forget_ended(self._wall())
        if not self._active:
            return None
        found = None
        if address is not None:
            found = self._first(kind, Target.ADDRESS, address_key(address))
            if found is None:
                found = self._networks[kind].find(address)
        if found is None and account is not None:
            found = self._first(kind, Target.ACCOUNT, account)
        if found is None and name is not None:
            found = self._first(kind, Target.NAME, name)
        return found

    def _first(self, kind: Kind, target: Target, value: str) -> Sanction | None:
        same = self._by_value.get((kind, target, value))
        return next(iter(same.values())) if same else None

    def _held(self) -> int:
        return len(self._active) + len(self._over_unsaved)

    def _adopt(self, sanction: Sanction, now: float) -> bool:
        known = self._active.get(sanction.id)
        if known is not None:
            if sanction.lifted_at is not None:
                self._leave(sanction)
            return True
        if not sanction.in_force(now) or sanction.id in self._unsaved:  # lifted here, not saved yet
            return True
        if self._held() >= self._max_entries:
            return False
        try:
            normal = normal_value(sanction.target, sanction.value)
        except ValueError:
            return True  # somebody edited the database by hand; such a value hits nobody
        self._enter(sanction if normal == sanction.value else replace(sanction, value=normal))
        return True

    def _enter(self, sanction: Sanction) -> None:
        self._active[sanction.id] = sanction
        key = (sanction.kind, sanction.target, sanction.value)
        if not self._by_value.get(key):
            self._by_value[key] = {}
            if sanction.target is Target.NETWORK:
                self._networks[sanction.kind].add(sanction.value, self._by_value[key])
        self._by_value[key][sanction.id] = sanction
        if sanction.expires_at is not None:
            heapq.heappush(self._endings, (sanction.expires_at, sanction.id))
        for listener in tuple(self._listeners):
            listener.imposed(sanction)

    def _leave(self, sanction: Sanction) -> None:
        self._drop(sanction.id)
        for listener in tuple(self._listeners):
            listener.lifted(sanction)

    def _drop(self, sanction_id: str) -> None:
        sanction = self._active.pop(sanction_id)
        if sanction_id in self._unsaved:
            self._over_unsaved.add(sanction_id)
        key = (sanction.kind, sanction.target, sanction.value)
        same = self._by_value[key]
        del same[sanction_id]
        if not same:
            del self._by_value[key]
            if sanction.target is Target.NETWORK:
                self._networks[sanction.kind].discard(sanction.value)

    def _forget_ended(self, now: float) -> None:
        while self._endings and self._endings[0][0] <= now:
            sanction_id = heapq.heappop(self._endings)[1]
            if sanction_id in self._active:
                self._drop(sanction_id)
        # Lifted ones leave their ending behind; more of those than live ones are swept out.
        if len(self._endings) > 2 * len(self._active) + 64:
            self._endings = [ending for ending in self._endings if ending[1] in self._active]
            heapq.heapify(self._endings)


class _NetworkIndex:
    """Networks by prefix length: a look-up costs a step for each length in use, however many networks."""

    def __init__(self) -> None:
        self._by_prefix: dict[tuple[int, int], dict[int, dict[str, Sanction]]] = {}

    def add(self, value: str, same: dict[str, Sanction]) -> None:
        network = ip_network(value)
        by_start = self._by_prefix.setdefault((network.version, network.prefixlen), {})
        by_start[int(network.network_address)] = same

    def discard(self, value: str) -> None:
        network = ip_network(value)
        prefix = (network.version, network.prefixlen)
        by_start = self._by_prefix[prefix]
        del by_start[int(network.network_address)]
        if not by_start:
            del self._by_prefix[prefix]

    def find(self, text: str) -> Sanction | None:
        if not self._by_prefix:
            return None
        try:
            address = parse_address(text)
        except ValueError:
            return None
        number, bits = int(address), address.max_prefixlen
        for (version, length), by_start in self._by_prefix.items():
            if version == address.version:
                same = by_start.get(number >> (bits - length) << (bits - length))
                if same:
                    return next(iter(same.values()))
        return None


def _address_value(value: str) -> str:
    try:
        address: IPAddress = parse_address(value)
    except ValueError:
        try:
            network = ip_network(value)
        except ValueError:
            raise ValueError(f'"{_shown(value)}" is no IP address.') from None
        if network.prefixlen != (64 if isinstance(network, IPv6Network) else 32):
            raise ValueError(f"{network} is a network; ban it as a network.") from None
        address = parse_address(str(network.network_address))
    return address_key(str(address))


def _network(value: str) -> IPNetwork:
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f'"{_shown(value)}" is no network; write it like 203.0.113.0/24.') from None
    if isinstance(network, IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if isinstance(mapped, IPv4Address) and network.prefixlen >= 96:
            network = ip_network(f"{mapped}/{network.prefixlen - 96}")
    widest = WIDEST_NETWORK[network.version]
    if network.prefixlen < widest:
        raise ValueError(f"{network} is too wide: an IPv{network.version} network starts at /{widest}.")
    return network


def _check_text(what: str, text: str, max_length: int) -> None:
    if len(text) > max_length:
        raise ValueError(f"{what} is longer than {max_length} characters.")
    if text and not text.isprintable():
        raise ValueError(f"{what} has characters in it that cannot be shown.")


def _shown(text: str) -> str:
    return ascii(text[:60])[1:-1]
