"""One attempt from begin to end: numbers, late and double answers, upgrades, bounds, exactly one end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.internet.task import Clock

from tests.unit.steering.kinds import OPTIONS, UDP, host, peer
from wlnet.agenda import Agenda
from wlnet.metrics import Metrics
from wlnet.steering.attempt import Attempt, Ignored, Numbered, Phase, Result, Timings
from wlnet.steering.model import PathKind, Side, Technique, Transport
from wlnet.steering.orders import Skipped
from wlnet.steering.rules import PlanOptions
from wlnet.steering.statistics import Network, Statistics, network_of
from wlnet.steering.trace import EndReason, Event
from wlnet.steering.view import PeerView

HOST, GUEST = Side.HOST, Side.GUEST


class Rig:
    """An attempt, what it told, and the time."""

    def __init__(
        self, timings: Timings | None = None, options: PlanOptions = OPTIONS, seen: PeerView | None = None
    ) -> None:
        self.clock = Clock()
        self.agenda = Agenda(self.clock.seconds)
        self.sent: list[tuple[Numbered, ...]] = []
        self.moves: list[Numbered] = []
        self.ends: list[Attempt] = []
        self.attempt = Attempt(
            7, self.agenda, self, timings or Timings(), options, host=PeerView(), guest=seen or PeerView()
        )
        self.attempt.begin()

    def planned(
        self, attempt: Attempt, revision: int, steps: tuple[Numbered, ...], skipped: tuple[Skipped, ...]
    ) -> None:
        assert attempt is self.attempt
        assert revision == len(self.sent) + 1
        self.sent.append(steps)

    def settled(self, attempt: Attempt, step: Numbered) -> None:
        self.moves.append(step)

    def ended(self, attempt: Attempt) -> None:
        self.ends.append(attempt)

    def wait(self, seconds: float) -> None:
        end = self.clock.seconds() + seconds
        while (deadline := self.agenda.next_deadline()) is not None and deadline <= end:
            self.clock.advance(max(0.0, deadline - self.clock.seconds()))
            self.agenda.run_due()
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    def number(self, technique: Technique, transport: Transport = UDP) -> int:
        return next(
            n.number
            for n in self.attempt.steps()
            if (n.step.technique, n.step.transport) == (technique, transport)
        )

    def both_carry(self, technique: Technique, transport: Transport = UDP) -> None:
        for side in Side:
            assert self.attempt.carried(side, self.number(technique, transport)) is None

    def present(self, host_kind: str, guest_kind: str) -> None:
        assert self.attempt.present(HOST, peer(host_kind), complete=True) is None
        assert self.attempt.present(GUEST, peer(guest_kind), complete=True) is None

    def at(self, phase: Phase) -> bool:
        return self.attempt.phase is phase

    @property
    def reason(self) -> EndReason:
        assert self.attempt.outcome is not None
        assert len(self.ends) == 1
        assert len(self.agenda) == 0, "an ended attempt has no appointments"
        return self.attempt.outcome.reason


def test_the_relay_is_sent_before_anything_is_known() -> None:
    rig = Rig()
    assert [n.step.kind for n in rig.sent[0]] == [PathKind.RELAYED] * 3
    assert rig.at(Phase.GATHERING)


def test_the_plan_comes_when_both_sides_are_complete_and_repeats_nothing() -> None:
    rig = Rig()
    rig.attempt.present(HOST, peer("port-restricted"), complete=True)
    assert len(rig.sent) == 1
    rig.attempt.present(GUEST, peer("cgn"), complete=True)
    assert rig.at(Phase.PLANNED)
    assert {n.step.technique for n in rig.sent[1]} == {Technique.PUNCH, Technique.TCP_PUNCH}
    numbers = [n.number for steps in rig.sent for n in steps]
    assert numbers == list(range(1, len(numbers) + 1))


def test_without_an_answer_the_plan_is_made_of_what_came() -> None:
    rig = Rig()
    rig.attempt.present(HOST, peer("open"), complete=False)
    rig.attempt.present(GUEST, peer("cgn"), complete=False)
    rig.wait(1.9)
    assert rig.at(Phase.GATHERING)
    rig.wait(0.2)
    assert rig.at(Phase.PLANNED)
    assert any(n.step.technique is Technique.PUBLIC for n in rig.sent[1])


def test_play_on_the_relay_first_then_moved_to_the_punched_path() -> None:
    rig = Rig()
    rig.wait(0.1)
    rig.both_carry(Technique.RELAY_UDP)
    rig.present("port-restricted", "cgn")
    assert rig.at(Phase.UPGRADING)
    rig.wait(0.5)
    for side in Side:
        assert rig.attempt.report(side, rig.number(Technique.PUNCH), Result.OPENED) is None
    rig.both_carry(Technique.PUNCH)
    assert [n.step.kind for n in rig.moves] == [PathKind.RELAYED, PathKind.PUNCHED]
    assert rig.reason is EndReason.CONNECTED
    outcome = rig.attempt.outcome
    assert outcome is not None
    assert (outcome.path, outcome.first, outcome.best) == (PathKind.PUNCHED, 0.1, 0.6)
    assert rig.attempt.sentence() == (
        "Connected directly, through both routers, by UDP over IPv4 (punch), "
        "playing after 0.1 s, on this path after 0.6 s."
    )


def test_one_side_alone_proves_nothing() -> None:
    rig = Rig()
    rig.present("open", "cgn")
    rig.attempt.carried(GUEST, rig.number(Technique.PUBLIC))
    rig.attempt.report(HOST, rig.number(Technique.PUBLIC), Result.OPENED)
    assert rig.moves == []
    rig.wait(21)
    assert rig.reason is EndReason.NO_PATH


def test_legs_to_the_relay_may_differ() -> None:
    rig = Rig()
    rig.attempt.carried(HOST, rig.number(Technique.RELAY_UDP))
    assert rig.moves == []
    rig.attempt.carried(GUEST, rig.number(Technique.RELAY_TLS, Transport.TCP))
    assert [n.step.kind for n in rig.moves] == [PathKind.RELAYED]


def test_staying_on_the_relay_is_explained() -> None:
    rig = Rig()
    rig.present("sym-random", "cgn-sym")
    rig.both_carry(Technique.RELAY_UDP)
    for technique, transport in (
        (Technique.LOCAL_PORT, UDP),
        (Technique.LOCAL_PORT, Transport.TCP),
    ):
        rig.attempt.report(HOST, rig.number(technique, transport), Result.FAILED, "no answer")
    assert rig.reason is EndReason.CONNECTED
    assert rig.attempt.sentence() == (
        "Connected through the relay by UDP (relay-udp), after 0.0 s. "
        "No better path worked (local-port over UDP, local-port over TCP)."
    )


def test_nothing_worked() -> None:
    rig = Rig(options=PlanOptions())
    rig.present("port-restricted", "cgn")
    rig.attempt.report(HOST, rig.number(Technique.PUNCH), Result.FAILED)
    rig.attempt.report(GUEST, rig.number(Technique.TCP_PUNCH, Transport.TCP), Result.FAILED)
    assert rig.reason is EndReason.NO_PATH
    assert "punch over UDP, tcp-punch over TCP" in rig.attempt.sentence()


def test_nothing_could_be_tried() -> None:
    rig = Rig(options=PlanOptions())
    rig.present("tcp443", "tcp443")
    assert rig.reason is EndReason.NO_PATH
    assert rig.attempt.sentence().startswith("Not connected: there was nothing to try. The ")


def test_silent_sides_time_out() -> None:
    rig = Rig()
    rig.present("open", "cgn")
    rig.wait(19.9)
    assert rig.ends == [] or rig.reason is EndReason.NO_PATH
    rig.wait(0.2)
    assert rig.reason is EndReason.NO_PATH
    timed_out = {e.technique for e in rig.attempt.trace.entries if e.event is Event.TIMED_OUT}
    assert Technique.PUBLIC in timed_out


def test_upgrading_has_an_end_even_if_a_side_never_says_that_it_is_complete() -> None:
    rig = Rig()
    rig.attempt.present(HOST, peer("open"), complete=False)
    rig.both_carry(Technique.RELAY_UDP)
    rig.wait(44.9)
    assert rig.at(Phase.UPGRADING)
    rig.wait(0.2)
    assert rig.reason is EndReason.CONNECTED


def test_late_candidates_make_one_more_plan_of_new_steps_only() -> None:
    rig = Rig()
    rig.present("port-restricted", "cgn")
    late = rig.attempt.view(HOST)
    mapped = peer("upnp").candidates[2]
    late = replace(late, candidates=(*late.candidates, replace(mapped, address=late.seen[0])))
    assert rig.attempt.present(HOST, late, complete=True) is None
    assert len(rig.sent) == 2
    rig.wait(0.25)
    assert [n.step.technique for n in rig.sent[2]] == [Technique.MAPPED]


def test_plans_are_bounded() -> None:
    rig = Rig(Timings(max_plans=3))
    rig.present("port-restricted", "cgn")
    view = rig.attempt.view(HOST)
    answers = []
    for port in range(10):
        more = replace(view, candidates=(*view.candidates, host(UDP, f"10.0.0.{port + 1}", 4000)))
        answers.append(rig.attempt.present(HOST, more, complete=True))
        rig.wait(0.3)
    assert len(rig.sent) == 3
    assert answers[-1] is Ignored.TOO_MANY


def test_steps_and_trace_are_bounded() -> None:
    rig = Rig(Timings(max_steps=4, max_trace=5))
    rig.present("open", "open")
    assert len(rig.attempt.steps()) == 4
    rig.attempt.end(EndReason.HOST_LEFT)
    assert len(rig.attempt.trace.entries) == 6
    assert rig.attempt.trace.entries[-1].event is Event.ENDED
    assert rig.attempt.trace.left_out > 0


def test_late_double_and_foreign_reports_change_nothing() -> None:
    rig = Rig()
    rig.present("open", "tcp443")
    attempt, relay = rig.attempt, rig.number(Technique.RELAY_UDP)
    assert attempt.report(HOST, 999, Result.OPENED) is Ignored.UNKNOWN_STEP
    assert attempt.report(HOST, relay, Result.OPENED) is None
    assert attempt.report(HOST, relay, Result.OPENED) is Ignored.DUPLICATE
    assert attempt.report(HOST, relay, Result.FAILED) is None
    assert attempt.report(HOST, relay, Result.FAILED) is Ignored.DUPLICATE
    assert attempt.report(HOST, relay, Result.LOST) is Ignored.DUPLICATE
    assert attempt.carried(HOST, relay) is None
    assert attempt.carried(HOST, relay) is Ignored.DUPLICATE
    assert attempt.carried(GUEST, 999) is Ignored.UNKNOWN_STEP
    attempt.end(EndReason.GUEST_LEFT)
    attempt.end(EndReason.HOST_LEFT)
    assert rig.reason is EndReason.GUEST_LEFT
    assert attempt.report(GUEST, relay, Result.OPENED) is Ignored.ENDED
    assert attempt.carried(GUEST, relay) is Ignored.ENDED
    assert attempt.present(GUEST, peer("open"), complete=True) is Ignored.ENDED


def test_a_side_without_a_part_in_a_step_cannot_report_it() -> None:
    rig = Rig(seen=replace(peer("tcp443"), candidates=()))
    relay = rig.number(Technique.RELAY_UDP)
    assert rig.attempt.report(GUEST, relay, Result.OPENED) is Ignored.NOT_INVOLVED
    assert rig.attempt.carried(GUEST, relay) is Ignored.NOT_INVOLVED


def test_a_lost_path_falls_back_to_the_one_that_carried_before() -> None:
    rig = Rig()
    rig.both_carry(Technique.RELAY_UDP)
    rig.attempt.present(HOST, peer("port-restricted"), complete=False)
    rig.attempt.present(GUEST, peer("cgn"), complete=True)
    rig.wait(2.0)
    rig.both_carry(Technique.PUNCH)
    assert rig.attempt.report(GUEST, rig.number(Technique.PUNCH), Result.LOST, "silent") is None
    rig.attempt.end(EndReason.GAME_ENDED)
    assert rig.attempt.outcome is not None
    assert rig.attempt.outcome.path is PathKind.RELAYED


def test_a_path_that_comes_and_goes_is_not_steered_for_ever() -> None:
    rig = Rig(Timings(longest=60))
    number = rig.number(Technique.RELAY_UDP)
    rig.both_carry(Technique.RELAY_UDP)
    for _ in range(100):
        rig.wait(1)
        rig.attempt.report(GUEST, number, Result.LOST)
        rig.attempt.carried(GUEST, number)
    assert rig.reason is EndReason.CONNECTED
    assert rig.clock.seconds() >= 100
    assert 55 <= len(rig.moves) <= 61


def test_the_only_path_lost_and_nothing_after_it_is_no_path() -> None:
    rig = Rig()
    rig.both_carry(Technique.RELAY_UDP)
    rig.attempt.report(GUEST, rig.number(Technique.RELAY_UDP), Result.LOST)
    rig.wait(20.1)
    assert rig.reason is EndReason.NO_PATH
    assert rig.attempt.outcome is not None
    assert rig.attempt.outcome.path is None


def test_birthday_is_marked_as_tried() -> None:
    rig = Rig()
    rig.present("port-restricted", "sym-random")
    assert rig.attempt.birthday_tried


def test_figures_count_what_both_sides_played_over() -> None:
    metrics = Metrics()
    statistics = Statistics(metrics)
    rig = Rig()
    rig.present("port-restricted", "cgn")
    rig.both_carry(Technique.PUNCH)
    statistics.count(rig.attempt)

    def value(name: str, **labels: str) -> float:
        return metrics.registry.get_sample_value(name, labels) or 0.0

    assert value("wlnet_attempts_total", path="punched", reason="connected") == 1
    assert (
        value("wlnet_attempt_networks_total", host="port-filtering", guest="port-filtering", path="punched")
        == 1
    )
    assert value("wlnet_steps_total", technique="punch", transport="udp", family="4", result="used") == 1
    assert value("wlnet_first_play_seconds_count") == 1

    lost = Rig()
    lost.attempt.carried(GUEST, 1)
    lost.attempt.end(EndReason.GUEST_LEFT)
    statistics.count(lost.attempt)
    assert value("wlnet_attempts_total", path="none", reason="guest-left") == 1
    assert value("wlnet_first_play_seconds_count") == 1


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        ("open", Network.PUBLIC),
        ("open-fw", Network.PORT_FILTERING),
        ("full-cone", Network.ENDPOINT_FILTERING),
        ("restricted", Network.ADDRESS_FILTERING),
        ("sym-seq", Network.COUNTING),
        ("cgn-sym", Network.CHANGING),
        ("udp-blocked", Network.BLOCKED),
    ],
)
def test_labels_of_networks(kind: str, network: Network) -> None:
    assert network_of(peer(kind)) is network
    assert network_of(PeerView()) is Network.UNKNOWN


_actions = st.lists(
    st.tuples(
        st.sampled_from(["opened", "failed", "lost", "carried", "present", "wait"]),
        st.sampled_from(Side),
        st.integers(0, 14),
        st.sampled_from(["open", "cgn", "sym-random", "tcp443", "upnp"]),
    ),
    max_size=40,
)


@given(_actions)
def test_whatever_comes_it_ends_once_and_in_time(actions: list[tuple[str, Side, int, str]]) -> None:
    rig = Rig()
    for what, side, number, kind in actions:
        if what == "wait":
            rig.wait(number / 4)
        elif what == "present":
            rig.attempt.present(side, peer(kind), complete=number % 2 == 0)
        elif what == "carried":
            rig.attempt.carried(side, number)
        else:
            rig.attempt.report(side, number, Result(what))
    rig.wait(200)
    assert rig.reason in {EndReason.CONNECTED, EndReason.NO_PATH}
    assert (rig.attempt.outcome is not None and rig.attempt.outcome.step is None) == (
        rig.reason is EndReason.NO_PATH
    )
    assert rig.attempt.sentence().endswith(".")
