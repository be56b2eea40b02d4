"""TLS."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from wlnet.config.schema.kinds import Interval, Port, Section


class Tls(Section, frozen=True):
    """TLS for the lobby and for relayed pairs, on ports of their own; off without a certificate."""

    certificate: Annotated[
        str,
        Meta(description="File with the certificate, then those that lead to its root (PEM, fullchain.pem of Let's "
             "Encrypt); empty: no TLS. Read again when it changes."),
    ] = ""  # fmt: skip
    key: Annotated[str, Meta(description="File with its private key (PEM, without a password).")] = ""
    services: Annotated[
        tuple[Literal["lobby", "pairs"], ...],
        Meta(min_length=1, description="What can be reached over TLS: the lobby; relayed pairs and STUN."),
    ] = ("lobby", "pairs")  # fmt: skip
    lobby_port: Annotated[
        Port, Meta(description="TCP port of the lobby over TLS, at lobby.listen; 0 picks a free one.")
    ] = 7394
    pairs_port: Annotated[
        Port,
        Meta(description="TCP port of relayed pairs and STUN over TLS, at stun.listen; 0 picks a free one. Some networks "
             "let out nothing but 443."),
    ] = 443  # fmt: skip
    handshake_timeout: Annotated[
        Interval, Meta(description="A connection that is not encrypted by then is closed.")
    ] = 10.0
    check_interval: Annotated[
        Interval, Meta(description="Pause between two looks whether the files have changed.")
    ] = 5.0
