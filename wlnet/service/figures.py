"""A line in the log now and then: how much goes on, and which limits were hit."""

from __future__ import annotations

from twisted.logger import Logger

from wlnet.agenda import Appointment
from wlnet.service.shared import Shared

_log = Logger(namespace="wlnet.figures")


_LEFT_OUT = (
    "_created",
    "_bucket",
    "_info",
    "_ready",
    "_answers_total",
    "_lag_seconds",
    "_worst_seconds",
    "_uptime_seconds",
)
"""Said better elsewhere, or noise in a line for people."""


class FigureLine:
    """Writes all figures that are not zero, every *interval* seconds; 0 means never."""

    def __init__(self, shared: Shared, interval: float) -> None:
        self._metrics = shared.metrics
        self._agenda = shared.agenda
        self._interval = interval
        self._next: Appointment | None = None

    def start(self) -> None:
        """Begin."""
        if self._interval > 0:
            self._next = self._agenda.after(self._interval, self._write)

    def stop(self) -> None:
        """Write the last line."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        text = self.text()
        if text:
            _log.info("{figures}", figures=text)

    def text(self) -> str:
        """``players 12, games 3, limited metaserver chat_rate 7``; "" if there is nothing to tell."""
        parts = []
        for family in self._metrics.registry.collect():
            for sample in family.samples:
                if sample.value and sample.name.startswith("wlnet_") and not sample.name.endswith(_LEFT_OUT):
                    name = sample.name.removeprefix("wlnet_").removesuffix("_total").replace("_", " ")
                    words = [name, *sample.labels.values()]
                    parts.append(f"{' '.join(words)} {sample.value:.0f}")
        return ", ".join(parts)

    def _write(self) -> None:
        self.stop()
        self.start()
