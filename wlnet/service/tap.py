"""What ``twistd wlnet`` looks for: the command line options and the service."""

from __future__ import annotations

from twisted.application.service import IService

from wlnet.service.options import Options

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> IService:
    """The server as one Twisted service.

    :param options: parsed, so its configuration is known to be right.
    """
    # Here and not above: `twistd --help` need not load the server, and the reactor may not be chosen yet.
    from wlnet.service.service import make_service  # noqa: PLC0415

    return make_service(options.config, options.ready_file)
