"""The certificate of the server: read from two PEM files, and again whenever they have changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from wlnet.agenda import Agenda, Appointment

MAX_FILE = 1_048_576
"""Bytes of a certificate or key file."""

_log = Logger(namespace="wlnet.tls")

_Signature = tuple[tuple[int, int, int] | None, ...]


class CertificateError(Exception):
    """The files cannot be used; ``str()`` names the file, says why, and which setting it is about."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    options: CertificateOptions
    subject: str
    expires: float


@implementer(IOpenSSLServerConnectionCreator)
class Certificate:
    """What connections prove who we are with; TLS 1.2 or newer only.

    :param certificate: PEM: the server's own certificate first, then those that lead to a root.
    :param key: PEM: its private key, without a password.
    :param wall: Unix seconds.
    :raises CertificateError: they cannot be used.
    """

    def __init__(self, certificate: Path, key: Path, wall: Callable[[], float]) -> None:
        self._files = (certificate, key)
        self._wall = wall
        self._seen = self._signature()
        self._loaded = _load(certificate, key)
        self._timer: Appointment | None = None
        self._tell()

    @property
    def days_left(self) -> float:
        """Days until the certificate in use expires; less than 0 once it has."""
        return (self._loaded.expires - self._wall()) / 86400

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """See IOpenSSLServerConnectionCreator; connections that are open keep what they began with."""
        return self._loaded.options.serverConnectionForTLS(protocol)

    def watch(self, agenda: Agenda, interval: float) -> None:
        """Look every *interval* seconds whether the files have changed, until :meth:`stop`."""
        self.stop()

        def look() -> None:
            self._timer = agenda.after(interval, look)
            self.look()

        self._timer = agenda.after(interval, look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look(self) -> None:
        """Read the files if they have changed. If they cannot be used, what was read before stays in use."""
        seen = self._signature()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._loaded = _load(*self._files)
        except CertificateError as error:
            _log.error(
                "the certificate has changed and cannot be used, so the old one stays in use: {why}",
                why=error,
            )
        else:
            self._tell()

    def _signature(self) -> _Signature:
        return tuple(_signature(path) for path in self._files)

    def _tell(self) -> None:
        left = self.days_left
        tell = _log.warn if left <= 0 else _log.info
        tell(
            "TLS with the certificate {file} of {subject}, {state}",
            file=str(self._files[0]),
            subject=self._loaded.subject,
            state="which has expired" if left <= 0 else f"valid for {left:.0f} days",
        )


def _signature(path: Path) -> tuple[int, int, int] | None:
    """Changes when the file behind *path* does; None if there is none to be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _load(certificate: Path, key: Path) -> _Loaded:
    """Read both files.

    :raises CertificateError: they cannot be used.
    """
    text = _read(certificate, "tls.certificate")
    try:
        chain = x509.load_pem_x509_certificates(text)
    except ValueError:
        raise CertificateError(f"{certificate} holds no certificate in PEM form (tls.certificate)") from None
    secret = _read(key, "tls.key")
    try:
        private = load_pem_private_key(secret, password=None)
    except TypeError:
        raise CertificateError(f"the key in {key} has a password; take it off (tls.key)") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(f"{key} holds no private key in PEM form (tls.key)") from None
    own = chain[0]
    try:
        belongs = own.public_key() == private.public_key()
        subject, expires = own.subject.rfc4514_string(), own.not_valid_after_utc.timestamp()
        options = CertificateOptions(
            privateKey=cast(Any, private),  # pyOpenSSL wants cryptography's, Twisted's types do not know yet
            certificate=cast(Any, own),
            extraCertChain=cast(Any, chain[1:]),
            raiseMinimumTo=TLSVersion.TLSv1_2,
        )
        if belongs:
            options.getContext()
    except (SSL.Error, TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(
            f"OpenSSL does not take {certificate} and {key}: {error} (tls.certificate, tls.key)"
        ) from None
    if not belongs:
        raise CertificateError(
            f"the key in {key} does not belong to the first certificate in {certificate} "
            "(tls.key, tls.certificate)"
        )
    return _Loaded(options, subject or "nobody", expires)


def _read(path: Path, setting: str) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1)
    except OSError as error:
        raise CertificateError(f"cannot read {path}: {error.strerror} ({setting})") from None
    if len(text) > MAX_FILE:
        raise CertificateError(f"{path} is too long ({setting})")
    return text
