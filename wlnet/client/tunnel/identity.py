"""Who a peer is for one session: a certificate, and the fingerprint the rendezvous passes on."""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from msgspec import Struct


class Identity(Struct, frozen=True):
    """A certificate with its key. The key never leaves the process."""

    certificate: Certificate
    key: EllipticCurvePrivateKey

    @property
    def fingerprint(self) -> str:
        """As the rendezvous passes it on."""
        return fingerprint_of(self.certificate)


def fingerprint_of(certificate: Certificate) -> str:
    """SHA-256 of the certificate in DER, as 64 small hexadecimal digits."""
    return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
