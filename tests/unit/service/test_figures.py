from __future__ import annotations

from twisted.internet.task import Clock

from wlnet.config.load import load
from wlnet.metrics import Front, Limit
from wlnet.service.figures import FigureLine
from wlnet.service.shared import Shared
from wlnet.service.web_part import WebPart


def test_the_line_has_what_people_want_to_know_and_no_more() -> None:
    shared = Shared(load("/dev/null", ["web.enabled=false"]), Clock())
    WebPart(shared, None, {})  # brings figures of the process, which are for monitoring
    line = FigureLine(shared, 60.0)
    assert line.text() == ""
    shared.metrics.limited(Front.WEB, Limit.CONNECTIONS, 3)
    shared.metrics.observe("wlnet_players", "Players", lambda: 2)
    assert line.text() == "limited web connections 3, players 2"
