"""The server as one Twisted service: the only place that knows everybody."""

from __future__ import annotations

import random
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, gatherResults, inlineCallbacks, succeed
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from wlnet import __version__
from wlnet.accounts.errors import DatabaseUrlError
from wlnet.config.schema import Config
from wlnet.limits.buckets import KeyedBuckets
from wlnet.link.addresses import RelayPlace
from wlnet.link.linked_pairs import LinkedPairs
from wlnet.link.local import LocalRelay
from wlnet.link.messages import Hello
from wlnet.link.pair_end import PairEnd
from wlnet.link.relay_end import RelayEnd
from wlnet.link.relays import Relays
from wlnet.link.secret import LinkSecret, SecretError, lobby_secret, relay_secret
from wlnet.link.server import LinkClient, LinkServer
from wlnet.link.shell_own_address import own_address
from wlnet.protocols.stun.shell_streams import StreamMux
from wlnet.rendezvous.ports import NoRelays, PairRelays
from wlnet.service.advice import start_advice
from wlnet.service.figures import FigureLine
from wlnet.service.listening import (
    Bound,
    ListenError,
    Listening,
    adopt,
    open_sockets,
    raise_open_files_limit,
    report,
)
from wlnet.service.lobby_role import LobbyRole
from wlnet.service.pairs_part import PairsPart, keys_now
from wlnet.service.relay_role import RelayRole
from wlnet.service.rendezvous_part import pass_on_observations
from wlnet.service.shared import Reactor, Shared
from wlnet.service.stun_part import StunPart
from wlnet.service.termination import end_well_on_sigterm
from wlnet.service.ticker import Ticker
from wlnet.service.tls_part import TlsPart
from wlnet.service.web_part import WebPart
from wlnet.tickets.keys import MIN_KEY, TicketKeys
from wlnet.tls.shell_certificate import CertificateError
from wlnet.web.health import Check, Part

Doors = list[tuple[str, list[socket.socket], Factory[Any]]]

_log = Logger(namespace="wlnet")


class WlnetService(Service):
    """Everything one process of wlnet does.

    The ports are bound before privileges are dropped and before anything else starts, so that a mistake
    shows at once; they are served when the bans are loaded.

    :param ready_file: told to in JSON where the server listens, once it does.
    """

    def __init__(self, config: Config, ready_file: str | None, reactor: Reactor) -> None:
        self.config = config
        self._ready_file = ready_file
        self._reactor = reactor
        self.shared = Shared(config, reactor)
        self._ticker = Ticker(self.shared.agenda, reactor)
        self._figures = FigureLine(self.shared, config.logging.figures_interval)
        self._doors: Doors = []
        self._listening: list[Listening] = []
        self._stun_bound: list[Bound] = []
        self._opening: Deferred[None] | None = None
        self._lobby: LobbyRole | None = None
        self._relay: RelayRole | None = None
        self.stun: StunPart | None = None
        self.pairs: PairsPart | None = None
        self._tls: TlsPart | None = None
        self._tls_streams: StreamMux | None = None
        self._relays: Relays | None = None
        self._link: LinkClient | None = None
        self._after_start: list[Callable[[], None]] = []
        self.web: WebPart | None = None
        self._checks: dict[Part, Check] = {
            Part.LISTENERS: lambda: "" if self._listening else "the ports are not open yet, or not any more"
        }

    # -- starting --------------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Build everything and bind the ports.

        :raises SystemExit: with a text for the operator, if that is not possible.
        """
        try:
            Path(self.config.server.state_dir).mkdir(parents=True, exist_ok=True)
            raise_open_files_limit(self.config)
            self._build()
        except (ListenError, SecretError, CertificateError, DatabaseUrlError, OSError, ValueError) as error:
            for _, sockets, _ in self._doors:
                for one in sockets:
                    one.close()
            if self.stun is not None:
                self.stun.close()
            raise SystemExit(f"wlnet cannot start: {error}") from None

    def startService(self) -> None:
        """Start; the ports are served as soon as the bans are known."""
        super().startService()
        _log.info("wlnet {version} starts", version=__version__)
        self._ticker.startService()
        self._figures.start()
        for start in self._after_start:
            start()
        self._opening = self._open_doors().addErrback(self._failed)

    def _build(self) -> None:
        roles = self.config.server.roles
        if self.config.tls.certificate:
            self._tls = TlsPart(self.shared)
            self._after_start.append(self._tls.start)
        if "lobby" in roles and "relay" in roles:
            self._build_both()
        elif "lobby" in roles:
            self._build_lobby()
        else:
            self._build_relay()
        lobby = self._lobby
        if lobby is not None:
            self._checks[Part.DATABASE] = lambda: lobby.database_trouble
        self.web = WebPart(self.shared, lobby.lobby.hall if lobby is not None else None, self._checks)
        self._after_start.append(self.web.start)

    def _build_stun(self, ticket_secret: bytes) -> None:
        """STUN helps, but lobby and relay do without it: ports taken by others are no reason not to start."""
        if not self.config.stun.enabled:
            return
        try:
            self.stun = StunPart(self.shared)
        except ListenError as error:
            _log.warn("no STUN: {why}, or stun.enabled = false", why=error)
            return
        if self.config.pairs.enabled:
            self.pairs = PairsPart(self.shared, self.stun, ticket_secret)
        if self._tls is not None and "pairs" in self.config.tls.services:
            self._build_stun_over_tls(self.stun, self._tls)

    def _build_stun_over_tls(self, stun: StunPart, tls: TlsPart) -> None:
        port = self.config.tls.pairs_port
        try:
            sockets = open_sockets("stun", stun.addresses, port, port_key="tls.pairs_port")
        except ListenError as error:
            _log.warn('no relayed pairs over TLS: {why}, or tls.services = ["lobby"]', why=error)
            return
        streams = stun.more_streams()
        if self.pairs is not None:
            self.pairs.serve_tls(streams, sockets[0].getsockname()[1])
        self._tls_streams = streams
        self._doors.append(("pairs-tls", sockets, tls.wrap(streams)))

    def _lobby_doors(self, lobby: LobbyRole) -> None:
        config = self.config
        self._door("lobby", config.lobby.listen, config.lobby.port, lobby.factory)
        if self._tls is not None and "lobby" in config.tls.services:
            sockets = open_sockets(
                "lobby", config.lobby.listen, config.tls.lobby_port, port_key="tls.lobby_port"
            )
            self._doors.append(("lobby-tls", sockets, self._tls.wrap(lobby.factory)))
            if self._tls_streams is not None:  # for networks that let out this one port only
                self._tls_streams.give_rest_to(lobby.factory)

    def _build_both(self) -> None:
        settings = self.config.relay
        place = RelayPlace(public=settings.public_addresses, listen=settings.listen)
        local = LocalRelay(settings.name, place, own_address)
        self._build_stun(secrets.token_bytes(32))
        pairs: PairRelays | None = self.pairs
        if pairs is None and self.stun is not None:
            pairs = NoRelays(TicketKeys(secrets.token_bytes(MIN_KEY)), self.stun.place)
        self._lobby = LobbyRole(self.shared, local, pairs)
        if self.stun is not None and self._lobby.rendezvous is not None:
            self._lobby.rendezvous.attach(self.stun.datagrams)
        self._relay = RelayRole(self.shared, local)
        self._lobby_doors(self._lobby)
        self._door("relay", settings.listen, settings.port, self._relay.factory)
        local.start(self._relay.relay, self._lobby.lobby.hosting)

    def _build_lobby(self) -> None:
        config, shared = self.config, self.shared
        secret = lobby_secret(self._secret_path(), lambda: secrets.token_urlsafe(32))
        self._warn_about(secret)
        lines = KeyedBuckets(shared.agenda.now, config.limits.log_rate, config.limits.log_burst)
        pairs = LinkedPairs(lambda: keys_now(shared, secret.key), own_address, config.pairs.ended_pairs)
        relays = Relays(
            shared.agenda,
            config.link,
            config.lobby.relay_grace,
            own_address,
            shared.sanctions,
            shared.metrics,
            Logger(namespace="wlnet.link"),
            lines,
            pairs,
        )
        self._relays = relays
        self._checks[Part.LINK] = lambda: "" if relays.linked() else "no relay is linked to this lobby"
        self._lobby = LobbyRole(shared, relays, pairs)
        if self._lobby.rendezvous is not None:
            pairs.observer = self._lobby.rendezvous.observe
        server = LinkServer(relays, secret.key, shared.agenda, config, shared.metrics, _nonce)
        self._lobby_doors(self._lobby)
        self._door("link", (config.link.listen,), config.link.port, server)
        hosting = self._lobby.lobby.hosting
        self._after_start.append(lambda: relays.start(hosting))

    def _build_relay(self) -> None:
        config, shared = self.config, self.shared
        secret = relay_secret(self._secret_path())
        self._warn_about(secret)
        self._build_stun(secret.key)
        journal = Logger(namespace="wlnet.link")
        instance = secrets.token_hex(8)
        end = RelayEnd(lambda: self._hello(instance), shared.sanctions, journal, self._pair_end(secret.key))
        self._checks[Part.LINK] = lambda: "" if end.linked else "this relay is not linked to its lobby"
        self._relay = RelayRole(shared, end)
        self._door("relay", config.relay.listen, config.relay.port, self._relay.factory)
        end.start(self._relay.relay)
        self._link = LinkClient(
            self._reactor,
            end,
            secret.key,
            shared.agenda,
            config.link,
            nonce=_nonce,
            jitter=random.SystemRandom().random,
            log=journal,
        )

    def _door(self, name: str, hosts: tuple[str, ...], port: int, factory: Factory[Any]) -> None:
        self._doors.append((name, open_sockets(name, hosts, port), factory))

    @inlineCallbacks
    def _open_doors(self):  # type: ignore[no-untyped-def]
        if self._lobby is not None:
            yield self._lobby.start()
        if not self.running:
            return
        for name, sockets, factory in self._doors:
            self._listening.append(adopt(self._reactor, name, sockets, factory))
        self._doors.clear()
        if self.stun is not None:
            self._stun_bound = self.stun.start()
        if self._link is not None:
            self._link.start()
        report(self.bound, self._ready_file)
        for advice in start_advice(self.config, self.bound, own_address):
            tell = _log.warn if advice.warning else _log.info
            tell("{advice}", advice=advice.text)

    @property
    def bound(self) -> list[Bound]:
        """Where the server listens."""
        return [bound for listening in self._listening for bound in listening.bound] + [
            *self._stun_bound,
            *(self.web.bound if self.web is not None else ()),
        ]

    def _failed(self, failure: Failure) -> None:
        _log.failure("the server could not start", failure=failure)
        self._reactor.stop()

    # -- stopping --------------------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:
        """Close the ports, tell everybody, write down what is left to write."""
        super().stopService()
        _log.info("wlnet stops")
        self._figures.stop()
        for _, sockets, _ in self._doors:
            for one in sockets:
                one.close()
        self._doors.clear()
        waiting: list[Deferred[Any]] = [listening.stop() for listening in self._listening]
        self._listening.clear()
        if self.pairs is not None:
            self.pairs.stop()  # before its ports: sides are told over them
        if self.stun is not None:
            waiting.append(self.stun.stop())
        self._stun_bound.clear()
        if self._tls is not None:
            self._tls.stop()
        # The relay before its link, so that the lobby hears that the rooms are closed.
        first = self._relay.stop() if self._relay is not None else succeed(None)
        waiting.append(first.addBoth(lambda _: self._link.stop() if self._link is not None else None))
        if self._lobby is not None:
            waiting.append(self._lobby.stop())
        if self._relays is not None:
            self._relays.stop()
        done: Deferred[Any] = gatherResults(waiting, consumeErrors=True)
        return done.addBoth(self._stopped)

    def _stopped(self, result: object) -> Deferred[Any] | None:
        if isinstance(result, Failure):
            _log.failure("the server did not stop in good order", failure=result)
        self._ticker.stopService()
        return self.web.stop() if self.web is not None else None

    # -- parts -----------------------------------------------------------------------------------

    def _hello(self, instance: str) -> Hello:
        settings = self.config.relay
        port = next(bound.port for bound in self.bound if bound.name == "relay")
        return Hello(
            name=settings.name,
            instance=instance,
            public=settings.public_addresses,
            listen=settings.listen,
            own=tuple(address for family in (4, 6) if (address := own_address(family)) is not None),
            port=port,
            capacity=settings.max_games,
            pairs=self.pairs.ports if self.pairs is not None else None,
            stun=self.stun.ports if self.stun is not None else None,
        )

    def _pair_end(self, secret: bytes) -> PairEnd:
        config, shared, part = self.config, self.shared, self.pairs
        end = PairEnd(
            config.link,
            config.rendezvous,
            shared.agenda,
            shared.metrics,
            lambda: keys_now(shared, secret),
            shared.wall,
            part.pairs if part is not None else None,
            lambda: len(part.pairs) if part is not None else 0,
        )
        if self.stun is not None:
            pass_on_observations(self.stun.datagrams, end)
        return end

    def _secret_path(self) -> Path:
        return Path(self.config.server.state_dir) / self.config.link.secret_file

    def _warn_about(self, secret: LinkSecret) -> None:
        if secret.warning is not None:
            _log.warn("{warning}", warning=secret.warning)


def _nonce() -> bytes:
    return secrets.token_bytes(32)


def make_service(config: Config, ready_file: str | None) -> IService:
    """The service ``twistd wlnet`` runs."""
    from twisted.internet import reactor  # noqa: PLC0415 - only now may the reactor be chosen

    end_well_on_sigterm(reactor)
    return WlnetService(config, ready_file, reactor)
