"""The lobby's part of a process: accounts, bans, players, and the port clients log in at."""

from __future__ import annotations

from twisted.internet.defer import Deferred, DeferredList

from wlnet.accounts.database import open_database
from wlnet.accounts.shell_directory import AccountDirectory
from wlnet.accounts.store import SqlAccountStore
from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.buckets import KeyedBuckets
from wlnet.limits.failures import FailedLogins
from wlnet.limits.gate import ConnectionGate
from wlnet.lobby.lobby import Lobby
from wlnet.lobby.ports import RelayPort
from wlnet.moderation.shell_keeper import SanctionKeeper
from wlnet.moderation.store import SqlSanctionStore
from wlnet.protocols.metaserver.lists import ListWriter
from wlnet.protocols.metaserver.server import MetaserverFactory
from wlnet.protocols.metaserver.session import Office
from wlnet.protocols.metaserver.shell_prober import Prober
from wlnet.rendezvous.ports import PairRelays
from wlnet.service.rendezvous_part import RendezvousPart
from wlnet.service.shared import Shared, new_challenge, new_room_id, session_ids


class LobbyRole:
    """Builds the lobby around a relay port.

    :ivar lobby: to be told what the relay reports (``lobby.hosting``).
    :param pairs: the relay of pairs, if there is one.
    :ivar rendezvous: peer games; None if they are switched off.
    :ivar factory: for the ports clients connect to.
    :raises wlnet.accounts.errors.DatabaseUrlError: ``database.url`` can never work.
    """

    def __init__(self, shared: Shared, relay: RelayPort, pairs: PairRelays | None = None) -> None:
        config = shared.config
        trusted = TrustedNetworks(config.limits.trusted_networks)
        database = open_database(config.database, config.server)
        database.check_folder()
        store = SqlAccountStore(
            database,
            name_length=config.limits.name_length,
            password_length=config.limits.nonce_length,
            wall=shared.wall,
        )
        self._accounts = AccountDirectory(shared.reactor, store, config.database, shared.metrics)
        self._keeper = SanctionKeeper(
            shared.reactor,
            shared.sanctions,
            SqlSanctionStore(database),
            config.moderation,
            config.database,
            shared.metrics,
            shared.wall,
        )
        self.lobby = Lobby(
            settings=config.lobby,
            limits=config.limits,
            moderation=config.moderation,
            agenda=shared.agenda,
            metrics=shared.metrics,
            accounts=self._accounts,
            relay=relay,
            prober=Prober(shared.reactor, config.lobby.probe_port),
            sanctions=shared.sanctions,
            new_room_id=new_room_id,
        )
        self.rendezvous: RendezvousPart | None = None
        if config.rendezvous.enabled:
            self.rendezvous = RendezvousPart(shared, self.lobby, pairs)
        wrong_passwords = KeyedBuckets(
            shared.agenda.now, config.limits.failed_login_rate, config.limits.failed_login_burst
        )
        gate = ConnectionGate(
            config.limits.lobby_connections, config.limits.lobby_connections_per_address, trusted
        )
        self.factory = MetaserverFactory(
            Office(
                lobby=self.lobby,
                lists=ListWriter(self.lobby.hall),
                failed_logins=FailedLogins(wrong_passwords, trusted),
                challenge=new_challenge,
                wall=shared.wall,
                extension=self.rendezvous.extension if self.rendezvous is not None else None,
            ),
            gate=gate,
            budget=shared.budget,
            metrics=shared.metrics,
            reactor=shared.reactor,
            queue_limit=config.limits.lobby_queue,
            linger=config.lobby.close_linger,
            new_session_id=session_ids("m"),
            may_log=shared.may_log,
        )
        hall = self.lobby.hall
        observe = shared.metrics.observe
        observe("wlnet_players", "Players in the lobby", lambda: hall.live_players)
        observe(
            "wlnet_lost_players",
            "Seats kept for cut-off players",
            lambda: len(hall.roster) - hall.live_players,
        )
        observe("wlnet_games", "Games listed", lambda: len(hall.board))
        observe("wlnet_lobby_connections", "Connections to the lobby", lambda: len(gate))

    @property
    def database_trouble(self) -> str:
        """Why the database cannot be relied on, by what was last tried there; "" if it can."""
        if not self._keeper.reachable:
            return "bans and mutes cannot be read or written"
        return "" if self._accounts.available else "accounts cannot be looked up"

    def start(self) -> Deferred[None]:
        """Begin; fires when the bans are loaded or known not to be at hand. Never fails."""
        self._accounts.start()
        return self._keeper.start()

    def stop(self) -> Deferred[None]:
        """Say good-bye to the players and write down what is left to write."""
        if self.rendezvous is not None:
            self.rendezvous.stop()
        parts = [self.factory.close_all(), self._accounts.stop(), self._keeper.stop()]
        done: Deferred[None] = DeferredList(parts).addCallback(lambda _: None)
        return done
