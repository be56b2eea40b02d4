"""Timers and limits of surveying and gathering: docs/protocols/gather.md. Durations are seconds."""

from __future__ import annotations

from wlnet.protocols.stun.transaction import Pace

# -- survey -------------------------------------------------------------------------------------------

DATAGRAM_SURVEY = 2.5
"""A discovery over UDP ends then, whatever is lost."""
STREAM_SURVEY = 3.0
"""Likewise over TCP: a lost SYN is repeated after 1 s."""
SILENCE = 1.0
"""Where nothing came back for so long, nothing will: blocked, until something comes after all."""
FRESH = 300.0
"""A survey is made again after that."""
LOOK = 2.0
"""Between two looks at our own addresses."""
SLEPT = 20.0
"""Two clocks differ by more: the machine was asleep, its NAT has forgotten it."""
LONGEST_HOLD = 30.0
"""An attempt keeps surveys back for at most so long."""

# -- hops ---------------------------------------------------------------------------------------------

COARSE_HOPS = (2, 4, 6, 8, 11, 14, 17, 20, 24, 28, 32, 36, 40)
HOP_WAIT = 0.4
"""For the first answer, before all is sent again and again before it is given up; then three round trips."""
SHORTEST_HOP_WAIT, LONGEST_HOP_WAIT = 0.05, 1.0

GUESSED_HOPS = 2
"""Of primers, as long as hops are looked for; replaced when one is sent."""

# -- observation --------------------------------------------------------------------------------------

OBSERVATION_AGAIN = 0.5
MAX_TICKETS = 8

# -- gathering ----------------------------------------------------------------------------------------

START_AT_LATEST = 0.3
"""After the beginning; the relay should be bound by then."""
SURVEY_WAIT = 0.7
"""So long the survey is waited for."""
STREAM_HEAD = 0.3
"""Where ports are counted, TCP is measured first and UDP so much later at the latest."""
COMPLETE_AT_LATEST = 1.4
"""After the beginning everything is said that is known."""
LATE = 0.1
"""What is found later is said together, so much after the first of it."""
BINDING_PACE = Pace(rto=0.2, tries=4, last_wait=2.0)
KEEPALIVE = 10.0
KEPT_STREAM = 60.0
"""The connection that measured a TCP port is kept open so long: some NATs forget the port with it."""
UNUSED = 90.0
"""What nobody adopted so long after it was said is closed: no plan names it any more, since plans end 45 s
after the first play, which begins within 20 s."""
HOLD = 20.0
"""No survey so long after the beginning: new flows would spoil counted ports."""

# -- how much others can cause ------------------------------------------------------------------------

MAX_STRANGERS = 16
"""Accepted connections that said nothing yet or that nobody took."""
STRANGER_TIME = 5.0
KNOCKS, KNOCK_BURST = 2.0, 16.0
"""Test packets of the server passed on, a second."""
MAX_HOSTS = 10
"""Own addresses told."""
MAX_SAID = 24
"""Times the candidates of one attempt are said."""
LEAST_CANDIDATES = 4
MAX_NOTES = 16
