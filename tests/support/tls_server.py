"""A TLS server of the standard library, in a thread: strange to our own TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from wlnet.protocols.stun.wire import Endpoint


class TlsServer:
    """Serves one connection with *serve* and is done.

    :param certificate: a file with certificate and key.
    """

    def __init__(
        self, certificate: Path, serve: Callable[[ssl.SSLSocket], None], host: str = "127.0.0.1"
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._context = context
        self._serve = serve
        self._listener = socket.create_server(
            (host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
        self._listener.settimeout(10)
        self.place = Endpoint(*self._listener.getsockname()[:2])
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with self._listener:
                plain, _ = self._listener.accept()
            plain.settimeout(10)
            with plain, self._context.wrap_socket(plain, server_side=True) as one:
                self._serve(one)
        except OSError as error:
            self.error = error

    def wait(self) -> None:
        """Until it has served."""
        self._thread.join(10)
        assert not self._thread.is_alive()


def echo(one: ssl.SSLSocket) -> None:
    """Say everything again, until they say that nothing more comes; then say goodbye."""
    while data := one.recv(65536):
        one.sendall(data)
    one.unwrap().close()
