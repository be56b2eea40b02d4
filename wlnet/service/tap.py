"""What ``twistd wlnet`` looks for: the command line options and the service."""

from __future__ import annotations

from pathlib import Path

from twisted.application.service import IService, MultiService
from twisted.logger import ILogObserver
from twisted.python.components import Componentized

from wlnet.service.logs import LogError, make_observer
from wlnet.service.options import Options

__all__ = ["Options", "makeService"]


class _Root(MultiService):
    """Carries the log observer to twistd, which asks the application for one before it starts its own."""

    def __init__(self, observer: ILogObserver | None) -> None:
        super().__init__()
        self._observer = observer

    def setServiceParent(self, parent: object) -> None:
        if self._observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)


def makeService(options: Options) -> IService:
    """The server as one Twisted service.

    :param options: parsed, so its configuration is known to be right.
    :raises SystemExit: the state folder or the log cannot be used; the message says why.
    """
    # Here and not above: `twistd --help` need not load the server, and the reactor may not be chosen yet.
    from wlnet.service.service import make_service  # noqa: PLC0415

    if options.ready_file is not None:
        Path(options.ready_file).unlink(missing_ok=True)
    root = _Root(_observer(options))
    make_service(options.config, options.ready_file).setServiceParent(root)
    return root


def _observer(options: Options) -> ILogObserver | None:
    """Our log, unless the user asked twistd for another one (or it is not twistd that starts us)."""
    if options.twistd_option("nodaemon") is None:
        return None
    if any(options.twistd_option(name) for name in ("logger", "logfile", "syslog")):
        return None
    try:
        Path(options.config.server.state_dir).mkdir(parents=True, exist_ok=True)
        return make_observer(options.config, daemon=not options.twistd_option("nodaemon"))
    except OSError as error:
        raise SystemExit(f"server.state_dir: {error.filename}: {error.strerror}") from None
    except LogError as error:
        raise SystemExit(str(error)) from None
