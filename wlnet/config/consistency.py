"""Checks no single value can fail alone: addresses, networks, and settings that must fit each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from wlnet.config.problems import show
from wlnet.config.schema import Config
from wlnet.config.units import format_duration, format_size

CLIENT_PING_LIMIT = 240
"""Seconds without a PING after which released Widelands clients reconnect (metaserver.md)."""

_ORIGIN = re.compile(r"(\*|https?://[A-Za-z0-9.:\[\]-]+)?")
_DATABASE_URL = re.compile(r"[a-z][a-z0-9]*(\+[a-z0-9]+)?://.*")
_CHAT_ENVELOPE = 512
"""Bytes of a lobby packet beside the text of a chat line: command, names, type."""


@dataclass(frozen=True, slots=True)
class Inconsistency:
    """One finding; the first of *keys* that somebody set is the one to blame."""

    keys: tuple[str, ...]
    text: str
    index: int | None = None


def find_inconsistencies(config: Config) -> Iterator[Inconsistency]:
    """Everything wrong with *config* as a whole."""
    for check in (
        _roles,
        _listen_addresses,
        _public_addresses,
        _networks,
        _ports,
        _link,
        _tls,
        _web,
        _times,
        _sizes,
        _other,
    ):
        yield from check(config)


def split_host_port(text: str) -> tuple[str, int]:
    """``HOST:PORT`` or ``[IPv6]:PORT`` in its two parts.

    :raises ValueError: it is neither, or the port is not 1 to 65535.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        IPv6Address(host.partition("%")[0])
    elif ":" in host:
        raise ValueError("an IPv6 address needs brackets")
    if not (colon and host and port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError("no HOST:PORT")
    return host, int(port)


def _roles(config: Config) -> Iterator[Inconsistency]:
    if len(set(config.server.roles)) < len(config.server.roles):
        yield Inconsistency(("server.roles",), "a role is there twice (write each once)")


def _listen_addresses(config: Config) -> Iterator[Inconsistency]:
    lists = {
        "lobby.listen": config.lobby.listen,
        "relay.listen": config.relay.listen,
        "stun.listen": config.stun.listen,
        "link.listen": (config.link.listen,),
        "web.listen": config.web.listen,
        "web.status_listen": config.web.status_listen,
    }
    for key, addresses in lists.items():
        for index, text in enumerate(addresses):
            wrong = _bad_literal(text)
            if wrong:
                yield Inconsistency((key,), wrong, index)
            elif text in addresses[:index]:
                yield Inconsistency((key,), f"{show(text)} is there twice", index)


def _bad_literal(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        if text == "localhost":
            meant = 'did you mean "127.0.0.1" or "::1"; '
        elif text in ("", "*"):
            meant = 'did you mean "0.0.0.0" and "::"; '
        else:
            meant = ""
        allowed = 'literals like "0.0.0.0" or "::", no names and no ports'
        return f"{show(text)} is no IP address ({meant}allowed: {allowed})"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return f'{show(text)} is an IPv4 address in IPv6 dress (write "{address.ipv4_mapped}")'
    return "a multicast address cannot be used here" if address.is_multicast else None


def _public_addresses(config: Config) -> Iterator[Inconsistency]:
    for key, addresses in (
        ("relay.public_addresses", config.relay.public_addresses),
        ("stun.second_addresses", config.stun.second_addresses),
        ("stun.second_public_addresses", config.stun.second_public_addresses),
    ):
        yield from _one_a_family(key, addresses)
    for text in config.stun.second_addresses:
        if text in config.relay.public_addresses or text in config.stun.listen:
            yield Inconsistency(
                ("stun.second_addresses",), f"{show(text)} is the first address already (write another one)"
            )


def _one_a_family(key: str, addresses: tuple[str, ...]) -> Iterator[Inconsistency]:
    families: set[int] = set()
    for index, text in enumerate(addresses):
        wrong = _bad_literal(text)
        if wrong:
            yield Inconsistency((key,), wrong, index)
            continue
        address = ip_address(text)
        if address.is_unspecified:
            yield Inconsistency(
                (key,),
                f"{show(text)} cannot be reached by players (write the public address, or leave it out)",
                index,
            )
        elif "%" in text:
            yield Inconsistency(
                (key,), f"{show(text)} means nothing on another machine (write it without %...)", index
            )
        elif address.version in families:
            yield Inconsistency(
                (key,),
                f"{show(text)} is the second IPv{address.version} address (allowed: one of each family)",
                index,
            )
        families.add(address.version)


def _networks(config: Config) -> Iterator[Inconsistency]:
    for index, text in enumerate(config.limits.trusted_networks):
        try:
            ip_network(text)
        except ValueError:
            try:
                meant = f'did you mean "{ip_network(text, strict=False)}"; '
            except ValueError:
                meant = ""
            yield Inconsistency(
                ("limits.trusted_networks",),
                f'{show(text)} is no network ({meant}allowed: like "10.1.0.0/16" or "2001:db8::/32")',
                index,
            )


def _ports(config: Config) -> Iterator[Inconsistency]:
    used: dict[int, str] = {}
    both = len(set(config.server.roles)) == 2
    for role, port, name in (
        ("lobby", config.lobby.port, "lobby.port"),
        ("relay", config.relay.port, "relay.port"),
        ("relay", config.stun.port, "stun.port"),
        ("relay", config.stun.second_port, "stun.second_port"),
        ("lobby", config.link.port, "link.port"),
        ("lobby", config.tls.lobby_port, "tls.lobby_port"),
        ("relay", config.tls.pairs_port, "tls.pairs_port"),
        ("", config.web.port, "web.port"),
        ("", config.web.status_port, "web.status_port"),
    ):
        service = name.removeprefix("tls.").removesuffix("_port")
        unused = (
            (name == "link.port" and both)
            or (name.startswith("stun.") and not config.stun.enabled)
            or (name.startswith("tls.") and not (config.tls.certificate and service in config.tls.services))
            or (name.startswith("web.") and not config.web.enabled)
            or (name == "web.status_port" and not config.web.status_listen)
        )
        if port == 0 or (role and role not in config.server.roles) or unused:
            continue
        if port in used:
            yield Inconsistency(
                (name, used[port]), f"{port} is both {used[port]} and {name} (use another one)"
            )
        used[port] = name


def _link(config: Config) -> Iterator[Inconsistency]:
    try:
        split_host_port(config.link.lobby)
    except ValueError:
        yield Inconsistency(
            ("link.lobby",),
            f'{show(config.link.lobby)} is no HOST:PORT (like "lobby.example.org:7398" or "[::1]:7398")',
        )
    if not config.link.secret_file and len(set(config.server.roles)) == 1:
        yield Inconsistency(
            ("link.secret_file", "server.roles"),
            'a process that is only one of lobby and relay needs a secret file ("link.secret")',
        )


def _tls(config: Config) -> Iterator[Inconsistency]:
    for there, missing in (("certificate", "key"), ("key", "certificate")):
        if getattr(config.tls, there) and not getattr(config.tls, missing):
            yield Inconsistency(
                (f"tls.{there}",), f"needs tls.{missing} as well (write the path of that file, or neither)"
            )


def _times(config: Config) -> Iterator[Inconsistency]:
    lobby, relay, link = config.lobby, config.relay, config.link
    for short, long in (
        ("lobby.ping_interval", "lobby.silence_timeout"),
        ("lobby.ping_interval", "lobby.login_silence_timeout"),
        ("relay.ping_interval", "relay.ping_timeout"),
        ("link.keepalive", "link.dead_after"),
    ):
        short_value, long_value = _value(config, short), _value(config, long)
        if long_value <= short_value:
            yield Inconsistency(
                (long, short),
                f"{long} ({format_duration(long_value)}) must be longer than "
                f"{short} ({format_duration(short_value)})",
            )
    if lobby.ping_interval >= CLIENT_PING_LIMIT:
        yield Inconsistency(
            ("lobby.ping_interval",),
            f"must be under {CLIENT_PING_LIMIT} s, or released clients take the connection for dead",
        )
    if link.reconnect_max < link.reconnect_min:
        yield Inconsistency(
            ("link.reconnect_max", "link.reconnect_min"),
            "link.reconnect_max must not be below link.reconnect_min",
        )
    if relay.first_ping >= relay.ping_timeout:
        yield Inconsistency(
            ("relay.first_ping", "relay.ping_timeout"), "relay.first_ping must be below relay.ping_timeout"
        )


def _sizes(config: Config) -> Iterator[Inconsistency]:
    limits = config.limits
    for small, large in (
        ("limits.lobby_packet_before_login", "limits.lobby_packet"),
        ("limits.lobby_queue", "limits.total_queues"),
        ("relay.queue_limit", "limits.total_queues"),
    ):
        small_value, large_value = int(_value(config, small)), int(_value(config, large))
        if small_value > large_value:
            yield Inconsistency(
                (small, large),
                f"{small} ({format_size(small_value)}) must not be above "
                f"{large} ({format_size(large_value)})",
            )
    if limits.chat_length + _CHAT_ENVELOPE > limits.lobby_packet:
        yield Inconsistency(
            ("limits.chat_length", "limits.lobby_packet"),
            f"a chat line of {limits.chat_length} bytes does not fit into "
            f"limits.lobby_packet ({limits.lobby_packet} bytes, {_CHAT_ENVELOPE} of them for names)",
        )
    motd = len(config.lobby.motd.encode("utf-8", "replace"))
    if motd > limits.chat_length:
        yield Inconsistency(
            ("lobby.motd", "limits.chat_length"),
            f"the text has {motd} bytes (allowed: limits.chat_length, {limits.chat_length})",
        )


def _other(config: Config) -> Iterator[Inconsistency]:
    if not _DATABASE_URL.fullmatch(config.database.url):
        scheme = "sqlite:///" if "://" not in config.database.url else ""
        meant = f'did you mean "sqlite:///{config.database.url}"; ' if scheme else ""
        yield Inconsistency(
            ("database.url",),
            f'is no SQLAlchemy URL ({meant}like "sqlite:///wlnet.sqlite3" or "postgresql+psycopg://user@host/name")',
        )


def _web(config: Config) -> Iterator[Inconsistency]:
    if not _ORIGIN.fullmatch(config.web.status_origin):
        yield Inconsistency(
            ("web.status_origin",),
            f'{show(config.web.status_origin)} is no origin (allowed: "*", "", or like '
            '"https://example.org", without a path)',
        )


def _value(config: Config, name: str) -> float:
    section, _, key = name.partition(".")
    value = getattr(getattr(config, section), key)
    if not isinstance(value, int | float):
        raise TypeError(f"{name} is no number")
    return value
