"""Logging in: LOGIN, RELOGIN, CHECK_PWD and the password challenge.

docs/protocols/metaserver.md, "Logging in". Every error here ends the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from wlnet.limits.addresses import address_key
from wlnet.lobby.arrival import REPLACED, Arrival, ArrivalRefusal
from wlnet.lobby.events import Inbox, Removed
from wlnet.lobby.lobby import Lobby
from wlnet.lobby.names import name_problem, text_problem
from wlnet.lobby.player import Player
from wlnet.lobby.ports import Account, AccountsUnavailableError, Permission
from wlnet.lobby.presence import Credentials
from wlnet.lobby.probe import LivenessProbe
from wlnet.metrics import Limit
from wlnet.protocols.metaserver.conversation import Conversation
from wlnet.protocols.metaserver.dialect import BUILD_19, BUILD_21, SUPPORTED
from wlnet.protocols.metaserver.digest import same, sha1_hex
from wlnet.protocols.metaserver.wire import Fields

_REFUSALS = {ArrivalRefusal.FULL: "SERVER_FULL", ArrivalRefusal.NO_NAME: "NO_FREE_NAME"}


class FailedLogins(Protocol):
    """Counts wrong passwords by address."""

    def too_many(self, address: str) -> bool:
        """No more tries from there for now."""

    def failed(self, address: str) -> None:
        """One more wrong password."""


@dataclass(frozen=True, slots=True)
class _Request:
    """The fields of LOGIN, or as many as CHECK_PWD has."""

    command: str
    version: int
    name: str
    build: str
    registered: bool = False
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class _Challenge:
    """A challenge sent: good for one answer, for one name."""

    text: str
    request: _Request
    account: Account


class LoginDesk:
    """Handles one connection until it has a seat.

    :param challenge: gives 32 fresh hex digits each time.
    :param busy: called with True while an answer from elsewhere is awaited (packets wait), then False.
    :param admitted: called once with the seat and the secret that makes its owner host at the relay.
    :param readmitted: the same after RELOGIN.
    """

    def __init__(
        self,
        lobby: Lobby,
        conversation: Conversation,
        *,
        inbox: Inbox,
        address: str,
        session: str,
        failed_logins: FailedLogins,
        challenge: Callable[[], str],
        busy: Callable[[bool], None],
        admitted: Callable[[Player, str], None],
        readmitted: Callable[[Player], None],
    ) -> None:
        self._lobby = lobby
        self._talk = conversation
        self._inbox = inbox
        self._address = address
        self._session = session
        self._failed_logins = failed_logins
        self._new_challenge = challenge
        self._busy = busy
        self._admitted = admitted
        self._readmitted = readmitted
        self._challenge: _Challenge | None = None
        self._arrival: Arrival | None = None
        self._probe: LivenessProbe | None = None

    def gone(self) -> None:
        """The connection is gone."""
        if self._arrival is not None:
            self._arrival.cancel()
        if self._probe is not None:
            self._probe.abandon()

    # -- commands --------------------------------------------------------------------------------

    def login(self, fields: Fields) -> None:
        """``LOGIN version name build registered [nonce or password]``."""
        self._challenge = None
        request = self._request("LOGIN", fields)
        if request is None:
            return
        if self._lobby.discipline.ban(self._address, name=request.name) is not None:
            self._banned(request)
        elif request.registered:
            self._look_up(request, self._login_account)
        else:
            self._arrive(request, None)

    def check_pwd(self, fields: Fields) -> None:
        """``CHECK_PWD version name build``: is this the password, without logging in."""
        self._challenge = None
        version, name, build = fields.integer(), fields.text(), fields.text()
        request = _Request("CHECK_PWD", version, name, build, registered=True)
        if version < BUILD_21:
            self._talk.fail("CHECK_PWD", "UNSUPPORTED_PROTOCOL")
        elif name_problem(name, self._lobby.limits.name_length) is not None:
            self._lobby.hall.limited(Limit.NAME)
            self._talk.fail("CHECK_PWD", "INVALID_NAME")
        elif self._lobby.discipline.ban(self._address, account=name, name=name) is not None:
            self._banned(request)
        else:
            self._look_up(request, self._send_challenge)

    def pwd_challenge(self, fields: Fields) -> None:
        """``PWD_CHALLENGE response``, response = H(challenge + H(password))."""
        challenge, self._challenge = self._challenge, None
        response = fields.text()
        if challenge is None:
            self._talk.fail("PWD_CHALLENGE", "NO_CHALLENGE")
            return
        request, account = challenge.request, challenge.account
        if not same(response, sha1_hex(challenge.text + (account.widelands_digest or ""))):
            self._wrong_password("PWD_CHALLENGE")
        elif self._lobby.discipline.ban(self._address, account=account.name) is not None:
            self._banned(request)
        elif request.command == "CHECK_PWD":
            self._talk.send("PWD_OK", account.name, account.permission.value)
        else:
            self._arrive(request, account)

    def relogin(self, fields: Fields) -> None:
        """``RELOGIN version name build registered [nonce]``: back to a seat that is still there."""
        self._challenge = None
        request = self._request("RELOGIN", fields)
        if request is None:
            return
        if self._lobby.discipline.ban(self._address, name=request.name) is not None:
            self._talk.fail("RELOGIN", "WRONG_PASSWORD")
            return
        if self._too_many_failed(request):
            return
        player = self._lobby.hall.roster.get(request.name)
        if player is None:
            self._talk.fail("RELOGIN", "NOT_LOGGED_IN")
        elif not self._is(player, request):
            self._failed_logins.failed(self._address)
            self._talk.fail("RELOGIN", "WRONG_INFORMATION")
        elif not player.live:
            self._take_back(player)
        elif player.probe is not None:
            self._talk.fail("RELOGIN", "CONNECTION_STILL_ALIVE")
        else:
            self._probe_for_relogin(player)

    # -- parts of LOGIN --------------------------------------------------------------------------

    def _request(self, command: str, fields: Fields) -> _Request | None:
        """Read and check the fields LOGIN and RELOGIN share; None if an error was sent."""
        version, name, build = fields.integer(), fields.text(), fields.text()
        registered = fields.boolean()
        if version not in SUPPORTED:
            self._talk.fail(command, "UNSUPPORTED_PROTOCOL")
            return None
        nonce = fields.text() if registered or version != BUILD_19 else ""
        limits = self._lobby.limits
        if name_problem(name, limits.name_length) is not None:
            self._lobby.hall.limited(Limit.NAME)
            self._talk.fail(command, "INVALID_NAME")
            return None
        if (
            text_problem(build, limits.build_length) is not None
            or len(nonce.encode("utf-8", "surrogateescape")) > limits.nonce_length
        ):
            self._lobby.hall.limited(Limit.STRING_SIZE)
            self._talk.fail(command, "INVALID_FIELD")
            return None
        return _Request(command, version, name, build, registered, nonce)

    def _too_many_failed(self, request: _Request) -> bool:
        if not self._failed_logins.too_many(self._address):
            return False
        self._lobby.hall.limited(Limit.FAILED_LOGINS)
        self._talk.fail(request.command, "TOO_MANY_WRONG_PASSWORDS")
        return True

    def _look_up(self, request: _Request, found: Callable[[_Request, Account], None]) -> None:
        if self._too_many_failed(request):
            return

        def answer(account: Account | AccountsUnavailableError | None) -> None:
            if not self._talk.ended:
                if isinstance(account, AccountsUnavailableError):
                    self._lobby.hall.limited(Limit.ACCOUNTS_UNAVAILABLE)
                    self._talk.fail(request.command, "ACCOUNTS_UNAVAILABLE")
                elif account is None or account.widelands_digest is None:
                    self._wrong_password(request.command)
                else:
                    found(request, account)
            self._busy(False)

        self._busy(True)
        self._lobby.accounts.find(request.name, answer)

    def _login_account(self, request: _Request, account: Account) -> None:
        if request.version != BUILD_19:
            self._send_challenge(request, account)
        elif not same(sha1_hex(request.nonce), account.widelands_digest or ""):
            self._wrong_password("LOGIN")
        elif self._lobby.discipline.ban(self._address, account=account.name) is not None:
            self._banned(request)
        else:
            self._arrive(request, account)

    def _send_challenge(self, request: _Request, account: Account) -> None:
        self._challenge = _Challenge(self._new_challenge(), request, account)
        self._talk.send("PWD_CHALLENGE", self._challenge.text)

    def _arrive(self, request: _Request, account: Account | None) -> None:
        digest = account.widelands_digest if account is not None else None
        rekey: Callable[[str], str] | None = None
        if digest is None:
            key = request.nonce
        else:
            known: str = digest

            def rekey(name: str) -> str:
                return sha1_hex(name + known)

            key = rekey(request.name)
        who = Credentials(
            key=key,
            build=request.build,
            dialect=request.version,
            permission=account.permission if account is not None else Permission.UNREGISTERED,
            account=account.name if account is not None else None,
            address=self._address,
            session=self._session,
            inbox=self._inbox,
        )

        def seated(result: Player | ArrivalRefusal) -> None:
            self._arrival = None
            if isinstance(result, ArrivalRefusal):
                self._talk.fail("LOGIN", _REFUSALS[result])
            elif self._lobby.discipline.ban(self._address, who.account, request.name) is not None:
                # It came while the seat was looked for.
                self._lobby.presence.leave(result)
                self._banned(request)
            else:
                kept_account = result.permission is not Permission.UNREGISTERED
                self._admitted(result, digest if kept_account and digest is not None else result.key)
            self._busy(False)

        self._busy(True)
        arrival = self._lobby.arrive(request.name, who, rekey, seated)
        if not arrival.settled:
            self._arrival = arrival

    # -- parts of RELOGIN ------------------------------------------------------------------------

    def _is(self, player: Player, request: _Request) -> bool:
        if player.dialect != request.version or player.build != request.build:
            return False
        if not player.key:
            # Without a secret (build 19 without account) the address has to do.
            return not request.nonce and address_key(player.address) == address_key(self._address)
        return same(player.key, request.nonce) or same(
            player.key, sha1_hex(request.name + sha1_hex(request.nonce))
        )

    def _probe_for_relogin(self, player: Player) -> None:
        def answer(alive: bool) -> None:
            self._probe = None
            if alive:
                self._talk.fail("RELOGIN", "CONNECTION_STILL_ALIVE")
            elif self._lobby.hall.roster.get(player.name) is not player:
                self._talk.fail("RELOGIN", "NOT_LOGGED_IN")
            else:
                self._take_back(player)
            self._busy(False)

        self._busy(True)
        self._probe = LivenessProbe(player, self._lobby.agenda, self._lobby.settings.relogin_probe, answer)
        self._probe.ask()

    def _take_back(self, player: Player) -> None:
        if player.inbox is not None:
            player.inbox.deliver(Removed(REPLACED))
        who = Credentials(
            key=player.key,
            build=player.build,
            dialect=player.dialect,
            permission=player.permission,
            account=player.account,
            address=self._address,
            session=self._session,
            inbox=self._inbox,
        )
        self._lobby.presence.reseat(player, who)
        self._readmitted(player)

    # -- refusals --------------------------------------------------------------------------------

    def _wrong_password(self, command: str) -> None:
        self._failed_logins.failed(self._address)
        self._talk.fail(command, "WRONG_PASSWORD")

    def _banned(self, request: _Request) -> None:
        known = request.version >= BUILD_21
        self._talk.fail(request.command, "BANNED" if known else "WRONG_PASSWORD")
