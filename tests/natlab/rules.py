"""The packet filter of a router: its behaviour as a script for nft(8)."""

from __future__ import annotations

from dataclasses import dataclass

from tests.natlab.kinds import V6, Behaviour, Filtering, Mapping, Passes, Unsolicited

TABLE = "router"
UDP_TIMEOUT = 120
TCP_TIMEOUT = 7440
# The ports of Mapping.SEQUENTIAL; after the last comes the first again.
SEQUENCE = 4096
_SEQUENCE_START = 16384

# The chains miniupnpd puts its rules into, all in our table.
IGD_FORWARD = "miniupnpd"
IGD_DSTNAT = "prerouting_miniupnpd"
IGD_SRCNAT = "postrouting_miniupnpd"

_DROP = {
    Unsolicited.SILENT: ["drop"],
    Unsolicited.REJECT: ["meta l4proto tcp reject with tcp reset", "reject"],
    Unsolicited.ANSWER: ["accept"],
}
_OUT = 'iifname != "wan"'
_PORTS = "meta l4proto { tcp, udp }"


@dataclass(frozen=True)
class Policy:
    """What one router does at the moment. `seed` chooses external ports where they are not the inner ones."""

    behaviour: Behaviour
    wan: str
    servers: tuple[str, ...]
    seed: int
    hairpin: bool = False
    igd: bool = False
    carrier: bool = False
    v6: V6 = V6.NONE
    udp_timeout: int | None = None

    def script(self) -> str:
        """Everything for `nft -f`; replaces what was loaded before."""
        lines = [f"table inet {TABLE} {{}}", f"delete table inet {TABLE}"]
        lines += [f"table inet {TABLE} {{", *self._filter()]
        if self.behaviour.translates:
            lines += [*self._input(), *self._learn(), *self._dstnat(), *self._srcnat()]
        if self.igd:
            lines += [f"chain {name} {{}}" for name in (IGD_FORWARD, IGD_DSTNAT, IGD_SRCNAT)]
        return "\n".join([*lines, "}", ""])

    @property
    def _is_firewall(self) -> bool:
        return self.behaviour.filtering is not Filtering.EIF or self.behaviour.translates

    def _filter(self) -> list[str]:
        rules = []
        if self.behaviour.passes is Passes.NO_UDP:
            rules += ["meta l4proto udp drop"]
        if self.behaviour.passes is Passes.TCP_443:
            rules += [f"{_OUT} tcp dport != 443 drop", f"{_OUT} meta l4proto != tcp drop"]
        if self.v6 is V6.OPEN:
            rules += ["meta nfproto ipv6 accept"]
        if not self._is_firewall:
            rules += ["meta nfproto ipv4 accept"]
        if self.igd:
            rules += [f"jump {IGD_FORWARD}"]
        # "dnat" is what the maps of _dstnat let in.
        accepted = ["ct state invalid drop", "ct state established,related accept", "ct status dnat accept"]
        rules += [*accepted, f'{_OUT} oifname "wan" accept']
        return _chain("forward", "type filter hook forward priority 0; policy drop;", rules)

    def _input(self) -> list[str]:
        """To the router's own address. Without hairpin a carrier drops what comes from inside as well."""
        rules = ["ct state established,related accept", "meta l4proto { icmp, ipv6-icmp } accept"]
        if not self.carrier:
            rules += [f"{_OUT} accept"]
        rules += _DROP[self.behaviour.unsolicited]
        return _chain("input", "type filter hook input priority 0; policy accept;", rules)

    @property
    def _keeps_by_endpoint(self) -> bool:
        return self.behaviour.filtering is Filtering.EIF or self.hairpin

    def _learn(self) -> list[str]:
        """Write down external endpoint and inner endpoint of what leaves, after its translation."""
        timeouts = {"udp": self.udp_timeout or UDP_TIMEOUT, "tcp": TCP_TIMEOUT}
        inner = "ct original ip saddr . ct original proto-src"
        lines: list[str] = []
        rules: list[str] = []
        kept = []
        if self._keeps_by_endpoint:
            kept.append(("eif", "inet_proto . inet_service", "meta l4proto . th sport"))
        if self.behaviour.filtering is Filtering.ADF:
            types = "inet_proto . inet_service . ipv4_addr"
            kept.append(("adf", types, "meta l4proto . th sport . ip daddr"))
        for name, types, key in kept:
            lines += [f"map {name} {{ type {types} : ipv4_addr . inet_service; flags dynamic,timeout; }}"]
            for protocol, seconds in timeouts.items():
                condition = f'oifname "wan" meta nfproto ipv4 meta l4proto {protocol}'
                rules += [f"{condition} update @{name} {{ {key} timeout {seconds}s : {inner} }}"]
        if not rules:
            return []
        return lines + _chain("learn", "type filter hook postrouting priority 150;", rules)

    def _dstnat(self) -> list[str]:
        """Let unsolicited packets in where the filtering allows it."""
        rules = []
        if self.igd:
            rules += [f'iifname "wan" jump {IGD_DSTNAT}']
        arrives = f"ip daddr {self.wan} {_PORTS}"
        if self.behaviour.filtering is Filtering.EIF:
            rules += [f'iifname "wan" {arrives} dnat ip to meta l4proto . th dport map @eif']
        if self.behaviour.filtering is Filtering.ADF:
            rules += [f'iifname "wan" {arrives} dnat ip to meta l4proto . th dport . ip saddr map @adf']
        if self.hairpin:
            rules += [f"{_OUT} {arrives} dnat ip to meta l4proto . th dport map @eif"]
        return _chain("dstnat", "type nat hook prerouting priority -100;", rules)

    def _srcnat(self) -> list[str]:
        lines = []
        rules = []
        if self.igd:
            rules += [f'oifname "wan" jump {IGD_SRCNAT}']
        # A hairpinned packet comes from the external endpoint of its sender (RFC 4787, REQ-9).
        hairpinned = ['oifname != "wan" ct status dnat']
        for leaves in ['oifname "wan"', *(hairpinned if self.hairpin else [])]:
            rules += [f"{leaves} meta nfproto ipv4 {rule}" for rule in self._translations()]
        if self.behaviour.mapping is Mapping.SEQUENTIAL:
            first = _SEQUENCE_START + self.seed % SEQUENCE
            ports = ", ".join(f"{step} : {first + step}" for step in range(SEQUENCE))
            types = f"typeof numgen inc mod {SEQUENCE} : th sport"
            lines = [f"map sequence {{ {types}; elements = {{ {ports} }}; }}"]
        return lines + _chain("srcnat", "type nat hook postrouting priority 100;", rules)

    def _translations(self) -> list[str]:
        plain = f"snat ip to {self.wan}"
        match self.behaviour.mapping:
            case Mapping.HASH:
                # The bits keep the port above 32768 in either byte order.
                port = f"(jhash ip saddr . th sport mod 65536 seed {self.seed:#x} | 0x8080)"
                return [f"{_PORTS} {plain} : {port}", plain]
            case Mapping.LOST_TO_SERVER:
                servers = f"ip daddr {{ {', '.join(self.servers)} }}"
                # The port is named: else the kernel would reuse the one of the flow to the server.
                return [f"{servers} {plain} fully-random", f"{_PORTS} {plain} : th sport", plain]
            case Mapping.SEQUENTIAL:
                return [f"{_PORTS} {plain} : numgen inc mod {SEQUENCE} map @sequence", plain]
            case Mapping.RANDOM:
                return [f"{plain} fully-random"]
            case _:
                return [plain]


def _chain(name: str, hook: str, rules: list[str]) -> list[str]:
    return [f"chain {name} {{", hook, *rules, "}"]
