"""Certificate files: what is wrong with them, and when they are read again."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.protocols.tls import TLSMemoryBIOFactory

from tests.support.certificates import Authority, put
from wlnet.agenda import Agenda
from wlnet.tls.shell_certificate import MAX_FILE, Certificate, CertificateError


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_namespace") == "wlnet.tls":
            lines.append(f"{event['log_level'].name} {formatEvent(event)}")

    globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
    yield lines
    globalLogPublisher.removeObserver(observe)  # type: ignore[arg-type]


def shown(certificate: Certificate, authority: Authority) -> str:
    """The name a client is shown, after a whole handshake without sockets."""
    factory: Any = TLSMemoryBIOFactory(certificate, False, Factory.forProtocol(Protocol))
    server = certificate.serverConnectionForTLS(factory.buildProtocol(None))
    server.set_accept_state()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = authority.client()
    context.check_hostname = False
    client = context.wrap_bio(incoming, outgoing)
    for _ in range(10):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        else:
            shown: Any = client.getpeercert()
            return str(shown["subject"][0][0][1])
        server.bio_write(outgoing.read())
        try:
            server.do_handshake()
        except SSL.WantReadError:
            pass
        incoming.write(server.bio_read(65536))
    raise AssertionError("no handshake")


@pytest.mark.parametrize("broken", ["certificate", "key"])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        (b"", "in PEM form"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "in PEM form"),
        (b"x" * (MAX_FILE + 1), "too long"),
    ],
)
def test_a_file_that_cannot_be_used(
    authority: Authority, broken: str, content: bytes | None, why: str
) -> None:
    files = dict(zip(("certificate", "key"), authority.issue(), strict=True))
    if content is None:
        files[broken].unlink()
    else:
        files[broken].write_bytes(content)
    with pytest.raises(CertificateError, match=why) as error:
        Certificate(files["certificate"], files["key"], time.time)
    assert str(files[broken]) in str(error.value)
    assert f"tls.{broken}" in str(error.value)


def test_two_files_that_do_not_belong_together(authority: Authority) -> None:
    certificate, _ = authority.issue(stem="one")
    _, key = authority.issue(stem="two")
    with pytest.raises(CertificateError, match="does not belong"):
        Certificate(certificate, key, time.time)


def test_a_key_with_a_password(authority: Authority) -> None:
    certificate, key = authority.issue(password=b"secret")
    with pytest.raises(CertificateError, match="has a password") as error:
        Certificate(certificate, key, time.time)
    assert str(key) in str(error.value)


def test_an_expired_one_is_used_with_a_warning(authority: Authority, log: list[str]) -> None:
    certificate = Certificate(*authority.issue(days=-1), time.time)
    assert -1.1 < certificate.days_left < -0.9
    (line,) = log
    assert line.startswith("warn")
    assert "expired" in line


def test_changed_files_are_read_again(authority: Authority, log: list[str]) -> None:
    clock = Clock()
    agenda = Agenda(clock.seconds)
    certificate = Certificate(*authority.issue("one.example.org"), time.time)
    certificate.watch(agenda, 5)

    def wait(seconds: float) -> None:
        clock.advance(seconds)
        agenda.run_due()

    authority.issue("two.example.org")
    wait(4.9)
    assert shown(certificate, authority) == "one.example.org"
    wait(0.1)
    assert shown(certificate, authority) == "two.example.org"
    log.clear()
    wait(5)
    assert log == [], "nothing changed, nothing said"

    file, key = authority.issue("three.example.org")
    good = key.read_bytes()
    put(key, b"half written")
    wait(5)
    wait(5)
    assert shown(certificate, authority) == "two.example.org"
    (line,) = log
    assert line.startswith("error")
    assert str(key) in line
    put(key, good)
    wait(5)
    assert shown(certificate, authority) == "three.example.org"
    log.clear()

    file.unlink()
    wait(5)
    assert shown(certificate, authority) == "three.example.org"
    (line,) = log
    assert str(file) in line
    certificate.stop()
    assert len(agenda) == 0
