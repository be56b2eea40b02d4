"""aioquic's connection with what it does not offer: the only file that touches what is private in aioquic.

- the host asks for the guest's certificate, and both certificates can be seen;
- the first connection ID comes from the session secret, so that strangers cannot begin;
- credit is given for what was consumed, where aioquic doubles its windows with what arrived;
- DATAGRAM frames tell when they were acknowledged, and are sent again when lost;
- a path that changed starts with fresh estimates, and waiting between probes has a bound.

``aioquic`` is pinned to one minor version for this; if a later one ignores what is set here, a host finds no
certificate and refuses everybody, and tests fail.
"""

from __future__ import annotations

import hmac
import logging
import math
import ssl
from collections.abc import Callable
from hashlib import sha256

from aioquic import tls
from aioquic._buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.congestion.base import create_congestion_control
from aioquic.quic.connection import END_STATES, QuicConnection, QuicConnectionState
from aioquic.quic.events import ConnectionTerminated
from aioquic.quic.packet import QuicFrameType, QuicPacketType, QuicProtocolVersion, pull_quic_header
from aioquic.quic.packet_builder import QuicDeliveryState, QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.quic.stream import QuicStream
from cryptography.x509 import Certificate

from wlnet.client.tunnel.identity import Identity
from wlnet.client.tunnel.limits import PACKET_SIZE, TunnelLimits

PEER = ("peer", 0)
"""The one address QUIC ever sees: which path is used is not its business."""

ALPN = "wlnet/1"

_CONNECTION_ID_SIZE = 8
_CONGESTION_CONTROL = "reno"
_LIMIT_FRAME_SIZE = 17
_DATAGRAM_FRAME_SIZE = 1500

# Without a handler, Python prints warnings of aioquic about a peer's mistakes to standard error.
logging.getLogger("quic").addHandler(logging.NullHandler())


def first_connection_id(secret: bytes) -> bytes:
    """The connection ID a guest's first packet must carry."""
    return hmac.digest(secret, b"wlnet tunnel", sha256)[:_CONNECTION_ID_SIZE]


class Connection(QuicConnection):
    """One QUIC connection over whatever path there is.

    :param acknowledged: called with the DATAGRAM frame that arrived at the peer.
    """

    def __init__(
        self,
        *,
        is_client: bool,
        identity: Identity,
        secret: bytes,
        limits: TunnelLimits,
        acknowledged: Callable[[bytes], None],
    ) -> None:
        first = first_connection_id(secret)
        super().__init__(
            configuration=QuicConfiguration(
                is_client=is_client,
                alpn_protocols=[ALPN],
                certificate=identity.certificate,
                private_key=identity.key,
                # Certificates are compared with the fingerprint, not with authorities; that the peer
                # has the key is checked by TLS all the same.
                verify_mode=ssl.CERT_NONE,
                congestion_control_algorithm=_CONGESTION_CONTROL,
                connection_id_length=_CONNECTION_ID_SIZE,
                idle_timeout=limits.silence,
                max_data=limits.window,
                max_stream_data=limits.stream_window,
                max_datagram_size=PACKET_SIZE,
                max_datagram_frame_size=_DATAGRAM_FRAME_SIZE,
                supported_versions=[QuicProtocolVersion.VERSION_1],
            ),
            original_destination_connection_id=None if is_client else first,
        )
        if is_client:
            self._peer_cid.cid = first
            self._original_destination_connection_id = first
        self._first = first
        self._limits = limits
        self._acknowledged = acknowledged
        self._streams_allowed = limits.streams
        for limit, value in (
            (self._local_max_streams_bidi, limits.streams),
            (self._local_max_streams_uni, 0),
        ):
            limit.value = limit.sent = value

    # What can be seen.

    @property
    def started(self) -> bool:
        """There is somebody to send to."""
        return bool(self._network_paths)

    @property
    def confirmed(self) -> bool:
        """Both sides finished the handshake and know that the other did."""
        return self._handshake_confirmed

    @property
    def negotiated(self) -> bool:
        """Our side of the handshake is finished: the peer's certificate is proven."""
        return self._handshake_complete

    @property
    def peer_certificate(self) -> Certificate | None:
        """What the peer proved to have the key of, once ``negotiated``."""
        return self.tls._peer_certificate if self.started else None

    @property
    def end(self) -> ConnectionTerminated | None:
        """How the connection ended or is about to."""
        return self._close_event

    @property
    def ended_by_peer(self) -> bool:
        """The peer closed it."""
        return self._state is QuicConnectionState.DRAINING

    @property
    def ended(self) -> bool:
        """Nothing is received or sent any more."""
        return self._state in END_STATES

    @property
    def heard(self) -> float | None:
        """When the peer's newest packet came."""
        if not self.started:
            return None
        return self._spaces[tls.Epoch.ONE_RTT].largest_received_time

    @property
    def congestion_window(self) -> int:
        """Bytes that may be in flight."""
        return self._loss.congestion_window

    def begins(self, datagram: bytes) -> bool:
        """Whether *datagram* is the first of a guest who knows the session secret."""
        try:
            header = pull_quic_header(Buffer(data=datagram), host_cid_length=_CONNECTION_ID_SIZE)
        except ValueError:
            return False
        return header.packet_type is QuicPacketType.INITIAL and hmac.compare_digest(
            header.destination_cid, self._first
        )

    def knows(self, stream_id: int) -> bool:
        """Whether QUIC still has something to do for that stream."""
        return stream_id in self._streams

    def buffered(self, stream_id: int) -> int:
        """Bytes of a stream that are not sent and acknowledged."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else stream.sender._buffer_stop - stream.sender._buffer_start

    # What can be done.

    def break_off(self, stream_id: int, code: int) -> None:
        """Stop a stream in both directions."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self.reset_stream(stream_id, code)
            if not stream.receiver.is_finished:
                self.stop_stream(stream_id, code)

    def grant(self, stream_id: int, consumed: int) -> None:
        """Let the peer send a window more than what was *consumed* of the stream."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.receiver.is_finished:
            return
        allowed = consumed + self._limits.stream_window
        if allowed - stream.max_stream_data_local >= self._limits.stream_window // 4:
            stream.max_stream_data_local = allowed

    def grant_all(self, unconsumed: int, forgotten: int) -> bool:
        """The same for the connection; gives whether there is something to say.

        :param unconsumed: bytes given out that their owners are not done with.
        :param forgotten: the peer's streams that are over.
        """
        incomplete = sum(
            stream.receiver.highest_offset - stream.receiver.starting_offset()
            for stream in self._streams.values()
            if not stream.receiver.is_finished
        )
        data = self._local_max_data
        allowed = data.used - unconsumed - incomplete + self._limits.window
        if allowed - data.value >= self._limits.window // 4:
            data.value = allowed
        self._streams_allowed = forgotten + self._limits.streams
        return data.value != data.sent or self._streams_allowed != self._local_max_streams_bidi.sent

    def limit_backoff(self) -> None:
        """Keep the time between two probes within the bound, however many were lost."""
        timeout = self._loss.get_probe_timeout()
        while self._loss._pto_count and timeout * 2**self._loss._pto_count > self._limits.probe_interval:
            self._loss._pto_count -= 1

    def start_anew(self, *, resend: bool, now: float) -> None:
        """What was learnt of the path is void (RFC 9000, 9.4); ask for an answer at once.

        :param resend: what is in flight is lost.
        """
        loss = self._loss
        if not self._handshake_confirmed:
            loss.reschedule_data(now=now)
            loss._pto_count = 0
            return
        if resend:
            space = self._spaces[tls.Epoch.ONE_RTT]
            loss._on_packets_lost(
                congestion_event=False, now=now, packets=list(space.sent_packets.values()), space=space
            )
            space.loss_time = None
        fresh = create_congestion_control(_CONGESTION_CONTROL, max_datagram_size=PACKET_SIZE)
        fresh.bytes_in_flight = loss._cc.bytes_in_flight
        loss._cc = fresh
        loss._pacer.packet_time = None
        loss._pto_count = 0
        loss._rtt_initialized = False
        loss._rtt_min = math.inf
        loss._rtt_latest = loss._rtt_smoothed = loss._rtt_variance = 0.0
        self._send_probe()

    # What aioquic does otherwise.

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        if not self._is_client:
            self.tls._request_client_certificate = True

    def _write_datagram_frame(
        self, builder: QuicPacketBuilder, data: bytes, frame_type: QuicFrameType
    ) -> bool:
        buffer = builder.start_frame(
            frame_type,
            capacity=3 + len(data),
            handler=self._on_datagram_delivery,
            handler_args=(data,),
        )
        buffer.push_uint16(len(data) | 0x4000)
        buffer.push_bytes(data)
        return True

    def _on_datagram_delivery(self, delivery: QuicDeliveryState, data: bytes) -> None:
        if delivery is QuicDeliveryState.ACKED:
            self._acknowledged(data)
        else:
            self._datagrams_pending.appendleft(data)

    def _write_stream_limits(
        self,
        builder: QuicPacketBuilder,
        space: QuicPacketSpace,  # noqa: ARG002  the method of the base class has it
        stream: QuicStream,
    ) -> None:
        if stream.max_stream_data_local_sent == stream.max_stream_data_local or stream.receiver.is_finished:
            return
        if stream.stream_id is None:
            return  # the streams of the handshake have no credit
        buffer = builder.start_frame(
            QuicFrameType.MAX_STREAM_DATA,
            capacity=_LIMIT_FRAME_SIZE,
            handler=self._on_max_stream_data_delivery,
            handler_args=(stream,),
        )
        buffer.push_uint_var(stream.stream_id)
        buffer.push_uint_var(stream.max_stream_data_local)
        stream.max_stream_data_local_sent = stream.max_stream_data_local

    def _write_connection_limits(
        self,
        builder: QuicPacketBuilder,
        space: QuicPacketSpace,  # noqa: ARG002
    ) -> None:
        # aioquic raised it for each stream QUIC is done with; for us its owner must be done with it too.
        self._local_max_streams_bidi.value = self._streams_allowed
        for limit in (self._local_max_data, self._local_max_streams_bidi):
            if limit.value != limit.sent:
                buffer = builder.start_frame(
                    limit.frame_type,
                    capacity=_LIMIT_FRAME_SIZE,
                    handler=self._on_connection_limit_delivery,
                    handler_args=(limit,),
                )
                buffer.push_uint_var(limit.value)
                limit.sent = limit.value
