"""Where things are on the screen: Widelands 1.1 at 800x600 with the default theme."""

from __future__ import annotations

from typing import NamedTuple

WIDTH, HEIGHT = 800, 600


class Point(NamedTuple):
    x: int
    y: int


class Area(NamedTuple):
    x: int
    y: int
    width: int
    height: int


WHOLE = Area(0, 0, WIDTH, HEIGHT)

MENU_EXIT = Area(404, 505, 162, 38)
MENU_EXIT_BUTTON = Point(485, 524)

# The path at the top: "Metaserver Lobby > Launch Game > Choose Map"
TITLE = Area(30, 4, 500, 24)

LOBBY_CLIENTS = Area(62, 118, 410, 220)
LOBBY_GAMES = Area(494, 96, 266, 100)
LOBBY_CHAT_LINES = Area(42, 344, 430, 190)
LOBBY_CHAT = Point(250, 547)
LOBBY_SERVER_NAME = Point(627, 367)
LOBBY_OPEN_GAME = Point(627, 400)
LOBBY_FIRST_GAME = Point(582, 113)
LOBBY_JOIN = Point(627, 214)
# The icon of rank and the name, in the row of the n-th client
LOBBY_ROWS = 10


def lobby_rank(row: int) -> Area:
    return Area(43, 126 + 20 * row, 16, 7)


def lobby_name(row: int) -> Area:
    return Area(62, 119 + 20 * row, 178, 20)


SETUP_CLIENTS = Area(72, 104, 130, 100)
SETUP_MAP_NAME = Area(494, 106, 266, 26)
SETUP_CHAT_LINES = Area(42, 366, 430, 166)
SETUP_CHANGE_MAP = Point(627, 455)
SETUP_CHANGE_SAVE = Point(627, 496)
# The role of the first (host) and the second client, and an entry of the list each opens
SETUP_HOST_ROLE = Point(56, 119)
SETUP_HOST_PLAYER_TWO = Point(121, 192)
SETUP_GUEST_ROLE = Point(56, 152)
SETUP_GUEST_PLAYER_ONE = Point(121, 188)
# "The player name of the selected slot does not match your own"
SETUP_OTHER_NAME_OK = Point(481, 349)
SETUP_CHAT = Point(271, 547)
SETUP_BACK = Point(559, 547)
SETUP_START = Point(694, 547)
SETUP_START_TEXT = Area(652, 541, 84, 12)
SETUP_SAVED_PLAYERS = Area(494, 130, 266, 80)

# "Disconnected: The connection with the host was lost"
SETUP_LOST_NOTICE = Area(130, 235, 540, 70)
SETUP_LOST_OK = Point(399, 332)

MAPS_CRATER = Point(150, 260)
MAPS_DETAILS = Area(494, 170, 266, 50)
SAVES_FIRST = Point(150, 133)
SAVES_DETAILS = Area(494, 74, 270, 30)
CHOOSE_OK = Point(694, 547)

GAME_EXIT = Point(294, 547)
GAME_EXIT_OK = Point(470, 314)
GAME_NOTICE = Area(260, 200, 290, 130)
GAME_CONTINUE = Point(386, 329)
# "The game ended unexpectedly for the following reason" (asks whether to save it)
GAME_ENDED_NOTICE = Area(120, 190, 560, 170)
GAME_ENDED_CANCEL = Point(312, 367)
