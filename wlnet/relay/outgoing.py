"""The end of every round: what was put for the peers goes out, and who does not read is dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wlnet.limits.budget import QueueBudget
from wlnet.metrics import Limit
from wlnet.relay.backlog import Backlog
from wlnet.relay.figures import Figures

if TYPE_CHECKING:
    from wlnet.relay.peer import Peer

_MANY = 64
"""More pieces than this are sent in steps, so that no single join gets large."""


class Outgoing:
    """All peers with something to send, and all that are behind.

    :param limit: bytes that may wait for one peer.
    :param drop: called with a peer that is to be dropped for not reading, and the limit it hit.
    :param lost: called with a peer whose connection turned out to be dead.
    """

    def __init__(
        self,
        limit: int,
        budget: QueueBudget,
        figures: Figures,
        drop: Callable[[Peer, Limit], None],
        lost: Callable[[Peer], None],
    ) -> None:
        self._limit = limit
        self._budget = budget
        self._figures = figures
        self._drop = drop
        self._lost = lost
        self._flushing = False
        self._behind: set[Peer] = set()
        self.dirty: list[Peer] = []
        """Peers with something in ``out``; only ever appended to from outside."""

    def flush(self) -> None:
        """Send what there is to send. Called at the end of each round of reads, timers or commands."""
        if self._flushing:  # the outer one goes on until nobody is dirty
            return
        self._flushing = True
        dirty = self.dirty
        sent_in_all = 0
        try:
            for peer in dirty:  # the list may grow meanwhile
                peer.dirty = False
                out = peer.out
                if peer.slow or len(out) > _MANY:
                    self._flush_slow(peer)
                    continue
                if len(out) == 1:
                    data = out.pop()
                else:
                    data = b"".join(out)
                    out.clear()
                try:
                    sent = peer.send(data)
                except BlockingIOError:
                    sent = 0
                except OSError:
                    self._lost(peer)
                    continue
                sent_in_all += sent
                if sent != len(data):
                    peer.backlog = Backlog()
                    peer.backlog.add(data)
                    if sent:
                        peer.backlog.head()
                        peer.backlog.sent(sent)
                    peer.slow = True
                    self._drain(peer, peer.backlog)
                    self._judge(peer)
        except BaseException:
            for peer in dirty:
                peer.dirty = False
            raise
        finally:
            dirty.clear()
            self._figures.bytes_out += sent_in_all
            self._flushing = False

    def writable(self, peer: Peer) -> None:
        """The carrier of *peer* can take more."""
        peer.awaits_writable = False
        if not peer.closed and peer.backlog is not None:
            self._drain(peer, peer.backlog)
        else:
            peer.carrier.watch(False)

    def discard(self, peer: Peer) -> None:
        """Forget what is queued for *peer*, but for the rest of a frame already begun."""
        peer.out.clear()
        if peer.backlog is not None:
            peer.backlog.cut(peer.end_of_frame)
            self._account(peer)

    def forget(self, peer: Peer) -> None:
        """*peer* is closed."""
        peer.slow = True
        peer.out.clear()
        peer.backlog = None
        self._account(peer)

    @property
    def behind(self) -> int:
        """How many peers have a backlog."""
        return len(self._behind)

    def _flush_slow(self, peer: Peer) -> None:
        if peer.closed:
            peer.out.clear()
            return
        if peer.backlog is None:
            peer.backlog = Backlog()
            peer.slow = True
        for piece in peer.out:
            peer.backlog.add(piece)
        peer.out.clear()
        if not peer.awaits_writable:
            self._drain(peer, peer.backlog)
        self._judge(peer)

    def _drain(self, peer: Peer, backlog: Backlog) -> None:
        """Send from the backlog as much as is taken."""
        while backlog.size:
            try:
                sent = peer.send(backlog.head())
            except BlockingIOError:
                peer.awaits_writable = True
                peer.carrier.watch(True)
                break
            except OSError:
                self._lost(peer)
                return
            backlog.sent(sent)
            self._figures.bytes_out += sent
        else:
            peer.backlog = None
            peer.slow = peer.closing
            peer.carrier.watch(False)
            if peer.closing and not peer.finished:
                peer.finished = True
                peer.carrier.finish()
        self._account(peer)

    def _judge(self, peer: Peer) -> None:
        self._account(peer)
        if peer.budgeted > self._limit and not peer.closing:
            self._drop(peer, Limit.QUEUE)
        elif self._budget.exhausted and self._behind:
            self._drop(max(self._behind, key=_budgeted), Limit.TOTAL_QUEUES)

    def _account(self, peer: Peer) -> None:
        size = peer.backlog.size if peer.backlog is not None else 0
        if size == peer.budgeted:
            return
        self._budget.add(size - peer.budgeted)
        peer.budgeted = size
        if size:
            self._behind.add(peer)
        else:
            self._behind.discard(peer)


def _budgeted(peer: Peer) -> int:
    return peer.budgeted
