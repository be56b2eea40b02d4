"""The client's machine against a lobby played by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.client.lobby.session import (
    Event,
    Greeted,
    Heard,
    Line,
    LobbySession,
    Login,
    NotReadyError,
    Over,
    Seated,
    Trouble,
)
from wlnet.client.lobby.words import Ending
from wlnet.protocols.exchange.messages import Hello, Join, Unpublish, encode
from wlnet.protocols.metaserver.digest import sha1_hex
from wlnet.protocols.metaserver.wire import PacketBuffer
from wlnet.protocols.metaserver.wire import encode as packet
from wlnet.rendezvous.events import Published

ANN = Login(name="ann", secret="a nonce", build="wlnet 1")
OTTO = Login(name="otto", password="geheim", build="wlnet 1")
HELLO = Hello(version=1, address="192.0.2.1", observe=("t",), message_size=200, candidates=32)


class Talk:
    """A session and the words that go over its wire; time stands still unless turned."""

    def __init__(self, login: Login = ANN) -> None:
        self.session = LobbySession(login, 0.0)
        self._said = PacketBuffer(65535)

    def said(self) -> list[tuple[str, ...]]:
        """Packets of the client since the last call."""
        self._said.feed(self.session.transmits())
        packets = []
        while (fields := self._said.next()) is not None:
            packets.append(tuple(field.decode() for field in fields._fields))
        return packets

    def tell(self, *fields: str, now: float = 0.0) -> list[Event]:
        self.session.receive(packet(*fields), now)
        return self.session.events()

    def over(self, *fields: str) -> Over:
        (event,) = self.tell(*fields)
        assert isinstance(event, Over)
        assert event.text.endswith((".", "+ - _"))
        assert self.session.next_deadline() is None
        return event

    def seated(self, name: str = "ann", now: float = 0.0) -> Talk:
        assert self.tell("LOGIN", name, "UNREGISTERED", now=now) == [Seated(name, "UNREGISTERED")]
        return self

    def ready(self) -> Talk:
        self.seated()
        assert self.tell("WLNET", "1", encode(HELLO)) == [Greeted(HELLO)]
        self.said()
        return self


def test_login_without_account_then_the_extension_is_asked_for() -> None:
    talk = Talk()
    assert talk.said() == [("LOGIN", "6", "ann", "wlnet 1", "false", "a nonce")]
    talk.seated()
    assert talk.said() == [("WLNET", "1")]
    assert not talk.session.ready
    assert talk.tell("WLNET", "1", encode(HELLO)) == [Greeted(HELLO)]
    assert talk.session.ready


def test_login_with_account_never_says_the_password() -> None:
    talk = Talk(OTTO)
    assert talk.said() == [("LOGIN", "6", "otto", "wlnet 1", "true", "")]
    assert talk.tell("PWD_CHALLENGE", "0123") == []
    assert talk.said() == [("PWD_CHALLENGE", sha1_hex("0123" + sha1_hex("geheim")))]
    assert talk.tell("LOGIN", "otto", "REGISTERED") == [Seated("otto", "REGISTERED")]
    assert talk.session.login == OTTO
    assert "geheim" not in repr(OTTO)


def test_the_next_login_goes_for_the_seat_we_were_given() -> None:
    ann = Talk().seated("ann1").session
    assert (ann.name, ann.login.name, ann.login.secret) == ("ann1", "ann1", "a nonce")
    otto = Talk(OTTO)
    otto.tell("PWD_CHALLENGE", "0123")
    again = otto.seated("otto1").session.login
    assert (again.name, again.password, again.secret) == (
        "otto1",
        None,
        sha1_hex("otto1" + sha1_hex("geheim")),
    )


def test_ping_is_answered_at_any_time() -> None:
    talk = Talk()
    talk.said()
    talk.tell("PING")
    assert talk.said() == [("PONG",)]
    talk.ready().tell("PING")
    assert talk.said() == [("PONG",)]


def test_messages_both_ways() -> None:
    talk = Talk().ready()
    talk.session.say(Unpublish(game="duel"))
    assert talk.said() == [("WLNET", '{"type":"unpublish","game":"duel"}')]
    assert talk.tell("WLNET", encode(Published(game="duel"))) == [Heard(Published(game="duel"))]


def test_a_message_the_lobby_would_refuse_for_its_length_is_not_sent() -> None:
    talk = Talk().ready()
    with pytest.raises(ValueError, match="longer"):
        talk.session.say(Join(game="x" * 100, fingerprint="0" * 64))
    assert talk.said() == []


def test_nothing_is_said_too_early() -> None:
    talk = Talk().seated()
    with pytest.raises(NotReadyError):
        talk.session.say(Unpublish(game="duel"))
    with pytest.raises(NotReadyError):
        talk.session.negotiate()


def test_asked_again_it_gets_new_tickets() -> None:
    talk = Talk().ready()
    talk.session.negotiate()
    assert talk.said() == [("WLNET", "1")]
    assert talk.tell("WLNET", "1", encode(HELLO)) == [Greeted(HELLO)]


def test_what_a_peer_game_does_not_need_is_skipped() -> None:
    talk = Talk().ready()
    for words in (("CLIENTS_UPDATE",), ("GAMES_UPDATE",), ("TIME", "1"), ("CHAT", "bob", "hi", "public")):
        assert talk.tell(*words) == []
    assert talk.said() == []


def test_the_lobbys_own_lines_are_told_on_one_line() -> None:
    assert Talk().ready().tell("CHAT", "", "Welcome\x1b[2J\nhere", "system") == [Line("Welcome [2J here")]


@pytest.mark.parametrize(
    ("words", "ending", "text"),
    [
        (("ERROR", "LOGIN", "WRONG_PASSWORD"), Ending.REFUSED, "name and password"),
        (("ERROR", "PWD_CHALLENGE", "WRONG_PASSWORD"), Ending.REFUSED, "name and password"),
        (("ERROR", "LOGIN", "BANNED"), Ending.REFUSED, "banned"),
        (("ERROR", "LOGIN", "TOO_MANY_WRONG_PASSWORDS"), Ending.REFUSED, "Wait"),
        (("ERROR", "LOGIN", "INVALID_NAME"), Ending.REFUSED, "letters"),
        (("ERROR", "LOGIN", "SERVER_FULL"), Ending.BUSY, "full"),
        (("ERROR", "LOGIN", "ACCOUNTS_UNAVAILABLE"), Ending.BUSY, "accounts"),
        (("ERROR", "LOGIN", "SOMETHING\nNEW"), Ending.REFUSED, "SOMETHING NEW"),
        (("DISCONNECT", "CLIENT_TIMEOUT"), Ending.LOST, "in time"),
        (("DISCONNECT", "KICKED"), Ending.REFUSED, "kicked"),
        (("DISCONNECT", "BANNED"), Ending.REFUSED, "banned"),
        (("GAMES", "0"), Ending.REFUSED, "no lobby"),
        (("LOGIN",), Ending.REFUSED, "no lobby"),
        (("LOGIN", "ann", "KING"), Ending.REFUSED, "no lobby"),
    ],
)
def test_a_refused_login_says_why_and_whether_to_come_back(
    words: tuple[str, ...], ending: Ending, text: str
) -> None:
    over = Talk().over(*words)
    assert over.ending is ending
    assert text in over.text


def test_a_lobby_without_the_extension() -> None:
    over = Talk().seated().over("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD")
    assert (over.ending, "WLNET" in over.text) == (Ending.REFUSED, True)


def test_another_version_of_the_extension() -> None:
    assert Talk().seated().over("WLNET", "2", "{}").ending is Ending.REFUSED
    assert Talk().seated().over("ERROR", "WLNET", "UNSUPPORTED_VERSION").ending is Ending.REFUSED


def test_a_hello_that_is_none() -> None:
    assert Talk().seated().over("WLNET", "1", '{"version":1}').ending is Ending.REFUSED


@pytest.mark.parametrize(
    "words",
    [
        ("WLNET", '{"type":"news","from":"a newer lobby"}'),
        ("WLNET", "{"),
        ("ERROR", "WLNET", "MALFORMED_MESSAGE x"),
        ("ERROR", "CHAT", "NO_SUCH_USER"),
    ],
)
def test_trouble_that_ends_nothing(words: tuple[str, ...]) -> None:
    talk = Talk().ready()
    (event,) = talk.tell(*words)
    assert isinstance(event, Trouble)
    assert talk.session.ready


def test_a_broken_stream_ends_it() -> None:
    talk = Talk().ready()
    talk.session.receive(b"\x00\x01zzz", 0.0)
    (event,) = talk.session.events()
    assert isinstance(event, Over)
    talk.session.receive(packet("PING"), 0.0)
    assert talk.session.events() == []
    assert talk.said() == []


def test_a_lobby_that_does_not_answer() -> None:
    talk = Talk()
    talk.tell("PING", now=19.0)
    assert talk.session.next_deadline() == 20.0
    talk.session.tick(19.9)
    assert talk.session.events() == []
    talk.session.tick(20.0)
    (event,) = talk.session.events()
    assert event == Over(Ending.LOST, "The lobby did not answer within 20 seconds.")


def test_each_answer_has_its_own_time() -> None:
    talk = Talk().seated(now=15.0)
    talk.session.tick(34.0)
    assert talk.session.events() == []
    talk.session.tick(35.0)
    assert len(talk.session.events()) == 1


def test_a_lobby_that_falls_silent_keeps_our_seat() -> None:
    talk = Talk().ready()
    talk.tell("PING", now=40.0)
    talk.said()
    talk.session.tick(89.0)
    assert talk.session.events() == []
    talk.session.tick(90.0)
    assert talk.session.events() == [Over(Ending.LOST, "The lobby was silent for 50 seconds.")]
    assert talk.said() == []


def test_leaving_frees_the_seat() -> None:
    talk = Talk().ready()
    talk.session.leave()
    assert talk.said() == [("DISCONNECT", "CONNECTION_CLOSED")]
    (event,) = talk.session.events()
    assert isinstance(event, Over)
    assert event.ending is Ending.LEFT


@pytest.mark.parametrize("reason", ["", "reset by peer"])
def test_a_lost_connection(reason: str) -> None:
    talk = Talk().ready()
    talk.session.closed(reason)
    talk.session.closed(reason)
    (event,) = talk.session.events()
    assert isinstance(event, Over)
    assert event.ending is Ending.LOST
    assert reason in event.text


def test_a_name_no_packet_can_hold() -> None:
    with pytest.raises(ValueError, match="70024"):
        LobbySession(Login(name="x" * 70000, build="wlnet"), 0.0)


@given(st.lists(st.binary(max_size=80), max_size=8), st.booleans())
def test_any_bytes_end_it_at_worst(pieces: list[bytes], ready: bool) -> None:
    talk = Talk()
    if ready:
        talk.ready()
    for piece in pieces:
        talk.session.receive(piece, 0.0)
    overs = [event for event in talk.session.events() if isinstance(event, Over)]
    assert len(overs) <= 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["LOGIN", "PWD_CHALLENGE", "WLNET", "ERROR", "DISCONNECT", "CHAT", "PING", "X"]),
            st.lists(
                st.sampled_from(["", "1", "{}", encode(HELLO), "REGISTERED", "LOGIN", "ann"]), max_size=4
            ),
        ),
        max_size=12,
    )
)
def test_any_words_in_any_order(words: list[tuple[str, list[str]]]) -> None:
    talk = Talk(OTTO)
    events: list[Event] = []
    for command, rest in words:
        events += talk.tell(command, *rest)
    overs = [index for index, event in enumerate(events) if isinstance(event, Over)]
    assert overs in ([], [len(events) - 1])
    assert talk.session.ready == (any(isinstance(one, Greeted) for one in events) and not overs)
