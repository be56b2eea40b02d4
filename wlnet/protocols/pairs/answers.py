"""What both carriers of sides share: the answers to BIND and KEEPALIVE."""

from __future__ import annotations

from wlnet.protocols.pairs import wire
from wlnet.relay.pair import Seat
from wlnet.relay.pairs import Pairs


def bound_answer(pairs: Pairs, seat: Seat, transaction: bytes, address: str, port: int) -> bytes:
    """The BOUND for a side that is seen at *address* and *port*."""
    return wire.encode_bound(
        wire.Bound(
            transaction=transaction,
            handle=seat.handle,
            peer_bound=seat.peer_bound,
            rate=seat.rate,
            burst=seat.burst,
            transfer=seat.pair.allowed - seat.pair.spent,
            idle=int(seat.idle),
            lifetime=int(pairs.lifetime(seat)),
            address=address,
            port=port,
        )
    )
