"""A home's or a carrier's router: what it translates, forgets and answers."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

from tests.natlab import conntrack
from tests.natlab.igd import Igd
from tests.natlab.kinds import Behaviour, Mapping
from tests.natlab.links import Link
from tests.natlab.namespace import Namespace
from tests.natlab.rules import Policy


class Router:
    """A router in its namespace; its outer device is `wan`, its public address is `wan`.

    `move` changes its address in its surroundings, from the first to the second.
    """

    def __init__(
        self,
        namespace: Namespace,
        policy: Policy,
        link: Link,
        addresses: tuple[str, str],
        move: Callable[[str, str], None],
    ) -> None:
        self.namespace = namespace
        self.policy = policy
        self.link = link
        self.igd: Igd | None = None
        self._addresses = addresses
        self._move = move

    @property
    def wan(self) -> str:
        """The IPv4 address on its outer side; behind a carrier this is no public one."""
        return self.policy.wan

    def load(self) -> None:
        """Apply the policy. Flows in the connection tracking table keep their translation."""
        self.namespace.nft(self.policy.script())
        self._load_timeout()

    def _load_timeout(self) -> None:
        timeout = self.policy.udp_timeout
        if timeout is not None:
            names = ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream")
            self.namespace.sysctl({f"netfilter/{name}": str(timeout) for name in names})

    def reboot(self, *, new_ip: bool = False) -> None:
        """Forget all flows and mapped ports, at once; get the other of its two addresses if wanted.

        A router that keeps ports or computes them gives the same ones again; the others do not.
        """
        if self.igd is not None:
            self.igd.stop()
        if new_ip:
            other = self._addresses[self.wan == self._addresses[0]]
            self._move(self.wan, other)
            self.policy = dataclasses.replace(self.policy, wan=other)
        if self.policy.behaviour.mapping is Mapping.SEQUENTIAL:
            self._reseed()
        self.load()
        conntrack.flush(self.namespace)
        if self.igd is not None:
            self.igd.start()

    def new_mapping(self) -> None:
        """Forget all flows and give them other external ports from now on; ports mapped by IGD are lost.

        A router that keeps ports computes them from now on, as an `eim-remap` one does.
        """
        behaviour: Behaviour = self.policy.behaviour
        if behaviour.mapping is Mapping.KEEP:
            behaviour = dataclasses.replace(behaviour, mapping=Mapping.HASH)
            self.policy = dataclasses.replace(self.policy, behaviour=behaviour)
        self._reseed()
        self.reboot()

    def _reseed(self) -> None:
        self.policy = dataclasses.replace(self.policy, seed=random.getrandbits(31))

    def set_udp_timeout(self, seconds: int) -> None:
        """Forget a UDP flow after this many seconds without a packet."""
        self.policy = dataclasses.replace(self.policy, udp_timeout=seconds)
        if self.igd is None:
            self.load()
        else:
            self._load_timeout()  # loading would lose its mapped ports
