"""What a plan says in detail: who sends where, from what, when, how much; and why something is left out."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.steering.kinds import BLOCKED, OPTIONS, TCP, UDP, host, nat, peer
from wlnet.steering.model import (
    Allocation,
    Behaviour,
    Candidate,
    CandidateKind,
    Family,
    Filtering,
    Mapping,
    PathKind,
    Side,
    Technique,
    Transport,
)
from wlnet.steering.orders import Act, Order, Plan, SocketRule, Step, Target
from wlnet.steering.plan import make_plan
from wlnet.steering.rules import PlanOptions
from wlnet.steering.view import Measured, PeerView


def step(plan: Plan, technique: Technique, transport: Transport = UDP, family: Family = Family.V4) -> Step:
    return next(
        s for s in plan.steps if (s.technique, s.transport, s.family) == (technique, transport, family)
    )


def reason(plan: Plan, technique: Technique, transport: Transport = UDP, family: Family = Family.V4) -> str:
    return next(
        s.reason
        for s in plan.skipped
        if (s.technique, s.transport, s.family) == (technique, transport, family)
    )


def with_hairpin(view: PeerView, hairpin: bool | None) -> PeerView:
    measured = tuple(replace(one, behaviour=replace(one.behaviour, hairpin=hairpin)) for one in view.measured)
    return replace(view, measured=measured)


def at(view: PeerView, outer: str) -> PeerView:
    """The same peer behind another outer address."""
    old = view.seen[0]
    moved = tuple(replace(one, address=outer) if one.address == old else one for one in view.candidates)
    return replace(view, candidates=moved, seen=(outer,))


def test_lan_only_behind_one_public_address() -> None:
    one, two = peer("port-restricted"), peer("port-restricted")
    assert "no LAN" in reason(make_plan(one, two, OPTIONS), Technique.LAN)
    shared = make_plan(one, at(two, one.seen[0]), OPTIONS)
    lan = step(shared, Technique.LAN)
    assert lan.preference == 1
    assert lan.kind is PathKind.DIRECT
    assert lan.guest is not None
    assert lan.guest.targets == (Target("192.168.1.10", 40000),)
    assert lan.host is not None
    assert lan.host.targets == (Target("192.168.1.10", 40000),)


def test_behind_one_router_outer_endpoints_are_tried_only_if_it_turns_packets_back() -> None:
    one = peer("port-restricted")
    two = at(peer("port-restricted"), one.seen[0])
    assert step(make_plan(one, two, OPTIONS), Technique.PUNCH)
    plan = make_plan(with_hairpin(one, False), two, OPTIONS)
    assert "does not send packets back in" in reason(plan, Technique.PUNCH)
    assert step(make_plan(with_hairpin(one, True), two, OPTIONS), Technique.PUNCH)


def test_a_peer_that_wants_the_relay_only_gets_nothing_else() -> None:
    plan = make_plan(peer("open"), replace(peer("open"), relay_only=True), OPTIONS)
    assert {s.kind for s in plan.steps} == {PathKind.RELAYED}
    assert reason(plan, Technique.PUBLIC) == "The guest wants to be reached through the relay only."


def test_unverified_public_address_is_no_direct_path() -> None:
    view = peer("open")
    plain = replace(view, candidates=tuple(replace(c, verified=False) for c in view.candidates))
    plan = make_plan(plain, peer("port-restricted"), OPTIONS)
    assert "could not be reached from outside" in reason(plan, Technique.PUBLIC)
    assert step(plan, Technique.REFLEXIVE).kind is PathKind.PUNCHED


@pytest.mark.parametrize("verified", [True, False])
def test_a_mapping_at_an_address_we_do_not_see_is_a_lie(verified: bool) -> None:
    view = peer("upnp-cgn")
    told = replace(view, candidates=tuple(replace(c, verified=verified) for c in view.candidates))
    plan = make_plan(told, peer("port-restricted"), OPTIONS)
    assert "another outer address than the one we see" in reason(plan, Technique.MAPPED)


def test_a_mapping_we_could_not_reach_is_not_used() -> None:
    view = peer("upnp")
    told = replace(view, candidates=tuple(replace(c, verified=False) for c in view.candidates))
    plan = make_plan(told, peer("port-restricted"), OPTIONS)
    assert "could not be reached" in reason(plan, Technique.MAPPED)


def test_reversal_is_the_host_opening_to_the_guest() -> None:
    plan = make_plan(peer("sym-random"), peer("open"), OPTIONS)
    reversal = step(plan, Technique.REVERSAL, TCP)
    assert reversal.host is not None
    assert reversal.host.act is Act.OPEN
    assert reversal.host.budget == 1  # one connect
    assert reversal.guest is not None
    assert reversal.guest.act is Act.AWAIT
    assert reversal.guest.local_ports == (40000,)
    assert reversal.guest.listen


def test_both_sides_of_a_punch_begin_in_the_same_instant() -> None:
    slow, quick = replace(peer("port-restricted"), round_trip=0.3), replace(peer("cgn"), round_trip=0.02)
    punch = step(make_plan(slow, quick, OPTIONS), Technique.PUNCH)
    assert punch.host is not None
    assert punch.guest is not None
    assert punch.host.start + 0.3 / 2 == pytest.approx(punch.guest.start + 0.02 / 2)
    assert punch.host.start == pytest.approx(OPTIONS.margin)


def test_punch_uses_the_socket_kept_for_it_with_primers_over_udp_and_none_over_tcp() -> None:
    plan = make_plan(peer("port-restricted"), peer("eim-remap"), OPTIONS)
    udp = step(plan, Technique.PUNCH).host
    tcp = step(plan, Technique.TCP_PUNCH, TCP).host
    assert udp is not None
    assert tcp is not None
    assert (udp.socket, udp.local_ports) == (SocketRule.NAMED, (40000,))
    assert udp.primer > 0
    assert udp.targets[0].port == 51000
    assert (tcp.primer, tcp.listen, tcp.reset_retry, tcp.repeat) == (0.0, True, 0.05, 0.0)


def test_what_opens_one_sided_never_uses_the_socket_kept_for_punching() -> None:
    plan = make_plan(peer("full-cone"), peer("port-restricted"), OPTIONS)
    reflexive = step(plan, Technique.REFLEXIVE).guest
    assert reflexive is not None
    assert (reflexive.socket, reflexive.local_ports) == (SocketRule.FRESH, ())


def ports(plan: Plan, transport: Transport) -> tuple[list[int], float]:
    """What both sides predict of each other, and when they begin at the earliest."""
    predicted = step(plan, Technique.PREDICTION, transport)
    assert predicted.host is not None
    assert predicted.guest is not None
    found = [[target.port for target in order.targets] for order in (predicted.host, predicted.guest)]
    assert found[0] == found[1]
    return found[0], min(predicted.host.start, predicted.guest.start)


def test_prediction_follows_the_measured_step_in_the_same_order_on_both_sides() -> None:
    plan = make_plan(peer("sym-seq"), peer("sym-seq"), OPTIONS)
    assert ports(plan, UDP)[0] == [51000 + n for n in range(1, 17)]


def moved(view: PeerView, transport: Transport, by: int) -> PeerView:
    """Its outer ports of that transport are others."""
    return replace(
        view,
        candidates=tuple(
            replace(one, port=one.port + by) if one.transport is transport and one.port == 51000 else one
            for one in view.candidates
        ),
    )


@pytest.mark.parametrize(("ahead", "first"), [(0, 17), (1, 18), (-1, 17)])
def test_two_nats_that_count_both_transports_together_are_tried_by_udp_first(ahead: int, first: int) -> None:
    """TCP predicts what comes after the ports UDP will have used; *ahead* is how far UDP's last port was."""
    host, guest = (moved(peer("sym-seq"), UDP, ahead) for _ in Side)
    plan = make_plan(host, guest, OPTIONS)
    assert ports(plan, UDP)[1] < 1
    predicted, start = ports(plan, TCP)
    assert predicted == [51000 + n for n in range(first, first + 8)]
    assert start == pytest.approx(5.05)


def test_nats_that_count_each_transport_for_itself_are_tried_at_once() -> None:
    host, guest = (moved(peer("sym-seq"), UDP, 3000) for _ in Side)
    predicted, start = ports(make_plan(host, guest, OPTIONS), TCP)
    assert (predicted[0], start < 1) == (51001, True)


def test_tcp_is_predicted_at_once_where_there_is_no_udp_or_only_one_counts() -> None:
    without = make_plan(peer("sym-seq"), replace(peer("sym-seq"), udp=False), OPTIONS)
    predicted, start = ports(without, TCP)
    assert predicted == [51000 + n for n in range(1, 9)]
    assert start < 1
    one = step(make_plan(peer("sym-seq"), peer("port-restricted"), OPTIONS), Technique.PREDICTION, TCP)
    assert one.guest is not None
    assert (one.guest.targets[0].port, one.guest.start < 1) == (51001, True)


def test_steps_of_two_and_downwards_and_too_wide() -> None:
    def counted(by: int) -> PeerView:
        view = peer("sym-seq")
        behaviour = nat(
            Mapping.ADDRESS_AND_PORT_DEPENDENT, Filtering.ADDRESS_DEPENDENT, Allocation.SEQUENTIAL, by
        )
        return replace(view, measured=tuple(replace(one, behaviour=behaviour) for one in view.measured))

    easy = peer("port-restricted")
    down = step(make_plan(counted(-2), easy, OPTIONS), Technique.PREDICTION).guest
    assert down is not None
    assert [target.port for target in down.targets[:3]] == [50998, 50996, 50994]
    assert "cannot be told" in reason(make_plan(counted(17), easy, OPTIONS), Technique.PREDICTION)


def test_birthday_is_agreed_to_by_both_once_a_pair_and_never_on_hearsay() -> None:
    easy, hard = peer("port-restricted"), peer("sym-random")
    plan = make_plan(hard, easy, OPTIONS)
    birthday = step(plan, Technique.BIRTHDAY)
    assert birthday.host is not None
    assert birthday.guest is not None
    assert (birthday.host.socket, birthday.host.sockets) == (SocketRule.MANY, 256)
    assert (birthday.guest.spray, birthday.guest.budget) == (1024, 1024)
    assert birthday.guest.start >= OPTIONS.birthday_start
    # Nothing of the hard side arrives before the spray is over, and then all its sockets send.
    spray = birthday.guest.pacing * birthday.guest.spray
    assert birthday.host.primer == pytest.approx(spray)
    assert birthday.deadline > spray + birthday.host.repeat + 256 * birthday.host.pacing
    assert birthday.host.budget >= 3 * 256

    not_agreed = make_plan(hard, replace(easy, birthday=False), OPTIONS)
    assert reason(not_agreed, Technique.BIRTHDAY) == "The guest has not agreed to try many ports."
    spent = make_plan(hard, easy, replace(OPTIONS, birthday_spent=True))
    assert reason(spent, Technique.BIRTHDAY) == "It was tried once for this pair."
    hearsay = make_plan(replace(hard, seen=("198.51.100.250",)), easy, OPTIONS)
    assert "hearsay" in reason(hearsay, Technique.BIRTHDAY)


def test_tcp_measured_as_blocked_is_no_reason_against_the_one_port_that_gets_out() -> None:
    shut_in = peer("tcp443")
    blocked = tuple(replace(one, behaviour=BLOCKED) for one in shut_in.measured)
    plan = make_plan(peer("open", own_443=True), replace(shut_in, measured=blocked), OPTIONS)
    assert step(plan, Technique.PUBLIC, TCP).guest is not None


def test_a_network_that_lets_out_443_only() -> None:
    plan = make_plan(peer("open", own_443=True), peer("tcp443"), OPTIONS)
    direct = step(plan, Technique.PUBLIC, TCP).guest
    assert direct is not None
    assert [target.port for target in direct.targets] == [443]
    relay = next(s for s in plan.steps if s.technique is Technique.RELAY_TLS)
    assert relay.guest is not None
    assert relay.guest.start == 0.0
    udp = next(s for s in plan.steps if s.technique is Technique.RELAY_UDP)
    assert udp.guest is None
    without = make_plan(peer("open"), peer("tcp443"), OPTIONS)
    assert "lets out port 443 only" in reason(without, Technique.PUBLIC, TCP)


def test_ipv6_comes_first_among_equals_and_not_before_a_better_kind() -> None:
    def dual(verified: bool) -> PeerView:
        view = peer("open")
        number = view.seen[0].rpartition(".")[2]
        six = f"2001:db8:{number}::10"
        return replace(
            view,
            candidates=(*view.candidates, host(UDP, six, 40000, verified=verified)),
            measured=(
                *view.measured,
                Measured(
                    transport=UDP,
                    family=Family.V6,
                    behaviour=nat(Mapping.NONE, Filtering.ADDRESS_AND_PORT_DEPENDENT, Allocation.PRESERVING),
                ),
            ),
            seen=(*view.seen, six),
        )

    both = make_plan(dual(True), dual(True), OPTIONS)
    assert (both.steps[0].family, both.steps[0].technique) == (Family.V6, Technique.PUBLIC)
    walled = make_plan(dual(False), dual(False), OPTIONS)
    assert walled.steps[0].family is Family.V4
    six = step(walled, Technique.PUNCH, UDP, Family.V6)
    four = step(walled, Technique.PUNCH, UDP, Family.V4)
    assert six.preference < four.preference


def test_ipv6_lan_is_the_same_64() -> None:
    def six(address: str) -> PeerView:
        return PeerView(candidates=(host(UDP, address, 4000),), seen=(address,))

    near = make_plan(six("2001:db8:7:1::a"), six("2001:db8:7:1::b"), OPTIONS)
    lan = step(near, Technique.LAN, UDP, Family.V6)
    assert lan.guest is not None
    assert lan.guest.targets == (Target("2001:db8:7:1::a", 4000),)
    far = make_plan(six("2001:db8:7:1::a"), six("2001:db8:7:2::b"), OPTIONS)
    assert "no LAN" in reason(far, Technique.LAN, UDP, Family.V6)


def test_nothing_known_yet_is_the_relay_over_all_its_legs() -> None:
    plan = make_plan(PeerView(), PeerView(), OPTIONS)
    assert [s.technique for s in plan.steps] == [
        Technique.RELAY_UDP, Technique.RELAY_TCP, Technique.RELAY_TLS,
    ]  # fmt: skip
    assert [s.guest.start for s in plan.steps if s.guest is not None] == [0.0, 0.15, 0.3]


def test_without_a_relay_the_plan_says_so() -> None:
    plan = make_plan(PeerView(), PeerView(), PlanOptions())
    assert plan.steps == ()
    assert {s.reason for s in plan.skipped} == {"This server has no relay for pairs."}


_behaviours = st.builds(
    Behaviour,
    mapping=st.sampled_from(Mapping),
    filtering=st.sampled_from(Filtering),
    allocation=st.sampled_from(Allocation),
    step=st.integers(-64, 64),
    hairpin=st.sampled_from([None, True, False]),
)
_addresses = st.sampled_from(
    ["198.51.100.1", "198.51.100.2", "192.168.1.10", "10.0.0.1", "2001:db8::1", "fd00::1"]
)
_candidates = st.builds(
    Candidate,
    kind=st.sampled_from(CandidateKind),
    transport=st.sampled_from(Transport),
    address=_addresses,
    port=st.integers(1, 65535),
    base_port=st.integers(0, 65535),
    verified=st.booleans(),
)
_views = st.builds(
    PeerView,
    candidates=st.lists(_candidates, max_size=12).map(tuple),
    measured=st.lists(
        st.builds(
            Measured,
            transport=st.sampled_from(Transport),
            family=st.sampled_from(Family),
            behaviour=_behaviours,
        ),
        max_size=4,
    ).map(tuple),
    seen=st.lists(_addresses, max_size=2).map(tuple),
    udp=st.booleans(),
    tcp=st.booleans(),
    only_port=st.sampled_from([0, 443]),
    birthday=st.booleans(),
    relay_only=st.booleans(),
    round_trip=st.floats(0.0, 2.0),
)


@given(_views, _views)
def test_every_plan_is_sound(one: PeerView, two: PeerView) -> None:
    plan = make_plan(one, two, OPTIONS)
    assert [s.preference for s in plan.steps] == list(range(1, len(plan.steps) + 1))
    for part in plan.steps:
        orders = [part.order(side) for side in Side]
        assert any(order is not None and order.act is Act.OPEN for order in orders)
        for side in Side:
            order = part.order(side)
            if order is not None and order.act is Act.OPEN:
                _check_open(part, order, one if side is Side.HOST else two)
    for skipped in plan.skipped:
        assert skipped.reason.endswith(".")
    assert len(msgspec.json.encode(plan)) < 50_000


def _check_open(part: Step, order: Order, view: PeerView) -> None:
    assert order.targets
    assert 0 < order.budget <= 4096
    assert order.start >= 0
    assert view.supports(part.transport)
    if order.socket is SocketRule.NAMED:
        assert order.local_ports[0] > 0
    if view.only_port:
        assert all(target.port == view.only_port for target in order.targets)
