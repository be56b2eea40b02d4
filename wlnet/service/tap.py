"""What ``twistd wlnet`` looks for: the command line options and the service."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import structs
from twisted.application.service import IService, MultiService
from twisted.logger import ILogObserver
from twisted.python.components import Componentized

from wlnet.config.schema import Config
from wlnet.service.logs import LogError, make_observer
from wlnet.service.options import Options

__all__ = ["Options", "makeService"]

_STATUS_LENGTH = 100
"""What twistd reads of a message from its daemon."""


class _Root(MultiService):
    """Stands between twistd and the server, for two things services have no way to do.

    It carries the log observer to twistd, which asks the application for one before it starts its own. And
    a daemon that cannot start tells the process the operator is waiting for: twistd does so for an Exception
    only, and waits for ever after anything else.
    """

    def __init__(self, options: Options, observer: ILogObserver | None) -> None:
        super().__init__()
        self._options = options
        self._observer = observer

    def setServiceParent(self, parent: object) -> None:
        if self._observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        try:
            super().privilegedStartService()
        except SystemExit as end:
            self._tell_failure(str(end))
            raise

    def _tell_failure(self, message: str) -> None:
        pipe = self._options.twistd_option("statusPipe")
        if pipe is not None:
            os.write(pipe, b"1 " + message.encode("ascii", "replace")[: _STATUS_LENGTH - 2])
        pidfile = self._options.twistd_option("pidfile")
        if pidfile:
            Path(pidfile).unlink(missing_ok=True)


def makeService(options: Options) -> IService:
    """The server as one Twisted service.

    :param options: parsed, so its configuration is known to be right.
    :raises SystemExit: the state folder or the log cannot be used; the message says why.
    """
    # Here and not above: `twistd --help` need not load the server, and the reactor may not be chosen yet.
    from wlnet.service.service import make_service  # noqa: PLC0415

    # twistd is about to change to another folder, and relative paths shall mean one thing before and after.
    state_dir = Path(options.twistd_option("rundir") or ".", options.config.server.state_dir).absolute()
    server = structs.replace(options.config.server, state_dir=str(state_dir))
    config = structs.replace(options.config, server=server)
    ready_file = options.ready_file
    if ready_file is not None:
        ready_file = str(Path(ready_file).absolute())
        Path(ready_file).unlink(missing_ok=True)
    root = _Root(options, _observer(options, config))
    make_service(config, ready_file).setServiceParent(root)
    return root


def _observer(options: Options, config: Config) -> ILogObserver | None:
    """Our log, unless the user asked twistd for another one (or it is not twistd that starts us)."""
    if options.twistd_option("nodaemon") is None:
        return None
    if any(options.twistd_option(name) for name in ("logger", "logfile", "syslog")):
        return None
    try:
        Path(config.server.state_dir).mkdir(parents=True, exist_ok=True)
        return make_observer(config, daemon=not options.twistd_option("nodaemon"))
    except OSError as error:
        raise SystemExit(f"server.state_dir: {error.filename}: {error.strerror}") from None
    except LogError as error:
        raise SystemExit(str(error)) from None
