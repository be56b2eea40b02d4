"""Every limit of a tunnel by its name. Sizes in bytes, times in seconds."""

from __future__ import annotations

from msgspec import Struct

LARGEST_DATAGRAM = 65536
"""The largest game datagram: more than UDP can carry."""

PACKET_SIZE = 1200
"""The largest packet a tunnel sends: with 32 bytes for a relay it fits a path of 1280 bytes over IPv6."""

FRAGMENT_SIZE = 1150
"""Game bytes in one packet; what is longer is sent in several."""

LARGEST_MESSAGE = -(-LARGEST_DATAGRAM // FRAGMENT_SIZE)
"""The most fragments a datagram may have."""


class TunnelLimits(Struct, frozen=True, kw_only=True):
    """What a tunnel takes upon itself, and what it lets its peer cause.

    :ivar streams: streams each side may have open.
    :ivar stream_window: bytes of one stream the peer may send before they are consumed.
    :ivar window: the same of all streams together.
    :ivar send_buffer: bytes of one stream that wait to be sent or acknowledged.
    :ivar datagram_window: numbers of datagram fragments that may be unacknowledged; both sides must agree.
    :ivar datagrams_waiting: datagrams that wait to be sent, the oldest is dropped beyond it.
    :ivar datagram_bytes_waiting: the same in bytes.
    :ivar datagrams_untaken: events nobody took yet; a datagram received beyond it is dropped.
    :ivar handshake: from the start to both sides' proof.
    :ivar silence: without a packet of the peer until the tunnel ends.
    :ivar keepalive: of silence until a sign of life is asked for.
    :ivar probe_interval: the longest between two attempts to get something through.
    :ivar close_repeats: how often the news of the end is repeated to a peer who still sends.
    """

    streams: int = 64
    stream_window: int = 256 * 1024
    window: int = 1024 * 1024
    send_buffer: int = 256 * 1024
    datagram_window: int = 512
    datagrams_waiting: int = 4096
    datagram_bytes_waiting: int = 1024 * 1024
    datagrams_untaken: int = 4096
    handshake: float = 30.0
    silence: float = 60.0
    keepalive: float = 10.0
    probe_interval: float = 1.0
    close_repeats: int = 8

    def __post_init__(self) -> None:
        """Check what would stop a tunnel for ever.

        :raises ValueError: a limit is too small.
        """
        if self.datagram_window < 2 * LARGEST_MESSAGE or self.streams < 1:
            raise ValueError(
                "the largest datagram must fit twice into the window, and a stream into the tunnel"
            )
        if min(self.stream_window, self.window, self.send_buffer) < 4096 or self.window < self.stream_window:
            raise ValueError(
                "a window has at least 4096 bytes, and a stream's is not larger than that of all"
            )
        if min(self.keepalive, self.probe_interval, self.handshake) <= 0 or self.silence <= self.keepalive:
            raise ValueError("times are positive, and signs of life come before the end")
