"""Timers and limits of paths: docs/protocols/paths.md, "Timers" and "Limits". Durations are seconds."""

from __future__ import annotations

from enum import StrEnum

# -- how alive a path is ------------------------------------------------------------------------------

CURRENT_INTERVAL = 0.4
"""Between checks of the path in use."""
STANDBY_INTERVAL = 5.0
"""Between checks of the others; a NAT forgets a flow after 30 s at the earliest."""
SHORTEST_PATIENCE = 0.3
"""An answer is awaited so long, or two round trips, before the next check is sent early."""
HURRIED_INTERVAL = 0.15
"""Between checks while answers are missing."""
DEAD_AFTER = 1.4
"""A path is lost if a check is unanswered for so long (or two round trips if that is more)..."""
DEAD_CHECKS = 4
"""...and so many are."""
SUSPECT_AFTER = 0.6
"""An unanswered check of that age: payloads go over a second path too, if the layer above allows it."""
PROBE_INTERVAL = 0.1
PROBE_TRIES = 30
"""Checks to an address the peer was heard from, at :data:`PROBE_INTERVAL`, before it is forgotten."""
RELAY_PROBE_INTERVAL = 0.2
RELAY_PROBE_TRIES = 50
RELAY_PROBE_SLOW = 2.0
"""Checks through a bound relay: so often at first, then at this interval until the peer is there."""
RETRIES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0, 15.0)
"""Waits between checks of a lost path; after the last one it is forgotten."""

# -- which path is used -------------------------------------------------------------------------------

DWELL = 0.5
"""Between two moves of choice, unless the first path was a relay."""
RTT_FACTOR = 0.7
RTT_MARGIN = 0.02
"""Of two paths of equal rank the quicker one is taken if it is so much quicker in both respects."""
NOMINATION_TIME = 2.0
"""A nomination the host does not agree to in that time is withdrawn."""
LONGEST_HOLD = 60.0
"""A path that was lost n times is not moved to before it has worked for 2**n seconds, at most this."""

# -- the relay ----------------------------------------------------------------------------------------

RELAY_KEEPALIVE = 10.0
RELAY_ANSWER = 0.4
"""Before a KEEPALIVE is repeated."""
RELAY_DOUBT = 1.0
"""Between two KEEPALIVEs that are sent because nothing comes through."""
RELAY_MISSES = 4
"""Unanswered KEEPALIVEs after which the relay is bound anew."""
RELAY_CLAIM = 1.0
"""A leg that was challenged first keeps the others back for so long."""
RELAY_ROUNDS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0)
"""Waits before binding anew; after the last one the relay is given up. Being bound starts over."""
LONGEST_BIND_WAIT = 1.0

# -- how much others can cause ------------------------------------------------------------------------

MAX_STEPS = 256
MAX_TARGETS = 32
MAX_SOCKETS_OF_STEP = 256
MAX_SHOTS = 2048
"""Packets of one round of a step."""
MAX_BUDGET = 4096
MAX_SOCKETS = 1600
MAX_PATHS = 32
MAX_ACCEPTED = 16
"""Accepted connections that did not show a right check yet."""
ACCEPT_TIME = 5.0
"""They have so long."""
MAX_OUTSTANDING = 2048
"""Requests of which an answer is still taken."""
MAX_NONCES = 8192
"""Requests of the peer remembered, so that none counts twice."""
KNOWN_CHECKS, KNOWN_BURST = 200.0, 400.0
"""Packets a second that may be checks, from where a path is: what is above is dropped unread."""
EXPECTED_CHECKS, EXPECTED_BURST = 300.0, 1500.0
"""Likewise from addresses of the plan."""
STRANGE_CHECKS, STRANGE_BURST = 100.0, 200.0
"""Likewise from everywhere else."""
MAX_ANSWERS, ANSWER_BURST = 300.0, 1500.0
"""Replies a second."""
MAX_PAYLOAD = 1400
MAX_WAITING = 32
"""Payloads kept until there is a path; the oldest is dropped."""
MAX_TRANSMITS = 4096
MAX_DELIVERED = 4096
"""Nobody took them: what is above is dropped."""
MAX_EVENTS = 1024
MAX_AT_ONCE = 64
"""Packets of one step in one tick."""
PRIMER_PAUSE = 0.1
"""After so many primers at once."""


class Dropped(StrEnum):
    """What was thrown away, and counted."""

    FLOOD = "packets above a rate"
    FORGED = "checks that are not the peer's"
    REPLAYED = "checks seen before"
    UNKNOWN_STEP = "checks of a step not ordered"
    UNEXPECTED_REPLY = "replies to nothing"
    STRANGE = "payloads from where the peer is not known to be"
    JUNK = "packets of no known kind"
    PATHS = "addresses above the number of paths"
    SOCKETS = "sockets above their number"
    STEPS = "steps above their number"
    ANSWERS = "requests above the rate of replies"
    ACCEPTED = "connections above their number"
    TOO_LONG = "payloads too long"
    WAITING = "payloads no path took in time"
    TRANSMITS = "packets nobody fetched"
    DELIVERED = "payloads nobody fetched"
    EVENTS = "events nobody fetched"
