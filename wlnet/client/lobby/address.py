"""Where a lobby is, as players write it: ``tcp://HOST[:PORT]`` or ``tls://HOST[:PORT]``."""

from __future__ import annotations

import re

from msgspec import Struct

from wlnet.limits.addresses import parse_address

TCP_PORT = 7395
TLS_PORT = 7394

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_LONGEST_HOST = 253


class LobbyAddress(Struct, frozen=True):
    """A lobby.

    :ivar host: a name, or an IP literal without brackets.
    :ivar tls: TLS, with a certificate for *host*.
    """

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        """As :func:`parse_lobby` takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.tls else 'tcp'}://{host}:{self.port}"


def parse_lobby(text: str) -> LobbyAddress:
    """The lobby *text* names; without a scheme it is ``tcp``, without a port 7395 (TLS: 7394).

    :raises ValueError: it names none; the exception's text is a sentence.
    """
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        scheme, rest = "tcp", scheme
    if scheme not in ("tcp", "tls"):
        raise ValueError(
            f"{text!r} is no lobby: it begins with tcp:// or tls://, like tcp://lobby.example.org."
        )
    host, port = _split(rest.removesuffix("/"))
    if not _is_host(host):
        raise ValueError(f"{text!r} is no lobby: there is no host in it, like tcp://lobby.example.org:7395.")
    default = TLS_PORT if scheme == "tls" else TCP_PORT
    number = default if port is None else _port(port)
    if number is None:
        raise ValueError(f"{text!r} is no lobby: a port is a number from 1 to 65535.")
    return LobbyAddress(host, number, scheme == "tls")


def _split(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or (rest and not rest.startswith(":")):
            return "", None
        return host, rest[1:] if rest else None
    if text.count(":") > 1:  # an IPv6 literal without brackets
        return text, None
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _port(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        return None
    return int(text)


def _is_host(host: str) -> bool:
    try:
        parse_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        return len(host) <= _LONGEST_HOST and all(_LABEL.fullmatch(label) for label in labels)
    return True
