"""Reports of paths: what one side says alone, strangers say, or cannot know is worth nothing."""

from __future__ import annotations

from tests.integration.hostile.conftest import CONNECT_TIME, Two, Watch, speaker
from tests.integration.server.conftest import People
from tests.support.server_process import ServerProcess
from wlnet.protocols.exchange.messages import Candidates, Carried, Leave, Ready, Renew, Report
from wlnet.rendezvous.events import Ended, Refusal, Settled
from wlnet.steering.attempt import Result
from wlnet.steering.trace import EndReason


def test_one_side_alone_has_no_path(watch: Watch, two: Two) -> None:
    step = two.relay_step()
    two.host.say(Report(attempt=two.attempt, step=step, result=Result.OPENED))
    two.host.say(Carried(attempt=two.attempt, step=step))
    two.guest.say(Report(attempt=two.attempt, step=step, result=Result.OPENED))  # checks are no game
    for side in (two.host, two.guest):
        ended = side.hear(Ended, CONNECT_TIME + 2)
        assert (ended.reason, ended.kind) == (EndReason.NO_PATH, None)
        assert side.settled == []
    watch.expect(
        "attempts none no-path", 1, f"attempt {two.attempt} of {two.host.lobby.name} ended (no-path)"
    )


def test_both_sides_together_have_one(watch: Watch, two: Two) -> None:
    """What the tests above and below could not tell from a server that believes nobody."""
    step = two.relay_step()
    for side in (two.host, two.guest):
        side.say(Carried(attempt=two.attempt, step=step))
    assert two.host.hear(Settled).step == two.guest.hear(Settled).step == step
    watch.check()


def test_steps_never_ordered_and_words_said_twice(watch: Watch, two: Two) -> None:
    step = two.relay_step()
    for wrong in (200, 65535):
        assert two.guest.refusal(Carried(attempt=two.attempt, step=wrong)) is Refusal.STALE
        assert (
            two.guest.refusal(Report(attempt=two.attempt, step=wrong, result=Result.OPENED)) is Refusal.STALE
        )
    two.guest.say(Carried(attempt=two.attempt, step=step))
    assert two.guest.refusal(Carried(attempt=two.attempt, step=step)) is Refusal.STALE
    lost = Report(attempt=two.attempt, step=step, result=Result.LOST)
    assert two.host.refusal(lost) is Refusal.STALE  # the host never had it
    assert two.host.settled == []
    watch.expect("limited rendezvous stale", 6, "carried refused (stale)")


def test_strangers_say_what_they_like(
    watch: Watch, two: Two, hostile_server: ServerProcess, people: People
) -> None:
    step = two.relay_step()
    stranger = speaker(hostile_server, people, "stranger", "127.0.0.9")
    messages = (
        Ready(attempt=two.attempt),
        Candidates(attempt=two.attempt, relay_only=True),
        Report(attempt=two.attempt, step=step, result=Result.FAILED),
        Carried(attempt=two.attempt, step=step),
        Renew(attempt=two.attempt),
        Leave(attempt=two.attempt),
        Leave(attempt=2**32 - 1),
    )
    for message in messages:
        assert stranger.refusal(message) is Refusal.NO_SUCH_ATTEMPT
    for side in (two.host, two.guest):
        side.say(Carried(attempt=two.attempt, step=step))
    assert two.guest.hear(Settled).step == step
    watch.expect("limited rendezvous stale", len(messages), "leave refused (no-such-attempt)")


def test_a_side_that_fails_everything_fails_alone(watch: Watch, two: Two) -> None:
    """A guest may spoil his own attempt, and nothing else."""
    step = two.relay_step()
    for number in range(1, step + 10):
        two.guest.say(Report(attempt=two.attempt, step=number, result=Result.FAILED, detail="\x1b[31m\u202e"))
    assert two.host.hear(Ended, CONNECT_TIME + 2).reason is EndReason.NO_PATH
    watch.check()
    assert "\x1b" not in watch.log
    two.meet()
    assert two.mine.attempt > 0
