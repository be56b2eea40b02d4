"""TLS in a process: one certificate for all its ports."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.interfaces import IProtocolFactory

from wlnet.service.shared import Shared
from wlnet.tls.shell_certificate import Certificate
from wlnet.tls.shell_door import TlsFactory


class TlsPart:
    """Reads the certificate when made, and watches its files from :meth:`start` on.

    :raises wlnet.tls.shell_certificate.CertificateError: it cannot be used.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        settings = shared.config.tls
        folder = Path(shared.config.server.state_dir)
        self.certificate = Certificate(folder / settings.certificate, folder / settings.key, shared.wall)
        shared.metrics.observe(
            "wlnet_tls_certificate_days_left",
            "Days until the certificate expires",
            lambda: self.certificate.days_left,
        )

    def wrap(self, factory: IProtocolFactory) -> TlsFactory:
        """*factory* for a port that speaks TLS."""
        shared = self._shared
        return TlsFactory(
            factory,
            self.certificate,
            shared.agenda,
            shared.metrics,
            shared.config.tls.handshake_timeout,
            shared.may_log,
        )

    def start(self) -> None:
        """Watch the files."""
        self.certificate.watch(self._shared.agenda, self._shared.config.tls.check_interval)

    def stop(self) -> None:
        """Watch them no more."""
        self.certificate.stop()
