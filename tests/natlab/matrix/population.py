"""How much of what players send a relay is spared, for stated mixes of their networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.natlab.matrix.ceiling import RELAY
from tests.natlab.matrix.cells import Outcome

# Seconds; what is carried by the relay before the game moves to a better path counts as relayed.
GAME = 1800.0


@dataclass(frozen=True)
class Mix:
    """Percent of players with a network of each kind, and where the figures are from."""

    name: str
    shares: Mapping[str, int]
    words: str


HOMES = Mix(
    "homes",
    {
        "open": 3,
        "open-fw": 1,
        "upnp": 14,
        "upnp-sym": 2,
        "full-cone": 6,
        "restricted": 4,
        "port-restricted": 26,
        "pr-reject": 5,
        "pr-clash": 4,
        "eim-remap": 4,
        "v6-fw": 6,
        "cgn": 8,
        "upnp-cgn": 2,
        "cgn-sym": 5,
        "pr-collide": 1,
        "sym-seq": 2,
        "sym-random": 6,
        "udp-blocked": 1,
    },
    "Our estimate, on the careful side of: 82 % of NATs keep one port for all destinations (Ford, Srisuresh, "
    "Kegel, USENIX 2005: here 84 %); port mapping works in a minority of homes (DiCioccio et al., PAM 2012: "
    "no UPnP data at all in most of 120 000 homes; here 16 %); carriers translate in 17 to 18 % of fixed "
    "networks (Richter et al., IMC 2016; 10 % of providers in Europe and the USA, Mandalari et al. 2017: "
    "here 15 %), many of them with unpredictable ports. IPv6 counts only for the 6 % of v6-fw and between "
    "them, although far more users have it.",
)
MOBILE = Mix(
    "a third on mobile or shared networks",
    {
        "open": 2,
        "upnp": 9,
        "upnp-sym": 1,
        "full-cone": 4,
        "restricted": 3,
        "port-restricted": 18,
        "pr-reject": 3,
        "pr-clash": 3,
        "eim-remap": 3,
        "v6-fw": 4,
        "cgn": 16,
        "upnp-cgn": 2,
        "cgn-sym": 20,
        "pr-collide": 1,
        "sym-seq": 2,
        "sym-random": 6,
        "udp-blocked": 2,
        "tcp443": 1,
    },
    "The same with a third of the players behind mobile carriers (more than 92 % of those translate, Richter "
    "et al.), half of which choose unpredictable ports, and a few in networks of companies and schools.",
)
MIXES = (HOMES, MOBILE)


@dataclass(frozen=True)
class Spared:
    """Shares of 1: pairs with a path of their own, bytes that never touch the relay, pairs connected."""

    pairs: float
    sent: float
    connected: float


def spared(outcomes: Sequence[Outcome], mix: Mix, *, birthday: bool) -> Spared | None:
    """What the outcomes mean for pairs drawn from the mix; None if one of them was not played.

    :param birthday: both players agree to trying many ports.
    """
    played: dict[frozenset[str], list[Outcome]] = {}
    for outcome in outcomes:
        if not outcome.birthday and not outcome.event:
            played.setdefault(frozenset((outcome.host, outcome.guest)), []).append(outcome)
    if birthday:
        for outcome in outcomes:
            if outcome.birthday:
                played[frozenset((outcome.host, outcome.guest))] = [outcome]
    pairs = sent = connected = 0.0
    for one, share in mix.shares.items():
        for other, other_share in mix.shares.items():
            found = played.get(frozenset((one, other)))
            if not found:
                return None
            for outcome in found:
                weight = share * other_share / 10_000 / len(found)
                if outcome.letter is not None:
                    connected += weight
                    if outcome.letter != RELAY:
                        pairs += weight
                        sent += weight * (1 - min((outcome.upgrade or 0.0) / GAME, 1.0))
    return Spared(pairs, sent, connected)
