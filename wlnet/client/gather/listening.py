"""A TCP port of an attempt: it listens from the start, and is shared with connects from the same port."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.client.gather import limits
from wlnet.client.gather.asking import StreamQuestion
from wlnet.client.gather.mappings import Mapped
from wlnet.client.gather.strangers import WAIT, Strangers, Verdict
from wlnet.client.net.network import Accepted, Listener, Network, Stream, StreamHandler, Timer
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family


class KeptListener(Listener):
    """Listens at a port of the system's choice, of all addresses (SO_REUSEADDR, SO_REUSEPORT).

    A connection that begins with the server's test packet ends here, all others are for who adopted it, and
    wait a little if nobody has.

    :param knocked: a test packet came, with that token.
    :raises OSError: no port can be had.
    :ivar mapped: where the server sees it.
    :ivar granted: what the router made of it.
    """

    def __init__(self, network: Network, family: Family, knocked: Callable[[str], None]) -> None:
        self.family = family
        self.mapped: Endpoint | None = None
        self.granted: Mapped | None = None
        self.adopted = False
        self.closed = False
        self._network = network
        self._strangers = Strangers(network, self._judge, knocked)
        self._accepted: Accepted | None = None
        self._question: StreamQuestion | None = None
        self._question_ends: Timer | None = None
        self._listener = network.listen(family, self._strangers.arrived, reuse=True)

    # -- for the gathering -----------------------------------------------------------------------

    def ask(self, server: Endpoint, answered: Callable[[Endpoint | None], None]) -> None:
        """Ask from this very port where the server sees it.

        The connection stays open for a while: some NATs forget a port with its last connection.
        """

        def heard(mapped: Endpoint | None) -> None:
            self.mapped = mapped
            answered(mapped)

        try:
            self._question = StreamQuestion(self._network, server, self.local.port, heard)
        except OSError:
            self._network.call_later(0.0, lambda: heard(None))
            return
        self._question_ends = self._network.call_later(limits.KEPT_STREAM, self._stop_asking)

    def forget(self) -> None:
        """The gathering is over: call it no more, and close the port unless it was adopted."""
        self._strangers.knocked = lambda _token: None
        self._stop_asking()
        if not self.adopted:
            self.close()

    def _stop_asking(self) -> None:
        if self._question is not None:
            self._question.close()
            self._question = None
        if self._question_ends is not None:
            self._question_ends.cancel()

    def _judge(self, first: bytes, stream: Stream) -> StreamHandler | Verdict | None:  # noqa: ARG002
        return WAIT if self._accepted is None else self._accepted(stream)

    # -- for who adopts it -----------------------------------------------------------------------

    def adopt(self, accepted: Accepted) -> Listener | None:
        """Take it; None: somebody has, or it is closed."""
        if self.adopted or self.closed:
            return None
        self.adopted = True
        self._accepted = accepted
        self._network.call_later(0.0, self._strangers.decide_again)
        return self

    @property
    def local(self) -> Endpoint:
        """Where it is bound."""
        return self._listener.local

    def close(self) -> None:
        """Listen no more; connections that were handed over live on."""
        if not self.closed:
            self.closed = True
            self._stop_asking()
            self._listener.close()
            self._strangers.close()
