"""Opening the listening sockets, and telling where they are."""

from __future__ import annotations

import errno
import json
import os
import resource
import socket
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv6Address, ip_address
from itertools import product
from pathlib import Path
from typing import Any, TextIO, cast

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorSocket
from twisted.logger import Logger

from wlnet import __version__
from wlnet.config.schema import Config

BACKLOG = 1024
_FREE_PORT_TRIES = 50
_OTHER_FILES = 200
"""Files a process has open beside its connections: database, log, listening sockets, threads' pipes."""

_log = Logger()


class ListenError(Exception):
    """Nothing can be opened; ``str()`` says what and which setting to change."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One listening socket."""

    name: str
    """Whose it is: ``lobby``, ``relay``, ``link``, ``stun``, ``stun2``, ``lobby-tls``, ``pairs-tls``,
    ``web``, ``web-status``."""
    proto: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"listening {self.name} {self.proto} {endpoint(self.host, self.port)}"


@dataclass(frozen=True, slots=True)
class Listening:
    """The open sockets of one listener, all with the same port number."""

    bound: tuple[Bound, ...]
    ports: tuple[IListeningPort, ...]

    @property
    def port(self) -> int:
        """The port number."""
        return self.bound[0].port

    def stop(self) -> Deferred[object]:
        """Close them; open connections stay."""
        stopping = [port.stopListening() for port in self.ports]
        return DeferredList([one for one in stopping if isinstance(one, Deferred)], consumeErrors=True)  # type: ignore[return-value]


def listen(
    reactor: IReactorSocket, name: str, addresses: Sequence[str], port: int, factory: IProtocolFactory
) -> Listening:
    """Listen on all *addresses* (IP literals) with one TCP port number.

    :param name: the section of the settings: ``<name>.listen`` and ``<name>.port`` are named in errors.
    :param port: 0 picks one that is free on all addresses.
    :raises ListenError: not possible. An address family this machine lacks is only warned about, if
        another address works.
    """
    return adopt(reactor, name, open_sockets(name, addresses, port), factory)


def adopt(
    reactor: IReactorSocket, name: str, sockets: Sequence[socket.socket], factory: IProtocolFactory
) -> Listening:
    """Begin to accept connections on *sockets* (from :func:`open_sockets`), which are closed here."""
    bound = tuple(Bound(name, "tcp", *one.getsockname()[:2]) for one in sockets)
    ports: list[IListeningPort] = []
    for one in sockets:
        with one:  # the reactor works with a duplicate
            ports.append(reactor.adoptStreamPort(one.fileno(), one.family, cast(Any, factory)))
    return Listening(bound, tuple(ports))


def open_sockets(
    name: str,
    addresses: Sequence[str],
    port: int,
    *,
    kinds: Sequence[socket.SocketKind] = (socket.SOCK_STREAM,),
    port_key: str = "",
) -> list[socket.socket]:
    """Listening (UDP: bound), non-blocking sockets; see :func:`listen`. The caller closes them.

    :param kinds: with UDP as well, an address gets one socket of each, with one port number.
    :param port_key: the setting of the port, named in errors; ``<name>.port`` if not given.
    """
    setting = _Setting(name, port_key or f"{name}.port")
    last: OSError | None = None
    for _ in range(_FREE_PORT_TRIES if port == 0 else 1):
        try:
            return _open_all(setting, addresses, port, kinds)
        except OSError as error:  # a free port of one family may be taken in the other
            last = error
            if error.errno != errno.EADDRINUSE:
                break
    raise ListenError(f"{setting.port}: no free port could be found: {last.strerror if last else ''}")


def report(bound: Iterable[Bound], ready_file: str | None, output: TextIO | None = None) -> None:
    """Tell where the server listens: one line a socket on standard output, and the ready file.

    :param ready_file: JSON, put in place in one step: ``pid``, ``version`` and ``listening``, a list of
        ``name``, ``proto``, ``host``, ``port``.
    :param output: None for the real standard output, wherever the log goes.
    :raises OSError: the ready file cannot be written.
    """
    bound = list(bound)
    output = sys.__stdout__ if output is None else output
    try:
        if output is not None:
            output.write("".join(f"{one}\n" for one in bound))
            output.flush()
    except OSError as error:
        _log.warn("standard output cannot be written: {why}", why=error.strerror)
    if ready_file is None:
        return
    document = {"pid": os.getpid(), "version": __version__, "listening": [asdict(one) for one in bound]}
    path = Path(ready_file)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(json.dumps(document) + "\n", encoding="ascii")
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def raise_open_files_limit(config: Config) -> None:
    """Ask the system for as many open files as the connection limits need; warn if it refuses."""
    limits = config.limits
    needed = _OTHER_FILES
    if "lobby" in config.server.roles:
        needed += limits.lobby_connections + config.lobby.max_probes
    if "relay" in config.server.roles:
        needed += limits.relay_connections
        needed += limits.stun_connections if config.stun.enabled else 0
    needed += config.web.connections * (2 if config.web.status_listen else 1) if config.web.enabled else 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < needed:
        _log.warn(
            "the system allows this process {most} open files, the connection limits need {needed}: raise "
            "it (ulimit -n, LimitNOFILE= of systemd) or lower limits.lobby_connections, "
            "limits.relay_connections and limits.stun_connections",
            most=most,
            needed=needed,
        )


def endpoint(host: str, port: int) -> str:
    """``HOST:PORT``, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class _Setting:
    """The settings to blame if a socket cannot be opened."""

    name: str
    port: str

    @property
    def listen(self) -> str:
        return f"{self.name}.listen"


def _open_all(
    setting: _Setting, addresses: Sequence[str], port: int, kinds: Sequence[socket.SocketKind]
) -> list[socket.socket]:
    opened: list[socket.socket] = []
    missing: list[tuple[str, str]] = []
    wanted = port
    try:
        for address, kind in product(addresses, kinds):
            try:
                one = _bind(address, wanted, kind)
            except OSError as refused:
                if _family_is_missing(address, refused):
                    if kind is kinds[0]:
                        missing.append((address, refused.strerror or ""))
                    continue
                if port == 0 and refused.errno == errno.EADDRINUSE:
                    raise
                raise ListenError(_explained(setting, address, wanted, refused)) from None
            opened.append(one)
            wanted = one.getsockname()[1]
        if not opened:
            address, why = missing[0]
            raise ListenError(f"{setting.listen}: this machine has no {_family_name(address)} ({why})")
        _listen(setting, opened, port)
    except BaseException:
        for one in opened:
            one.close()
        raise
    for address, why in missing:
        _log.warn(
            "{setting}: not listening on {where}: this machine has no {family} ({why})",
            setting=setting.listen,
            where=address,
            family=_family_name(address),
            why=why,
        )
    return opened


def _listen(setting: _Setting, opened: Iterable[socket.socket], port: int) -> None:
    for one in opened:
        if one.type != socket.SOCK_STREAM:
            continue
        try:
            one.listen(BACKLOG)
        except OSError as error:
            if port == 0 and error.errno == errno.EADDRINUSE:
                raise
            host, number = one.getsockname()[:2]
            raise ListenError(_explained(setting, host, number, error)) from None


def _bind(address: str, port: int, kind: socket.SocketKind) -> socket.socket:
    flags = socket.AI_NUMERICHOST | socket.AI_PASSIVE
    # Without a type hint the resolver would give each address once for TCP, UDP and raw.
    family, kind, proto, _, place = socket.getaddrinfo(address, port, type=kind, flags=flags)[0]
    one = socket.socket(family, kind, proto)
    try:
        one.setblocking(False)
        if kind == socket.SOCK_STREAM:  # with UDP it would let another program take the port from us
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(place)
    except BaseException:
        one.close()
        raise
    return one


def _family_is_missing(address: str, error: OSError) -> bool:
    if error.errno == errno.EAFNOSUPPORT:
        return True
    # With IPv6 switched off by sysctl the sockets still exist, but not even these addresses do.
    general = ip_address(address).is_unspecified or ip_address(address).is_loopback
    return error.errno == errno.EADDRNOTAVAIL and general


def _family_name(address: str) -> str:
    return "IPv6" if isinstance(ip_address(address), IPv6Address) else "IPv4"


def _explained(setting: _Setting, address: str, port: int, error: OSError) -> str:
    where, key = endpoint(address, port), setting.port
    match error.errno:
        case errno.EADDRINUSE:
            return f"{key}: {where} is in use by another program (stop that one, or change {key})"
        case errno.EACCES | errno.EPERM:
            return (
                f"{setting.port}: no permission to listen on {where} "
                f"(ports below 1024 are for root: start as root with twistd --uid, let systemd give "
                f"AmbientCapabilities=CAP_NET_BIND_SERVICE, or change {setting.port})"
            )
        case errno.EADDRNOTAVAIL:
            return f"{setting.listen}: {address} is no address of this machine (change {setting.listen})"
    return f"{setting.listen}: cannot listen on {where}: {error.strerror or error}"
