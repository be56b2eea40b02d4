"""The first words of a game at the agent's relay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.agent.hamlet import Hamlet, RelayLine
from tests.unit.agent.lobbies import Place
from wlnet.agent.hello import MAX_HELLO, Hello
from wlnet.client.net.network import StreamEnd
from wlnet.protocols.stun.wire import Endpoint
from wlnet.protocols.widelands_relay import wire

HERE = Endpoint("127.0.0.1", 7397)


class Stream:
    """Keeps everything."""

    local = remote = HERE
    waiting = 0

    def __init__(self) -> None:
        self.said = b""
        self.is_closed = False
        self.is_paused = False

    def write(self, data: bytes) -> None:
        self.said += data

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def end(self) -> None: ...

    def close(self) -> None:
        self.is_closed = True

    abort = close


class Heard:
    """Takes over."""

    def __init__(self) -> None:
        self.data = b""
        self.is_ended = False

    def connected(self, local: Endpoint) -> None: ...

    def received(self, data: bytes) -> None:
        self.data += data

    def ended(self) -> None:
        self.is_ended = True

    def drained(self) -> None: ...

    def closed(self, end: StreamEnd) -> None: ...


def hello() -> tuple[Hello, Stream, list[Hello], list[Hello]]:
    complete: list[Hello] = []
    gone: list[Hello] = []
    made = Hello(complete.append, gone.append)
    stream = made.stream = Stream()
    return made, stream, complete, gone


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_in_any_pieces_and_handed_over_whole(step: int) -> None:
    words = wire.hello(1, "dü".encode(), b"client", doubled=True) + wire.to_host(b"at once")
    made, _, complete, gone = hello()
    for at in range(0, len(words), step):
        made.received(words[at : at + step])
    assert complete == [made]
    assert (made.game, made.version, made.guest) == ("dü".encode(), 1, True)
    heard = Heard()
    made.hand_over(heard)
    made.received(b"more")
    made.ended()
    assert heard.data == words + b"more"
    assert heard.is_ended
    assert gone == []


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (b"\xff", b"PROTOCOL_VIOLATION"),
        (b"GET / HTTP/1.1\r\n", b"PROTOCOL_VIOLATION"),
        (bytes((1, 9)), b"WRONG_VERSION"),
        (bytes((1, 1)) + b"x" * MAX_HELLO, b"PROTOCOL_VIOLATION"),
        (wire.hello(1, b"x" * MAX_HELLO, b"client"), b"PROTOCOL_VIOLATION"),
    ],
)
def test_nonsense(words: bytes, answer: bytes) -> None:
    made, stream, complete, gone = hello()
    made.received(words)
    made.received(b"more")
    made.closed(StreamEnd())
    assert complete == []
    assert gone == [made]
    assert stream.said == wire.disconnect(answer)
    assert stream.is_closed


def test_who_talks_on_before_he_is_let_in_is_not_read() -> None:
    made, stream, complete, _ = hello()
    made.received(wire.hello(1, b"duel", b"secret"))
    made.received(b"x" * 2000)
    assert complete == [made]
    assert stream.is_paused


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=40))
def test_whatever_comes_there_is_one_end_at_most(said: list[bytes]) -> None:
    made, stream, complete, gone = hello()
    for piece in said:
        made.received(piece)
    assert len(complete) + len(gone) <= 1
    assert stream.is_closed is bool(gone)
    made.ended()
    made.closed(StreamEnd())
    assert len(gone) == 1


def test_who_says_nothing_does_not_stay() -> None:
    place = Place(connections=4)
    place.start()
    lines = [RelayLine(place.host, 7397) for _ in range(8)]
    place.net.advance(2)
    assert [line.over for line in lines] == [False] * 4 + [True] * 4
    place.net.advance(12)
    assert [line.frames for line in lines] == [[("Disconnect", "TIMEOUT")]] * 4 + [[]] * 4
    assert place.host.streams == []
    place.close()


def test_a_host_who_does_not_wait_for_his_welcome() -> None:
    hamlet = Hamlet()
    ann = hamlet.machine("ann")
    password = ann.opened(ann.lobby(), "duel")
    hamlet.net.link(ann.host, hamlet.server.host, latency=2.0)
    line = ann.relay(wire.hello(1, b"duel", password.encode()))
    hamlet.net.advance(1)
    line.stream.abort()
    hamlet.net.advance(20)
    assert ann.agent.players[0].room is None
    assert ann.agent.relay.rooms() == []
    hamlet.close()


def test_a_relay_that_never_lets_the_host_in() -> None:
    hamlet = Hamlet()
    ann = hamlet.machine("ann")
    password = ann.opened(ann.lobby(), "duel")
    hamlet.relay.hello = lambda *_: None  # type: ignore[method-assign]
    line = ann.relay(wire.hello(1, b"duel", password.encode()))
    hamlet.until(lambda: line.over, 12)
    assert line.frames == [("Disconnect", "TIMEOUT")]
    assert ann.agent.players[0].room is None
    hamlet.close()


def test_a_wrong_password_is_the_public_relays_business() -> None:
    hamlet = Hamlet()
    ann = hamlet.machine("ann")
    ann.opened(ann.lobby(), "duel")
    line = ann.relay(wire.hello(1, b"duel", b"wrong"))
    hamlet.until(lambda: line.over, 5)
    assert line.frames == [("Disconnect", "NO_HOST")]
    hamlet.close()
