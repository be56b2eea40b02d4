"""HTTP's part of a process: figures, health and, where there is a lobby, its public state."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import partial

from prometheus_client import Gauge, ProcessCollector
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from wlnet import __version__
from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.gate import ConnectionGate
from wlnet.lobby.hall import Hall
from wlnet.service.listening import Bound, ListenError, Listening, adopt, open_sockets
from wlnet.service.shared import Shared
from wlnet.web.health import Check, LagMeter, Part, Readiness
from wlnet.web.memo import Memo
from wlnet.web.pages import (
    Page,
    Pages,
    Write,
    answers_counter,
    health_page,
    metrics_page,
    ready_page,
    status_page,
)
from wlnet.web.server import WebFactory
from wlnet.web.status import StatusWriter

_log = Logger(namespace="wlnet.web")

_Pages = dict[str, tuple[Page, Write]]


class WebPart:
    """Binds its ports when made; serves them from :meth:`start` on.

    Ports taken by others are warned about: players need none of this.

    :param hall: of the lobby, if there is one here.
    :param checks: what has to be there for this process to be ready.
    """

    def __init__(self, shared: Shared, hall: Hall | None, checks: Mapping[Part, Check]) -> None:
        self._shared = shared
        self._started = shared.agenda.now()
        self._lag = LagMeter(shared.agenda)
        self._readiness = Readiness(checks)
        self._doors: list[tuple[str, list[socket.socket], WebFactory]] = []
        self._listening: list[Listening] = []
        settings = shared.config.web
        self._trusted = TrustedNetworks(shared.config.limits.trusted_networks)
        self._gates: list[ConnectionGate] = []
        self._observe()
        if not settings.enabled:
            return
        self._counter = answers_counter(shared.metrics)
        now = shared.agenda.now
        public: _Pages = {}
        if hall is not None and settings.status_public:
            writer = StatusWriter(hall, __version__, shared.wall(), self._uptime)
            memo = Memo(writer.write, settings.status_cache, now)
            page = status_page(memo, settings.status_cache, settings.status_origin)
            public["/status.json"] = (Page.STATUS, page)
        private: _Pages = {
            "/metrics": (Page.METRICS, metrics_page(shared.metrics.registry, now)),
            "/healthz": (Page.HEALTHZ, health_page(self._lag, settings.lag_limit, self._uptime)),
            "/readyz": (Page.READYZ, ready_page(self._readiness)),
        }
        self._door("web", settings.listen, settings.port, "web.port", {**private, **public})
        if public and settings.status_listen:
            self._door("web-status", settings.status_listen, settings.status_port, "web.status_port", public)

    def start(self) -> None:
        """Serve."""
        self._lag.start()
        for name, sockets, factory in self._doors:
            self._listening.append(adopt(self._shared.reactor, name, sockets, factory))
        self._doors.clear()

    def stop(self) -> Deferred[object]:
        """Close the ports; answers under way are still sent."""
        self._lag.stop()
        self.close()
        waiting = [listening.stop() for listening in self._listening]
        self._listening.clear()
        return DeferredList(waiting, consumeErrors=True)  # type: ignore[return-value]

    def close(self) -> None:
        """Close the sockets not served yet."""
        for _, sockets, _ in self._doors:
            for one in sockets:
                one.close()
        self._doors.clear()

    @property
    def bound(self) -> list[Bound]:
        """Where it listens."""
        return [bound for listening in self._listening for bound in listening.bound]

    def _uptime(self) -> float:
        return self._shared.agenda.now() - self._started

    def _door(self, name: str, hosts: tuple[str, ...], port: int, key: str, pages: _Pages) -> None:
        try:
            sockets = open_sockets("web", hosts, port, port_key=key)
        except ListenError as error:
            _log.warn("no HTTP: {why}, or web.enabled = false", why=error)
            return
        shared = self._shared
        settings = shared.config.web
        # A gate each, so that the public cannot keep out the monitoring.
        gate = ConnectionGate(settings.connections, settings.connections_per_address, self._trusted)
        self._gates.append(gate)
        factory = WebFactory(
            Pages(pages, self._counter),
            settings,
            gate,
            self._trusted,
            shared.agenda,
            shared.metrics,
            shared.may_log,
        )
        self._doors.append((name, sockets, factory))

    def _observe(self) -> None:
        metrics = self._shared.metrics
        ProcessCollector(registry=metrics.registry)
        build = Gauge("wlnet_build_info", "Always 1", ["version"], registry=metrics.registry)
        build.labels(__version__).set(1)
        ready = Gauge(
            "wlnet_ready", "1 if a part is ready, as in /readyz", ["part"], registry=metrics.registry
        )
        for part in self._readiness.parts:
            ready.labels(part.value).set_function(partial(self._readiness.ready, part))
        for name, text, read in (
            ("uptime_seconds", "Seconds since the start", self._uptime),
            ("reactor_lag_seconds", "How late work is done, at the last look", lambda: self._lag.latest),
            ("reactor_lag_worst_seconds", "The same, the most of a minute", lambda: self._lag.worst),
            ("web_connections_now", "HTTP connections", lambda: sum(map(len, self._gates))),
        ):
            metrics.observe(f"wlnet_{name}", text, read)
