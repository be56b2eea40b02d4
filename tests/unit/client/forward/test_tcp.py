"""TCP games carried between simulated machines: bytes, ends, resets, bounds."""

from __future__ import annotations

from random import Random

import pytest

from tests.unit.client.forward.village import TcpGame, Village, clean
from wlnet.client.forward.limits import ForwardLimits
from wlnet.client.forward.reports import (
    Closed,
    Listening,
    PathLost,
    PathTaken,
    PeerGone,
    PeerHere,
    Trouble,
)
from wlnet.client.net.network import StreamEnd


def content(size: int) -> bytes:
    return Random(size).randbytes(size)


def test_a_megabyte_there_and_back_with_both_ends_said() -> None:
    village = Village()
    ann, host, bob, guest = village.joined()
    game = TcpGame(ann.machine)
    stream, call = village.dial(bob.machine, guest)
    data = content(1_000_000)
    stream.write(data)
    stream.end()
    village.until(lambda: call.end, 60)
    assert bytes(call.got) == data
    assert bytes(game.calls[0].got) == data
    assert (call.is_ended, call.end is not None and call.end.reset) == (True, False)
    assert game.calls[0].end is not None
    assert not game.calls[0].end.reset
    village.net.advance(1)
    assert (guest.tally.sent, guest.tally.received, guest.tally.connections) == (1_000_000, 1_000_000, 1)
    assert guest.tcp is not None
    assert guest.tcp.connections == 0
    guest.close("enough")
    village.until(lambda: bob.code is not None, 2.01)
    (gone,) = ann.said(PeerGone)
    assert (gone.sent, gone.received) == (1_000_000, 1_000_000)
    host.close("enough")
    village.until(lambda: ann.code is not None, 2.01)
    game.listener.close()
    village.net.advance(10)
    clean(ann)
    clean(bob)
    assert (ann.code, bob.code) == (0, 0)
    assert bob.reports[-1] == Closed(reason="enough", code=0)


def test_a_side_that_ended_still_hears_the_other() -> None:
    village = Village()
    ann, _, bob, guest = village.joined()
    game = TcpGame(ann.machine, echoes=False)
    stream, call = village.dial(bob.machine, guest)
    stream.write(b"question")
    stream.end()
    village.until(lambda: game.calls and game.calls[0].is_ended)
    theirs = game.calls[0].stream
    assert theirs is not None
    assert bytes(game.calls[0].got) == b"question"
    village.net.advance(5)
    theirs.write(content(300_000))
    village.until(lambda: len(call.got) == 300_000)
    assert call.end is None
    theirs.end()
    village.until(lambda: call.end)
    assert call.end == StreamEnd()


@pytest.mark.parametrize("guest_resets", [True, False])
def test_a_reset_goes_through(guest_resets: bool) -> None:
    village = Village()
    ann, _, bob, guest = village.joined()
    game = TcpGame(ann.machine)
    stream, call = village.dial(bob.machine, guest)
    stream.write(b"x")
    village.until(lambda: call.got)
    (theirs,) = game.calls
    assert theirs.stream is not None
    (stream if guest_resets else theirs.stream).abort()
    other = theirs if guest_resets else call
    village.until(lambda: other.end)
    assert other.end is not None
    assert other.end.reset
    village.net.advance(1)
    assert guest.tcp is not None
    assert guest.tcp.connections == 0


def test_no_game_at_the_host_is_a_reset_and_a_sentence_at_both() -> None:
    village = Village()
    ann, _, bob, guest = village.joined()
    for _ in range(3):
        _, call = village.dial(bob.machine, guest)
        village.until(lambda one=call: one.end)  # type: ignore[misc]
        assert call.end is not None
        assert call.end.reset
    (mine,) = ann.said(Trouble)
    assert "tcp 127.0.0.1:7396" in mine.text
    assert "refused" in mine.text
    assert "Is it running" in mine.text
    (theirs,) = bob.said(Trouble)
    assert "is the game running there" in theirs.text
    village.net.advance(31)
    village.dial(bob.machine, guest)
    village.until(lambda: len(ann.said(Trouble)) == 2)
    assert "4 times" in ann.said(Trouble)[1].text


def test_a_connection_made_before_there_is_a_path_waits_with_all_it_said() -> None:
    village = Village()
    ann, _ = village.listed()
    game = TcpGame(ann.machine)
    bob, guest = village.guest()
    assert isinstance(bob.reports[0], Listening)
    stream, call = village.dial(bob.machine, guest)
    data = content(300_000)
    stream.write(data)
    stream.end()
    village.until(lambda: call.end)
    assert bytes(call.got) == data
    assert len(game.calls) == 1


def test_only_so_many_wait_and_only_so_long() -> None:
    village = Village()
    bob, guest = village.guest(limits=ForwardLimits(waiting=2, waiting_time=5))
    village.net.link(bob.machine, village.town.server.host, cut=True)
    calls = [village.dial(bob.machine, guest)[1] for _ in range(3)]
    village.net.advance(1)
    assert [call.end is not None for call in calls] == [False, False, True]
    village.net.advance(5)
    assert all(call.end is not None and call.end.reset for call in calls)
    assert guest.tally.dropped == {"connections": 1, "waiting": 2}
    assert len(bob.said(Trouble)) == 2


@pytest.mark.parametrize("limited", ["guest", "host"])
def test_only_so_many_connections(limited: str) -> None:
    few = ForwardLimits(connections=3)
    village = Village()
    ann, host, bob, guest = village.joined(
        host_limits=few if limited == "host" else None, limits=few if limited == "guest" else None
    )
    TcpGame(ann.machine)
    calls = []
    for _ in range(5):
        stream, call = village.dial(bob.machine, guest)
        stream.write(b"x")
        calls.append(call)
    village.net.advance(3)
    assert [bytes(call.got) for call in calls].count(b"x") == 3
    assert sum(call.end is not None for call in calls) == 2
    (one,) = host.guests.values()
    assert one.tcp is not None
    assert one.tcp.connections == 3
    calls[0].stream.abort()  # type: ignore[union-attr]
    village.net.advance(1)
    stream, call = village.dial(bob.machine, guest)
    stream.write(b"y")
    village.until(lambda: call.got == b"y")


def test_a_game_that_does_not_read_stops_the_sender_and_nobody_else() -> None:
    village = Village()
    ann, _, bob, guest = village.joined()
    game = TcpGame(ann.machine, echoes=False)
    stream, _ = village.dial(bob.machine, guest)
    stream.write(b"first")
    village.until(lambda: game.calls and game.calls[0].got)
    deaf = game.calls[0].stream
    assert deaf is not None
    deaf.pause()
    data = content(3_000_000)
    stream.write(data)
    village.net.advance(20)
    # The game's own buffers, the tunnel's, one read: far from all of it, and no more of it as time goes on.
    unsent = stream.waiting
    assert unsent > 1_000_000
    village.net.advance(20)
    assert unsent - stream.waiting < 1000
    other, call = village.dial(bob.machine, guest)
    other.write(b"hello")
    village.until(lambda: len(game.calls) == 2 and game.calls[1].got == b"hello")
    assert call.end is None
    deaf.resume()
    stream.end()
    village.until(lambda: game.calls[0].is_ended, 60)
    assert bytes(game.calls[0].got) == b"first" + data


def test_a_guest_who_does_not_read_stops_the_game() -> None:
    village = Village()
    ann, _, bob, guest = village.joined()
    game = TcpGame(ann.machine, echoes=False)
    stream, call = village.dial(bob.machine, guest)
    stream.write(b"first")
    village.until(lambda: game.calls and game.calls[0].got)
    stream.pause()
    theirs = game.calls[0].stream
    assert theirs is not None
    data = content(3_000_000)
    theirs.write(data)
    theirs.end()
    village.net.advance(20)
    assert theirs.waiting > 1_000_000
    stream.resume()
    village.until(lambda: call.is_ended, 60)
    assert bytes(call.got) == data


def test_fifty_connections_at_once() -> None:
    village = Village()
    ann, _, bob, guest = village.joined()
    TcpGame(ann.machine)
    calls = []
    for number in range(50):
        stream, call = village.dial(bob.machine, guest)
        stream.write(content(20_000 + number))
        stream.end()
        calls.append(call)
    village.until(lambda: all(call.end for call in calls), 60)
    assert [bytes(call.got) for call in calls] == [content(20_000 + number) for number in range(50)]


def test_when_the_guest_leaves_the_hosts_game_sees_a_reset() -> None:
    village = Village()
    ann, host, bob, guest = village.joined()
    game = TcpGame(ann.machine)
    stream, _ = village.dial(bob.machine, guest)
    stream.write(b"x")
    village.until(lambda: game.calls and game.calls[0].got)
    guest.close("enough")
    village.until(lambda: game.calls[0].end)
    assert game.calls[0].end is not None
    assert game.calls[0].end.reset
    village.until(lambda: bob.code == 0)
    assert host.guests == {}
    assert ann.code is None


def test_what_is_told_of_the_path() -> None:
    village = Village()
    ann, _, bob, _ = village.joined()
    village.net.advance(5)
    for program, other in ((ann, "bob"), (bob, "ann")):
        kinds = [report.kind for report in program.said(PathTaken)]
        assert kinds[-1] == "punched"
        assert {report.peer for report in program.said(PathTaken)} == {other}
        assert program.said(PeerHere) == [PeerHere(peer=other, traffic="tcp")]
        last = program.said(PathTaken)[-1]
        assert 0 < last.rtt_ms < 200
        assert last.reason.endswith(".")


def test_a_connection_goes_on_when_its_path_is_lost_and_when_there_is_none_for_a_while() -> None:
    village = Village()
    ann, _, bob, guest = village.joined()
    game = TcpGame(ann.machine, echoes=False)
    village.until(lambda: any(report.kind == "punched" for report in bob.said(PathTaken)))
    village.net.link(ann.machine, bob.machine, loss=0.02, jitter=0.02)
    stream, _ = village.dial(bob.machine, guest)
    data = content(2_000_000)
    stream.write(data)
    stream.end()
    village.until(lambda: game.calls and len(game.calls[0].got) > 200_000, 60)
    village.net.link(ann.machine, bob.machine, cut=True)
    village.until(lambda: bob.said(PathTaken)[-1].kind == "relayed", 5)
    before = len(game.calls[0].got)
    village.until(lambda: len(game.calls[0].got) > before, 5)
    village.net.link(bob.machine, village.town.server.host, cut=True)
    village.until(lambda: bob.said(PathLost), 15)
    village.net.advance(15)
    village.net.link(bob.machine, village.town.server.host, cut=False)
    village.until(lambda: game.calls[0].is_ended, 60)
    assert bytes(game.calls[0].got) == data
    assert guest.tally.dropped == {}
