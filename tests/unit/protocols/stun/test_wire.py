"""The codec: test vectors of RFC 5769, round trips, strict bounds."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wlnet.limits.addresses import parse_address
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.wire import BINDING, Attribute, Change, Endpoint, Kind, Message, StunError

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")

# RFC 5769 sections 2.1 to 2.3
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff"
    "80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
RESPONSE_V4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
RESPONSE_V6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c"
)

hosts = st.ip_addresses().map(str)
endpoints = st.builds(Endpoint, hosts, st.integers(0, 65535))
transactions = st.binary(min_size=12, max_size=12)
plain_types = st.integers(0, 0xFFFF).filter(
    lambda number: number not in (Attribute.FINGERPRINT, Attribute.MESSAGE_INTEGRITY)
)
messages = st.builds(
    Message,
    st.sampled_from(Kind),
    st.integers(0, 0xFFF),
    transactions,
    st.lists(st.tuples(plain_types, st.binary(max_size=40)), max_size=8).map(tuple),
    st.booleans(),
)


def test_sample_request() -> None:
    message = wire.decode(REQUEST)
    assert (message.kind, message.method, message.transaction) == (Kind.REQUEST, BINDING, TRANSACTION)
    assert message.fingerprint
    assert message.software() == "STUN test client"
    assert message.value(Attribute.USERNAME) == b"evtj:h6vY"


@pytest.mark.parametrize(
    ("data", "mapped"),
    [
        (RESPONSE_V4, Endpoint("192.0.2.1", 32853)),
        (RESPONSE_V6, Endpoint("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
)
def test_sample_responses(data: bytes, mapped: Endpoint) -> None:
    message = wire.decode(data)
    assert (message.kind, message.method) == (Kind.SUCCESS, BINDING)
    assert message.mapped() == mapped
    assert message.software() == "test vector"
    value = wire.endpoint_value(mapped, TRANSACTION)
    assert wire.attribute(Attribute.XOR_MAPPED_ADDRESS, value) in data


@pytest.mark.parametrize("sample", [REQUEST, RESPONSE_V4, RESPONSE_V6])
def test_any_changed_bit_is_noticed(sample: bytes) -> None:
    for position in (*range(len(sample) - 8), *range(len(sample) - 6, len(sample))):  # not its own type
        damaged = bytearray(sample)
        damaged[position] ^= 0x10
        with pytest.raises(StunError):
            wire.decode(bytes(damaged))


@given(messages)
def test_messages_survive_the_round_trip(message: Message) -> None:
    data = wire.encode(message)
    assert wire.decode(data) == message
    assert wire.message_length(data) == len(data)
    assert wire.looks_like_stun(data) == (message.method < 0x100)  # as RFC 7983 tells protocols apart


@given(messages, st.data())
def test_a_cut_or_longer_message_is_none(message: Message, data: st.DataObject) -> None:
    whole = wire.encode(message)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for wrong in (whole[:cut], whole + b"\0", whole + bytes(4)):
        with pytest.raises(StunError):
            wire.decode(wrong)


@given(st.binary(max_size=200))
@example(wire.encode(Message(Kind.REQUEST, BINDING, TRANSACTION))[:19])
def test_bytes_are_a_message_or_an_error(data: bytes) -> None:
    try:
        message = wire.decode(data)
    except StunError:
        return
    assert wire.decode(wire.encode(message)) == message


@given(transactions, st.binary(max_size=100).map(lambda body: body[: len(body) // 4 * 4]))
def test_any_attributes_are_read_or_an_error(transaction: bytes, body: bytes) -> None:
    try:
        message = wire.decode(wire.frame(0x0101, transaction, body))
        for read in (
            message.mapped, message.change, message.error, message.response_port, message.unknown_attributes,
        ):  # fmt: skip
            read()
    except StunError:
        return


@given(endpoints, transactions)
def test_addresses_survive_the_round_trip(endpoint: Endpoint, transaction: bytes) -> None:
    plain = Message(Kind.SUCCESS, BINDING, transaction, (
        (Attribute.MAPPED_ADDRESS, wire.endpoint_value(endpoint)),
    ))  # fmt: skip
    mixed = Message(Kind.SUCCESS, BINDING, transaction, (
        (Attribute.XOR_MAPPED_ADDRESS, wire.endpoint_value(endpoint, transaction)),
    ))  # fmt: skip
    host = parse_address(endpoint.host)
    assert plain.mapped() == mixed.mapped() == Endpoint(str(host), endpoint.port)


def test_an_address_hidden_from_meddling_nats() -> None:
    for host in (IPv4Address("192.168.1.10"), IPv6Address("2001:db8::10")):
        assert host.packed not in wire.endpoint_value(Endpoint(str(host), 7), TRANSACTION)


@pytest.mark.parametrize(
    "value", [b"", bytes(8), b"\0\1" + bytes(5), b"\0\2" + bytes(6), b"\0\1" + bytes(18)]
)
def test_what_is_no_address(value: bytes) -> None:
    message = Message(Kind.SUCCESS, BINDING, TRANSACTION, ((Attribute.OTHER_ADDRESS, value),))
    with pytest.raises(StunError):
        message.address(Attribute.OTHER_ADDRESS)


@given(st.integers(300, 699), st.text(max_size=20))
def test_errors(code: int, reason: str) -> None:
    value = wire.error_value(code, reason)
    assert Message(Kind.ERROR, BINDING, TRANSACTION, ((Attribute.ERROR_CODE, value),)).error() == (
        code,
        reason,
    )


def test_other_attributes() -> None:
    message = Message(Kind.REQUEST, BINDING, TRANSACTION, (
        (Attribute.CHANGE_REQUEST, wire.change_value(Change.ADDRESS | Change.PORT)),
        (Attribute.RESPONSE_PORT, b"\x12\x34\0\0"),
        (Attribute.UNKNOWN_ATTRIBUTES, b"\x00\x24\x00\x25"),
        (Attribute.SOFTWARE, b"first"),
        (Attribute.SOFTWARE, b"second"),
    ))  # fmt: skip
    assert message.change() == Change.ADDRESS | Change.PORT
    assert message.response_port() == 0x1234
    assert message.unknown_attributes() == (0x24, 0x25)
    assert message.software() == "first"
    empty = Message(Kind.REQUEST, BINDING, TRANSACTION)
    assert (empty.change(), empty.response_port(), empty.error(), empty.software()) == (None,) * 4


def test_what_follows_the_integrity_is_left_out() -> None:
    seal = (int(Attribute.MESSAGE_INTEGRITY), bytes(20))
    added = (int(Attribute.CHANGE_REQUEST), bytes(4))
    data = wire.encode(Message(Kind.REQUEST, BINDING, TRANSACTION, (seal, added), True))
    assert wire.decode(data).attributes == (seal,)


def test_fingerprint_must_be_last() -> None:
    data = wire.frame(0x0001, TRANSACTION, b"", True)
    longer = data[:2] + b"\0\x0c" + data[4:] + wire.attribute(Attribute.SOFTWARE, b"")
    with pytest.raises(StunError):
        wire.decode(longer)


def test_number_of_attributes_is_limited() -> None:
    one = (int(Attribute.SOFTWARE), b"")
    most = Message(Kind.REQUEST, BINDING, TRANSACTION, (one,) * wire.MAX_ATTRIBUTES)
    assert wire.decode(wire.encode(most)) == most
    with pytest.raises(StunError):
        wire.decode(
            wire.encode(Message(Kind.REQUEST, BINDING, TRANSACTION, (one,) * (wire.MAX_ATTRIBUTES + 1)))
        )


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(StunError):
        wire.encode(Message(Kind.REQUEST, BINDING, b"short"))
    with pytest.raises(StunError):
        wire.encode(Message(Kind.REQUEST, BINDING, TRANSACTION, ((1, bytes(65535)),)))
