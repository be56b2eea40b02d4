"""The command line of ``twistd wlnet``."""

from __future__ import annotations

from typing import Any

from twisted.python import usage

from wlnet import __version__
from wlnet.config.load import DEFAULT_FILE, ConfigError, load
from wlnet.config.schema import Config


class Options(usage.Options):
    """Options of ``twistd wlnet``; after parsing, :attr:`config` is the configuration in force."""

    synopsis = "[--config FILE] [--set SECTION.KEY=VALUE]... [--ready-file FILE]"
    longdesc = (
        "The lobby that Widelands players log in to and the relay that carries their games. Everything is "
        "set in one TOML file: `wlnet config init` writes it with comments, `wlnet config check` checks it. "
        "In the foreground: twistd --nodaemon --pidfile= wlnet --config wlnet.toml"
    )
    optParameters = [
        [
            "config",
            "c",
            None,
            f"Configuration file (default: ./{DEFAULT_FILE} if it exists, else built-in defaults).",
        ],
        [
            "ready-file",
            None,
            None,
            "Write process id and ports to this file, as JSON, once all ports are open.",
        ],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.config = Config()
        self._overrides: list[str] = []
        self._refused = False

    @property
    def ready_file(self) -> str | None:
        """Where to tell that everything listens, or None."""
        value: str | None = self["ready-file"]
        return value

    def opt_set(self, value: str) -> None:
        """SECTION.KEY=VALUE: one setting for this run, instead of the file's. May be repeated."""
        self._overrides.append(value)

    def opt_version(self) -> None:
        """Show the version of wlnet and exit."""
        print(f"wlnet {__version__}")  # noqa: T201
        raise SystemExit(0)

    def parseArgs(self, *arguments: str) -> None:
        """Nothing may follow the options."""
        if arguments:
            raise usage.UsageError(f"unexpected: {' '.join(arguments)} (there are only options; try --help)")

    def postOptions(self) -> None:
        """Load the configuration.

        :raises usage.UsageError: something in it is wrong; the message says where and what.
        """
        try:
            self.config = load(self["config"], self._overrides)
        except ConfigError as error:
            self._refused = True
            raise usage.UsageError(f"the configuration cannot be used:\n{error}") from None

    def getUsage(self, width: int | None = None) -> str:
        """The help.

        twistd shows it before any error; the answer to a mistake in the file shall not come after a page
        about options.
        """
        return "" if self._refused else str(super().getUsage(width))

    def twistd_option(self, name: str) -> Any:
        """The value of one of twistd's own options; None without twistd."""
        parent = getattr(self, "parent", None)
        return parent.get(name) if parent is not None else None
