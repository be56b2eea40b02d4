"""What the server answers, where to, from where, and how much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.stun import CLIENT, CLIENT_V6, FIRST, FIRST_V6, TRANSACTION, Server, change, request
from wlnet.config.schema import Limits
from wlnet.metrics import Limit
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.wire import Attribute, Change, Endpoint, Kind, StunError

SECONDS = ("203.0.113.2", "2001:db8::2")
UDP_V4, UDP_V6 = 28, 48


def test_a_client_learns_how_it_is_seen() -> None:
    for source, local in ((CLIENT, FIRST), (CLIENT_V6, FIRST_V6)):
        server = Server()
        sent = server.ask(request(), source, local)
        assert sent is not None
        assert (sent.destination, sent.origin) == (source, local)
        answer = wire.decode(sent.data)
        assert (answer.kind, answer.transaction) == (Kind.SUCCESS, TRANSACTION)
        assert answer.address(Attribute.XOR_MAPPED_ADDRESS) == source
        assert answer.address(Attribute.RESPONSE_ORIGIN) == local
        assert (
            answer.value(Attribute.OTHER_ADDRESS) is None
        )  # RFC 5780 section 7.4: only with a second address
        assert (server.responder.requests, server.responder.answers) == (1, 1)


def test_a_second_address_is_told_and_used() -> None:
    server = Server(seconds=SECONDS)
    endpoints = {
        (False, False): Endpoint("203.0.113.1", 3478),
        (False, True): Endpoint("203.0.113.1", 3479),
        (True, False): Endpoint("203.0.113.2", 3478),
        (True, True): Endpoint("203.0.113.2", 3479),
    }
    for (second, high), local in endpoints.items():
        for flags in (Change.NONE, Change.PORT, Change.ADDRESS, Change.PORT | Change.ADDRESS):
            sent = server.ask(request(change(flags)), local=local)
            assert sent is not None
            expected = (second ^ bool(flags & Change.ADDRESS), high ^ bool(flags & Change.PORT))
            assert sent.origin == endpoints[expected]
            assert sent.destination == CLIENT
            answer = wire.decode(sent.data)
            assert answer.address(Attribute.RESPONSE_ORIGIN) == sent.origin
            assert answer.address(Attribute.OTHER_ADDRESS) == endpoints[not expected[0], not expected[1]]


def test_without_second_address_only_the_port_changes() -> None:
    server = Server()
    sent = server.ask(request(change(Change.PORT)))
    assert sent is not None
    assert sent.origin == Endpoint(FIRST.host, 3479)
    for flags in (Change.ADDRESS, Change.ADDRESS | Change.PORT):
        sent = server.ask(request(change(flags)))
        assert sent is not None
        assert sent.origin == FIRST
        answer = wire.decode(sent.data)
        assert answer.error() == (420, "Unknown Attribute")
        assert answer.unknown_attributes() == (Attribute.CHANGE_REQUEST,)


def test_behind_a_one_to_one_nat_the_public_addresses_are_told() -> None:
    told = {FIRST.host: "192.0.2.1", SECONDS[0]: "192.0.2.2"}
    sent = Server(seconds=SECONDS, told=told).ask(request())
    assert sent is not None
    assert sent.origin == FIRST
    answer = wire.decode(sent.data)
    assert answer.address(Attribute.RESPONSE_ORIGIN) == Endpoint("192.0.2.1", 3478)
    assert answer.address(Attribute.OTHER_ADDRESS) == Endpoint("192.0.2.2", 3479)


def test_a_loopback_client_is_not_sent_to_the_second_address() -> None:
    local = Endpoint("127.0.0.1", 3478)
    answer = Server(seconds=SECONDS).answer(request(), Endpoint("127.0.0.1", 9999), local)
    assert answer.value(Attribute.OTHER_ADDRESS) is None


def test_fingerprint_is_answered_in_kind() -> None:
    assert Server().answer(request(fingerprint=True)).fingerprint
    assert not Server().answer(request()).fingerprint


def test_what_some_clients_want_comes_if_there_is_room() -> None:
    long = (int(Attribute.SOFTWARE), bytes(60))
    answer = Server().answer(request(long))
    assert answer.address(Attribute.MAPPED_ADDRESS) == CLIENT
    assert answer.software() == "wlnet"
    assert Server().answer(request()).software() is None


def test_padding_is_answered_by_as_much() -> None:
    data = request((Attribute.PADDING, bytes(1000)))
    sent = Server().ask(data)
    assert sent is not None
    assert len(sent.data) == len(data)


def test_unknown_attributes() -> None:
    data = request((0x0024, bytes(4)), (0x8FFF, b"optional"), (0x7FFF, b""), (0x0024, b""))
    answer = Server().answer(data)
    assert (answer.kind, answer.error()) == (Kind.ERROR, (420, "Unknown Attribute"))
    assert answer.unknown_attributes() == (0x0024, 0x7FFF)


def test_credentials_do_not_disturb() -> None:
    data = request((Attribute.USERNAME, b"a:b"), (Attribute.MESSAGE_INTEGRITY, bytes(20)))
    assert Server().answer(data).kind is Kind.SUCCESS


@pytest.mark.parametrize(
    "attribute",
    [
        (Attribute.CHANGE_REQUEST, b"\6"),
        (Attribute.RESPONSE_PORT, b"\1"),
        (Attribute.RESPONSE_PORT, bytes(4)),
    ],
)
def test_bad_requests(attribute: tuple[int, bytes]) -> None:
    assert Server().answer(request(attribute)).error() == (400, "Bad Request")


@pytest.mark.parametrize("kind", [Kind.INDICATION, Kind.SUCCESS, Kind.ERROR])
def test_no_answer_to_what_is_no_request(kind: Kind) -> None:
    assert Server().ask(request(kind=kind)) is None


def test_no_answer_to_its_own_answers() -> None:
    server = Server(seconds=SECONDS)
    sent = server.ask(request())
    assert sent is not None
    assert server.ask(sent.data) is None
    assert server.ask(wire.frame(0x0003, TRANSACTION, b"")) is None  # TURN Allocate


@given(st.binary(max_size=100))
def test_noise_gets_no_answer(data: bytes) -> None:
    server = Server()
    assert server.ask(data) is None
    assert server.limited(Limit.MALFORMED) == 1


@pytest.mark.parametrize(
    ("source", "local"),
    [
        (Endpoint("198.51.100.7", 0), FIRST),
        (Endpoint("224.0.0.1", 40000), FIRST),
        (Endpoint("255.255.255.255", 40000), FIRST),
        (Endpoint("0.0.0.0", 40000), FIRST),
        (Endpoint("127.0.0.1", 40000), FIRST),
        (Endpoint("ff02::1", 40000), FIRST_V6),
        (Endpoint("::1", 40000), FIRST_V6),
        (FIRST, FIRST),
        (Endpoint(FIRST.host, 3479), FIRST),
        (Endpoint(SECONDS[0], 3478), FIRST),
        (Endpoint("192.0.2.1", 3478), FIRST),
        (Endpoint("127.0.0.1", 3479), Endpoint("127.0.0.1", 3478)),
    ],
)
def test_places_never_answered(source: Endpoint, local: Endpoint) -> None:
    server = Server(seconds=SECONDS, told={FIRST.host: "192.0.2.1"})
    assert server.ask(request(), source, local) is None
    assert server.limited(Limit.MALFORMED) == 1


def test_another_client_at_our_address_is_answered() -> None:
    assert Server().ask(request(), Endpoint(FIRST.host, 40000)) is not None


def response_port(port: int) -> tuple[int, bytes]:
    return Attribute.RESPONSE_PORT, port.to_bytes(2, "big") + bytes(2)


def test_response_port() -> None:
    server = Server()
    sent = server.ask(request(response_port(50000)))
    assert sent is not None
    assert sent.destination == Endpoint(CLIENT.host, 50000)
    assert wire.decode(sent.data).mapped() == CLIENT
    for port in (0, 53, 1023):
        sent = server.ask(request(response_port(port)))
        assert sent is not None
        assert sent.destination == CLIENT
        assert wire.decode(sent.data).error() == (400, "Bad Request")
    both = request(response_port(50000), (Attribute.PADDING, bytes(40)))
    assert server.answer(both).error() == (400, "Bad Request")
    own = server.ask(request(response_port(3479)), Endpoint(FIRST.host, 40000))
    assert own is not None
    assert own.destination == Endpoint(FIRST.host, 40000)


# -- limits --------------------------------------------------------------------------------------------


def count_answers(server: Server, times: int, source: Endpoint = CLIENT) -> int:
    return sum(server.ask(request(), source) is not None for _ in range(times))


def test_requests_of_one_address_are_limited() -> None:
    server = Server(Limits(stun_rate=10, stun_burst=20))
    assert count_answers(server, 30) == 20
    assert server.limited(Limit.REQUEST_RATE) == 10
    assert count_answers(server, 1, Endpoint("198.51.100.8", 1)) == 1
    server.clock.advance(1)
    assert count_answers(server, 30) == 10


def test_a_network_of_one_customer_counts_as_one() -> None:
    server = Server(Limits(stun_burst=20))
    sources = [Endpoint(f"2001:db8:1::{number:x}", 40000) for number in range(30)]
    assert sum(server.ask(request(), source, FIRST_V6) is not None for source in sources) == 20


def test_trusted_networks_are_not_limited_by_address() -> None:
    server = Server(Limits(stun_burst=5), trusted=("198.51.100.0/24",))
    assert count_answers(server, 30) == 30


def test_requests_in_all_are_limited() -> None:
    server = Server(Limits(stun_total_rate=10, stun_total_burst=20), trusted=("198.51.100.0/24",))
    answered = sum(count_answers(server, 1, Endpoint(f"198.51.100.{number}", 9999)) for number in range(30))
    assert answered == 20
    assert server.limited(Limit.TOTAL_REQUEST_RATE) == 10


def test_a_flood_of_one_address_does_not_cost_the_others() -> None:
    server = Server(Limits(stun_burst=5, stun_total_burst=20))
    count_answers(server, 1000)
    assert count_answers(server, 5, Endpoint("198.51.100.8", 1)) == 5


def test_changed_answers_are_limited_and_their_refusal_is_heard() -> None:
    server = Server(Limits(stun_change_rate=1, stun_change_burst=3), seconds=SECONDS)
    data = request(change(Change.ADDRESS | Change.PORT))
    assert [server.answer(data).kind for _ in range(4)] == [Kind.SUCCESS] * 3 + [Kind.ERROR]
    sent = server.ask(data)
    assert sent is not None
    assert (sent.origin, sent.destination) == (FIRST, CLIENT)
    assert wire.decode(sent.data).error() == (500, "Too Many Requests")
    assert server.limited(Limit.CHANGE_RATE) == 2
    assert server.answer(request()).kind is Kind.SUCCESS
    assert server.answer(request(response_port(50000))).kind is Kind.ERROR


def test_changed_answers_in_all_are_limited() -> None:
    server = Server(Limits(stun_total_change_rate=1, stun_total_change_burst=3))
    kinds = [
        server.answer(request(change(Change.PORT)), Endpoint(f"198.51.100.{number}", 9999)).kind
        for number in range(5)
    ]
    assert kinds == [Kind.SUCCESS] * 3 + [Kind.ERROR] * 2
    assert server.limited(Limit.TOTAL_CHANGE_RATE) == 2


# -- amplification -------------------------------------------------------------------------------------


def ratio(server: Server, data: bytes, *, v6: bool) -> float:
    source, local, head = (CLIENT_V6, FIRST_V6, UDP_V6) if v6 else (CLIENT, FIRST, UDP_V4)
    sent = server.ask(data, source, local)
    return 0.0 if sent is None else (len(sent.data) + head) / (len(data) + head)


def test_the_worst_ratio() -> None:
    """On the wire, IP and UDP headers included: for the smallest request there is."""
    assert ratio(Server(), request(), v6=False) == pytest.approx(72 / 48)
    assert ratio(Server(), request(), v6=True) == pytest.approx(116 / 68)
    assert ratio(Server(seconds=SECONDS), request(), v6=False) == pytest.approx(84 / 48)
    assert ratio(Server(seconds=SECONDS), request(), v6=True) == pytest.approx(140 / 68)


numbers = st.one_of(st.sampled_from(Attribute), st.integers(0, 0xFFFF))


@given(
    st.lists(st.tuples(numbers, st.binary(max_size=24)), max_size=12),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_no_request_has_a_worse_ratio(
    attributes: list[tuple[int, bytes]], fingerprint: bool, v6: bool, second: bool
) -> None:
    data = request(*attributes, fingerprint=fingerprint)
    server = Server(seconds=SECONDS if second else ())
    assert ratio(server, data, v6=v6) <= 140 / 68


# -- streams -------------------------------------------------------------------------------------------


def test_over_a_stream() -> None:
    server = Server()
    reply = server.responder.message(request(), CLIENT, FIRST)
    assert reply is not None
    assert wire.decode(reply).mapped() == CLIENT
    assert server.responder.message(request(kind=Kind.INDICATION), CLIENT, FIRST) is None
    with pytest.raises(StunError):
        server.responder.message(b"\0\1\0\0", CLIENT, FIRST)


@pytest.mark.parametrize(
    "attribute",
    [(Attribute.CHANGE_REQUEST, bytes(4)), (Attribute.PADDING, b""), (Attribute.RESPONSE_PORT, bytes(4))],
)
def test_over_a_stream_nothing_can_be_changed(attribute: tuple[int, bytes]) -> None:
    reply = Server().responder.message(request(attribute), CLIENT, FIRST)
    assert reply is not None
    answer = wire.decode(reply)
    assert answer.unknown_attributes() == (attribute[0],)


def test_streams_have_the_same_limits() -> None:
    server = Server(Limits(stun_burst=3))
    replies = [server.responder.message(request(), CLIENT, FIRST) for _ in range(5)]
    assert [reply is None for reply in replies] == [False] * 3 + [True] * 2
