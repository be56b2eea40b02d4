"""Making an identity: needs randomness and the time of day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from wlnet.client.tunnel.identity import Identity

VALIDITY = timedelta(days=30)
"""Only the fingerprint counts; the dates are there because a certificate has some."""


def make_identity() -> Identity:
    """A new P-256 key with a self-signed certificate that says nothing about the player."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wlnet")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - VALIDITY)
        .not_valid_after(now + VALIDITY)
        .sign(key, SHA256())
    )
    return Identity(certificate, key)
