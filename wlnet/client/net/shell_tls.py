"""TLS of a client over memory: bytes in, bytes out."""

from __future__ import annotations

import ssl

from wlnet.client.net.network import TlsOptions

_READ = 65536


class TlsError(Exception):
    """The connection cannot be trusted or understood.

    :ivar untrusted: it is the certificate.
    """

    def __init__(self, text: str, untrusted: bool = False) -> None:
        super().__init__(text)
        self.untrusted = untrusted


class TlsClient:
    """One connection. What is to be sent is taken with :meth:`outgoing` after every call.

    :raises OSError: the file of authorities cannot be read.
    """

    def __init__(self, options: TlsOptions) -> None:
        context = ssl.create_default_context(cafile=options.ca_file)
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._in, self._out, server_hostname=options.name)
        self.ready = False
        self.finished = False
        """They said properly that nothing more comes."""

    def feed(self, data: bytes) -> bytes:
        """Bytes from the other side; b"" first, to say hello.

        :returns: what they mean.
        :raises TlsError: not trusted or not understood; an alert may be in :meth:`outgoing`.
        """
        self._in.write(data)
        try:
            if not self.ready:
                self._ssl.do_handshake()
                self.ready = True
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLCertVerificationError as error:
            raise TlsError(f"certificate: {error.verify_message}", untrusted=True) from None
        except ssl.SSLError as error:
            raise TlsError(f"TLS: {error.reason or error}") from None

    def _read(self) -> bytes:
        parts = []
        while True:
            try:
                part = self._ssl.read(_READ)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                part = b""
            if not part:
                self.finished = True
                break
            parts.append(part)
        return b"".join(parts)

    def write(self, data: bytes) -> None:
        """Send it.

        :raises TlsError: the connection is broken.
        """
        try:
            self._ssl.write(data)
        except ssl.SSLError as error:
            raise TlsError(f"TLS: {error.reason or error}") from None

    def end(self) -> None:
        """Say that nothing more comes."""
        if self.ready:
            try:
                self._ssl.unwrap()
            except ssl.SSLError:
                pass  # it waits for their answer, or they said it first

    def outgoing(self) -> bytes:
        """Bytes for the other side."""
        return self._out.read()
