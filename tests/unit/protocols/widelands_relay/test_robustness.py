"""Whatever arrives, in whatever pieces: same result whole or split, no exception, no neighbour hurt."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.relay import PASSWORD, End, Frame, World
from wlnet.protocols.widelands_relay import wire

payload = st.binary(max_size=12)
anywhere = [
    st.builds(wire.pong, st.integers(0, 255)),
    st.builds(wire.disconnect, st.sampled_from([b"", b"bye"])),
    st.just(wire.round_trip_time_request()),
    st.binary(min_size=1, max_size=3),
]
from_host = st.one_of(
    st.builds(wire.to_clients, st.lists(st.sampled_from([1, 2, 3, 9]), max_size=5), payload),
    st.builds(wire.to_clients, st.just([2, 3]), payload),
    st.builds(wire.disconnect_client, st.sampled_from([1, 2, 3, 9])),
    *anywhere,
)
from_client = st.one_of(st.builds(wire.to_host, payload), st.builds(wire.to_host, payload), *anywhere)


def _pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    return [stream[start:end] for start, end in pairwise(places)]


def _heard(world: World) -> list[list[Frame]]:
    return [end.heard() for end in world.ends]


def _play(pieces: list[bytes], *, hosting: bool) -> list[list[Frame]]:
    world = World()
    host = world.host()
    guests = [world.client(), world.client()]
    teller = host if hosting else guests[0]
    for piece in pieces:
        teller.say(piece)
    return _heard(world)


@given(st.lists(from_host, max_size=12), st.lists(st.integers(0, 10_000), max_size=12))
@example([wire.to_clients([2, 2], b"a"), wire.to_clients([2, 2], b"b")], [])
def test_a_split_of_what_the_host_says_changes_nothing(said: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(said)
    whole = _play([stream] if stream else [], hosting=True)
    assert _play(_pieces(stream, cuts), hosting=True) == whole
    assert _play([bytes((byte,)) for byte in stream], hosting=True) == whole


@given(st.lists(from_client, max_size=12), st.lists(st.integers(0, 10_000), max_size=12))
def test_a_split_of_what_a_client_says_changes_nothing(said: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(said)
    whole = _play([stream] if stream else [], hosting=False)
    assert _play(_pieces(stream, cuts), hosting=False) == whole
    assert _play([bytes((byte,)) for byte in stream], hosting=False) == whole


@given(
    st.integers(1, 2), st.booleans(), st.sampled_from([b"game", b"none"]),
    st.sampled_from([PASSWORD, b"client", b""]),
    st.lists(from_host, max_size=4), st.lists(st.integers(0, 10_000), max_size=8),
)  # fmt: skip
def test_a_split_hello_changes_nothing(
    version: int, doubled: bool, game: bytes, password: bytes, said: list[bytes], cuts: list[int]
) -> None:
    stream = wire.hello(version, game, password, doubled=doubled) + b"".join(said)
    results = []
    for pieces in ([stream], _pieces(stream, cuts), [bytes((byte,)) for byte in stream]):
        world = World()
        end = world.connect()
        for piece in pieces:
            end.say(piece)
        results.append((_heard(world), world.relay.rooms()))
    assert results[0] == results[1] == results[2]


codes = st.sampled_from(bytes((0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 21, 22, 48, 255)))
garbage = st.one_of(
    st.binary(min_size=1, max_size=400),
    st.builds(lambda code, rest: bytes((code,)) + rest, codes, st.binary(max_size=40)),
    st.builds(
        lambda code, size, rest: bytes((code,)) + size.to_bytes(2, "big") + rest,
        codes, st.integers(0, 40), st.binary(max_size=40),
    ),
    st.sampled_from([wire.hello(1, b"game", PASSWORD), wire.hello(2, b"other", b"x"), wire.to_host(b"x")]),
    from_host,
)  # fmt: skip


class Neighbours:
    """A second room whose players must not notice anything."""

    def __init__(self, world: World) -> None:
        world.relay.open_room("second", "other", PASSWORD.decode(), "")
        self.host, self.guest = world.host(b"other"), world.client(b"other")
        self.host.heard()

    def check(self) -> None:
        self.guest.say(wire.to_host(b"up"))
        self.host.say(wire.to_clients([2], b"down"))
        assert ("FromClient", 2, b"up") in self.host.heard()
        assert ("FromHost", b"down") in self.guest.heard()


def _attacker(world: World, state: str) -> End:
    if state == "newcomer":
        return world.connect()
    host = world.host()
    client = world.client()
    if state == "closing":
        client.say(wire.disconnect(b""))
    return host if state == "host" else client


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["newcomer", "host", "client", "closing"]), st.lists(garbage, max_size=10),
    st.sampled_from([None, 0, 3, 200]),
)  # fmt: skip
def test_garbage_in_any_state_never_raises_and_hurts_no_neighbour(
    state: str, said: list[bytes], capacity: int | None
) -> None:
    world = World()
    neighbours = Neighbours(world)
    attacker = _attacker(world, state)
    attacker.carrier.capacity = capacity
    for piece in said:
        attacker.say(piece)
        world.advance(1.0)
    attacker.read_on()
    attacker.heard()  # still a stream of whole frames
    neighbours.check()
    attacker.hang_up()
    neighbours.check()
    world.advance(15.0)
    assert world.budget.held == 0
    assert attacker.session not in world.relay.peers
