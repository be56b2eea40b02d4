"""The command WLNET: negotiation, bad messages, clients that never say it, whatever strangers send."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.lobby import Rig
from tests.unit.rendezvous.rig import PRINT_A, Guestbook, Speaker
from wlnet.metrics import Limit
from wlnet.protocols.exchange.messages import (
    Candidates,
    Join,
    MessageError,
    Publish,
    decode_hello,
    decode_said,
    decode_told,
    encode,
)
from wlnet.protocols.exchange.observation import observe
from wlnet.rendezvous.events import Refusal, Refused
from wlnet.tickets.ticket import from_text


def test_without_the_extension_the_command_does_not_exist() -> None:
    client = Rig().player("ann")
    assert client.say("WLNET", "1") == [("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD")]
    assert client.closed


def test_a_client_that_never_says_it_hears_nothing_of_it() -> None:
    book = Guestbook()
    old = book.rig.player("old")
    host = book.player("ann")
    host.say(Publish(game="duel", traffic="tcp", fingerprint=PRINT_A))
    book.wait(5)
    assert "WLNET" not in [packet[0] for packet in old.got()]
    assert len(book.desk._members) == 1


def test_negotiation_tells_who_and_how_much() -> None:
    hello = Guestbook().player("ann", "198.51.100.7").hello
    assert (hello.version, hello.address, hello.message_size, hello.candidates) == (
        1,
        "198.51.100.7",
        12000,
        32,
    )
    assert len(set(hello.observe)) == 4


def test_a_newer_client_gets_the_version_there_is() -> None:
    client = Guestbook().rig.player("ann")
    assert [packet[:2] for packet in client.say("WLNET", "9")] == [("WLNET", "1")]


@pytest.mark.parametrize("version", ["0", "-1", "one", "", "1.0", "9999999", "²"])
def test_other_versions_are_refused_and_the_connection_stays(version: str) -> None:
    client = Guestbook().rig.player("ann")
    assert client.say("WLNET", version) == [("ERROR", "WLNET", "UNSUPPORTED_VERSION")]
    assert not client.closed


def test_json_before_negotiation_is_refused() -> None:
    client = Guestbook().rig.player("ann")
    assert client.say("WLNET", '{"type":"renew","attempt":1}') == [("ERROR", "WLNET", "NOT_NEGOTIATED")]


def test_a_missing_field_is_an_error_and_no_more() -> None:
    client = Guestbook().rig.player("ann")
    assert client.say("WLNET")[0][:2] == ("ERROR", "WLNET")
    assert not client.closed


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"type":"nonsense"}',
        '{"type":"join"}',
        '{"type":"join","game":"x","fingerprint":"short"}',
        '{"type":"report","attempt":1,"step":0,"result":"opened"}',
        '{"type":"report","attempt":1,"step":1,"result":"opened","detail":"' + "x" * 201 + '"}',
        '{"type":"candidates","only_port":80}',
        '{"a":' + "[" * 3000,
        '{"type":"unpublish","game":"\udcff"}',
    ],
)
def test_what_is_no_message_is_counted_and_refused(text: str) -> None:
    book = Guestbook()
    speaker = book.player("ann")
    [error] = speaker.raw(text)
    assert error[:2] == ("ERROR", "WLNET")
    assert error[2].startswith("MALFORMED_MESSAGE ")
    assert len(error[2]) < 230
    assert book.limited(Limit.MALFORMED) == 1
    assert not speaker.client.closed


def test_messages_have_a_size() -> None:
    book = Guestbook(message_size=1024)
    speaker = book.player("ann")
    text = json.dumps({"type": "renew", "attempt": 1, "padding": "x" * 1024})
    assert speaker.raw(text) == [("ERROR", "WLNET", "MESSAGE_TOO_LONG")]
    assert book.limited(Limit.PACKET_SIZE) == 1


def test_a_refusal_names_what_it_is_about() -> None:
    speaker = Guestbook().player("ann")
    [refused] = speaker.say(Join(game="none", fingerprint=PRINT_A))
    assert isinstance(refused, Refused)
    assert (refused.of, refused.code, refused.attempt) == ("join", Refusal.NO_SUCH_GAME, 0)


def test_unknown_members_are_skipped() -> None:
    said = decode_said('{"type":"candidates","attempt":3,"later":[1]}')
    assert said == Candidates(attempt=3)
    assert decode_said(encode(said)) == said


@pytest.mark.parametrize("decode", [decode_said, decode_told, decode_hello])
@given(text=st.text(max_size=200))
def test_codecs_refuse_any_text(decode: object, text: str) -> None:
    assert callable(decode)
    with pytest.raises(MessageError):
        decode(text)


_numbers = st.integers(0, 5)
_game = {"game": st.sampled_from("ab"), "fingerprint": st.just(PRINT_A)}
_messages = st.one_of(
    st.fixed_dictionaries({"type": st.just("publish"), "traffic": st.just("udp"), **_game}),
    st.fixed_dictionaries({"type": st.sampled_from(["unpublish", "join"]), **_game}),
    st.fixed_dictionaries({"type": st.sampled_from(["ready", "renew", "leave"]), "attempt": _numbers}),
    st.fixed_dictionaries({"type": st.just("carried"), "attempt": _numbers, "step": _numbers}),
    st.fixed_dictionaries({"type": st.just("report"), "attempt": _numbers, "step": _numbers,
                           "result": st.sampled_from(["opened", "failed", "lost"])}),
    st.fixed_dictionaries({
        "type": st.just("candidates"), "attempt": _numbers, "complete": st.booleans(),
        "candidates": st.lists(st.fixed_dictionaries({
            "kind": st.sampled_from(["host", "server-reflexive", "mapped", "predicted"]),
            "transport": st.sampled_from(["udp", "tcp"]),
            "address": st.sampled_from(["198.51.100.1", "10.0.0.1", "::1", "x", "2001:db8::5"]),
            "port": st.sampled_from([443, 4000, 65535]), "base_port": st.sampled_from([0, 4000]),
        }), max_size=4),
    }),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), _messages, st.floats(0, 3)), max_size=30))
def test_any_messages_in_any_order_break_nothing(script: list[tuple[int, dict[str, object], float]]) -> None:
    book = Guestbook()
    speakers = [Speaker(book.rig.player(name, address=f"198.51.100.{n}")) for n, name in enumerate("xyz", 1)]
    for who, message, pause in script:
        if not speakers[who].client.closed:
            speakers[who].raw(json.dumps(message))
            book.wait(pause)
    for speaker in speakers:
        assert not speaker.client.closed
        speaker.client.cut()
    book.wait(700)
    assert book.desk._members == {}
    assert len(book.desk._vetting.probes) == 0
    assert all(meeting.over for meeting in book.desk._meetings)
    assert len(book.rig.agenda) == 0


def test_an_observation_packet_is_answered_shorter_than_it_was_asked() -> None:
    book = Guestbook()
    ticket = from_text(book.player("ann", "198.51.100.7").hello.observe[0])
    answer = observe(book.desk, b"\x24" + ticket, "2001:db8::7")
    assert answer is not None
    assert (answer[0], len(answer)) == (0x25, 9)
    assert observe(book.desk, b"\x24" + ticket, "2001:db8::7") is None
    assert observe(book.desk, b"\x24", "2001:db8::7") is None
    assert book.limited(Limit.TICKETS) == 2
