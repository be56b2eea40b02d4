from __future__ import annotations

import socket

from twisted.internet.task import Clock

from wlnet.config.load import load
from wlnet.service.shared import Shared
from wlnet.service.web_part import WebPart


def part(*settings: str) -> WebPart:
    config = load("/dev/null", [f"web.{one}" for one in settings])
    return WebPart(Shared(config, Clock()), None, {})


def opened(web: WebPart) -> int:
    try:
        return len(web._doors)
    finally:
        web.close()


def test_a_port_is_opened_unless_switched_off() -> None:
    assert opened(part("port=0")) == 1
    assert opened(part("port=0", "enabled=false")) == 0


def test_a_process_without_lobby_has_nothing_for_a_public_port() -> None:
    assert opened(part("port=0", "status_port=0", "status_listen=127.0.0.1")) == 1


def test_a_port_of_others_is_done_without() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert opened(part(f"port={other.getsockname()[1]}")) == 0
