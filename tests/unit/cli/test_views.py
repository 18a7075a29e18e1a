"""What each command shows of what others wrote, whatever they wrote."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from click.testing import CliRunner, Result

from grpc_chat.cli import command, output, ownership
from grpc_chat.cli.main import main
from grpc_chat.errors import PermissionDenied, RateLimited, SessionEnded, Unavailable
from grpc_chat.sdk.account_models import (
    AccessToken,
    Block,
    Login,
    PasswordChange,
    Privacy,
    ServerInfo,
    Session,
    User,
)
from grpc_chat.sdk.bodies import Body, LinkCard
from grpc_chat.sdk.choices import Change, Registration, Role, RoomKind
from grpc_chat.sdk.client import Client
from grpc_chat.sdk.consumer_records import Consumer, ConsumerPosition
from grpc_chat.sdk.file_records import File
from grpc_chat.sdk.mentions import Mention
from grpc_chat.sdk.message_events import MessageDeleted, MessageEdited, PinChanged, Reaction, ReactionChanged
from grpc_chat.sdk.models import (
    Ban,
    CaughtUp,
    Cursor,
    Gap,
    HistoryChanged,
    Invitation,
    Invite,
    Member,
    MembershipChange,
    Message,
    Room,
    RoomChange,
    RoomLeft,
    Sent,
    Update,
)
from grpc_chat.sdk.moderation import Report
from grpc_chat.sdk.pins import Pin
from grpc_chat.sdk.poll_records import Poll, PollClosed, PollResult, PollState, PollVote, PollVoted
from grpc_chat.sdk.read_state import MessagePreview
from grpc_chat.sdk.records import Blocked, StoppedBot, Unblocked, UnownedRoom, UserRecord
from grpc_chat.sdk.search import SearchHit
from grpc_chat.sdk.signals import Presence, Status
from grpc_chat.sdk.thread_records import Thread
from tests.looped import each

# Every control there is, bidi and the separators of lines, and a few that do something.
# Also where only words of the API belong.
EVIL: Any = (
    "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
    + "\u202e\u2066\u2028\u2029\u061c\ufeff\x1b[2J\x1b]0;owned\x07\x1b[8mgone"
)
DANGEROUS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u2028-\u202e\u2066-\u2069\ufeff]")
NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)

USER = User(EVIL, EVIL, bot=True, owner_id=EVIL, privacy=Privacy(EVIL, "", EVIL, EVIL))
ROOM = Room(
    "plans", EVIL, EVIL, 1, 9, NOW, topic=EVIL, archive_time=NOW, member_count=3, role=EVIL, kind=EVIL
)
SESSION = Session(EVIL, EVIL, False, (EVIL,), NOW, NOW, NOW)
TOKEN = Session(EVIL, EVIL, True, (EVIL,), NOW, NOW, None)
INVITE = Invite(EVIL, EVIL, EVIL, EVIL, NOW, NOW, 5, 1, True, False, code=EVIL)
INVITATION = Invitation("plans", EVIL, EVIL, EVIL, 3, USER, EVIL, USER, NOW, EVIL)
RECORD = UserRecord(USER, True, NOW, NOW, NOW, 3)
UNOWNED = UnownedRoom("plans", EVIL, EVIL, 3)
STOPPED = StoppedBot(EVIL, 2)
MEMBER = Member(USER, EVIL, NOW)
BAN = Ban(USER, EVIL, EVIL, NOW)
PRESENCE = Presence(EVIL, EVIL, NOW, Status(EVIL, EVIL, NOW))
SENT = Sent(EVIL, 1, EVIL, EVIL, NOW)
THREAD = Thread("plans", 1, 2, 3, NOW, True, True, NOW, 1, 1, MessagePreview(1, NOW, EVIL, EVIL))
CHANGES: list[Any] = ["joined", "added", "left", "removed", "banned", "unbanned", "role", "invited", EVIL]
BODY, CARD = Body(EVIL, b"\0\xff"), LinkCard(EVIL, EVIL, EVIL, EVIL)
MESSAGE = Message(
    "plans", 1, EVIL, EVIL, NOW, EVIL, files=(File(EVIL, EVIL, 5, EVIL),), body=BODY, cards=(CARD,)
)
REPORT = Report(EVIL, 5, EVIL, EVIL, EVIL, NOW)
POLL = Message("plans", 5, EVIL, EVIL, NOW, EVIL, poll=Poll((EVIL, f"{EVIL}\n"), True, True, NOW))
STANDS = PollState(5, (2, 1), 3, (1,), closed=False)
EVENTS: list[Any] = [
    MESSAGE,
    POLL,
    *(
        PollVoted("plans", 6, about, who, choices, counts, 3, NOW)
        for about, who, choices, counts in (
            (5, EVIL, (0, 7), (2, 1)),
            (5, EVIL, (), (0, 0)),
            (5, "", (), ()),
            (9, EVIL, (1,), (0, 1)),
        )
    ),
    *(PollClosed("plans", 7, about, who, (2, 1), 3, NOW) for about, who in ((5, EVIL), (5, ""), (9, EVIL))),
    *(MembershipChange("plans", 2, EVIL, EVIL, change, EVIL, EVIL, NOW) for change in CHANGES),
    *(
        MembershipChange("plans", 2, EVIL, EVIL, change, EVIL, EVIL, NOW, invited_by=EVIL)
        for change in (Change.JOINED, Change.ROLE)
    ),
    MessageEdited("plans", 3, 1, EVIL, EVIL, NOW),
    MessageDeleted("plans", 3, 1, EVIL, EVIL, NOW),
    ReactionChanged("plans", 3, 1, EVIL, EVIL, False, NOW),
    PinChanged("plans", 3, 1, EVIL, True, NOW),
    RoomChange("plans", 3, EVIL, True, {"name": EVIL, "topic": EVIL}, NOW),
    RoomChange("plans", 3, EVIL, True, {}, NOW),
    *(
        RoomChange("plans", 4, EVIL, False, {name: value}, NOW)
        for name in ("name", "topic", "archived", "history", "posting", EVIL)
        for value in (EVIL, "", True)
    ),
]
ALSO_FOLLOWED: list[Any] = [
    Gap("plans", 1, 2),
    INVITATION,
    replace(INVITATION, role=Role.OWNER),
    Message("elsewhere", 1, EVIL, EVIL, NOW, EVIL),
    *(
        RoomLeft("plans", change, EVIL, EVIL)
        for change in (Change.LEFT, Change.REMOVED, Change.BANNED, Change.DELETED, EVIL)
    ),
]


class Everything:
    """A client of a server where everybody writes what they should not."""

    def __init__(self, error: Exception | None = None) -> None:
        self.address = "localhost:50051"
        self.error = error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[..., Any]:
        real = getattr(Client, name)
        if "AsyncIterator" in str(real.__annotations__["return"]):
            return lambda *_, **__: self._list(name)
        return lambda *_, **__: self._one(name)

    def subscribe(self, *_: object, **__: object) -> Any:
        return self

    async def updates(self) -> AsyncIterator[Update]:
        if self.error:
            raise self.error
        for event in EVENTS + ALSO_FOLLOWED:
            yield event

    async def _list(self, name: str) -> AsyncIterator[Any]:
        if self.error:
            raise self.error
        entries: dict[str, list[Any]] = {
            "rooms": [ROOM],
            "public_rooms": [ROOM],
            "members": [MEMBER],
            "bans": [BAN],
            "invites": [INVITE],
            "invitations": [INVITATION],
            "room_invitations": [INVITATION],
            "server_invites": [INVITE],
            "sessions": [SESSION, TOKEN],
            "user_sessions": [SESSION, TOKEN],
            "bots": [USER],
            "blocks": [Block(USER, NOW)],
            "users": [RECORD],
            "people": [USER],
            "reports": [REPORT],
            "server_reports": [REPORT],
            "unowned_rooms": [UNOWNED],
            "consumers": [Consumer(EVIL, NOW, NOW, True)],
            "consumer_positions": [
                ConsumerPosition(Cursor("plans", 3), 9),
                ConsumerPosition(Cursor(EVIL), 1),
            ],
            "events": EVENTS,
            "history": [POLL],
            "poll_votes": [PollVote(EVIL, (0, 1), NOW)],
            "mentions": [Mention(MESSAGE, unread) for unread in (True, False)],
            "pins": [Pin(MESSAGE, EVIL, NOW)],
            "reactions": [Reaction(EVIL, EVIL, NOW)],
            "search": [SearchHit(MESSAGE, ((0, 3), (5, len(EVIL))))],
            "thread_messages": EVENTS[:1],
            "threads": [THREAD, replace(THREAD, room_id=EVIL)],
            "presences": [PRESENCE, replace(PRESENCE, status=None, last_seen_time=None)],
        }
        for entry in entries[name]:
            yield entry

    async def _one(self, name: str) -> Any:
        if self.error:
            raise self.error
        if name in ("set_admin", "create_user"):
            return RECORD
        if name == "leave_room":
            return False
        if name in ("room", "direct_room", "accept_invitation") or name.endswith("_room"):
            return ROOM
        return {
            "server_info": ServerInfo(EVIL, Registration.INVITE, True),
            "register": Login(USER, SESSION, "gc_x", "plans"),
            "log_in": Login(USER, SESSION, "gc_x"),
            "session": SESSION,
            "me": USER,
            "user": USER,
            "update_profile": USER,
            "create_bot": USER,
            "create_access_token": AccessToken(SESSION, EVIL),
            "add_member": MEMBER,
            "set_role": MEMBER,
            "create_invite": INVITE,
            "create_server_invite": INVITE,
            "send": SENT,
            "vote": STANDS,
            "polls": {5: STANDS},
            "close_poll": replace(POLL, poll=Poll((EVIL, "b"), result=PollResult((2, 1), 3, NOW, EVIL))),
            "message": EVENTS[0],
            "mute_thread": THREAD,
            "block_user": Blocked(RECORD, (UNOWNED,), 4, (STOPPED,), 3),
            "unblock_user": Unblocked(RECORD, (STOPPED,), 2, (EVIL,), 2),
            "change_password": PasswordChange(2, 0, 1),
            "reset_password": PasswordChange(2, 3, 0),
            "assign_room_owner": UNOWNED,
            "assign_bot_owner": USER,
            "offer_bot": USER,
            "block": Block(USER, NOW, 2, (EVIL,)),
            "accept_bot": USER,
            "presence": [PRESENCE],
            "set_status": PRESENCE,
            "show_presence": PRESENCE,
        }.get(name, 2)


COMMANDS = [
    "register xy --invite grpc-chat://localhost:50051/#gci_x",
    "login x",
    "whoami",
    "whoami -v",
    "password",
    "sessions list",
    "sessions revoke x",
    "token create x",
    "token list",
    "bot create xy",
    "bot list",
    "bot token x",
    "bot give x y",
    "bot give x --withdraw",
    "bot take x",
    "consumers list",
    "consumers show x",
    "consumers forget x",
    "people x",
    "report plans 5 x",
    "reports plans",
    "reports",
    "reports plans --resolve 5",
    "user show x",
    "user rename x",
    "user privacy",
    "user privacy --adding server --direct-messages nobody",
    "block add x",
    "block add x --leave-rooms",
    "block remove x",
    "block list",
    "rooms",
    "room public",
    "room show plans",
    "room create x",
    "room direct x",
    "room rename plans x",
    "room topic plans x",
    "room update plans --posting admins",
    "room archive plans",
    "room unarchive plans",
    "room join plans",
    "room leave plans",
    "room members plans",
    "room add plans x",
    "room remove plans x",
    "room role plans x admin",
    "room ban plans x",
    "room unban plans x",
    "room bans plans",
    "invitations list",
    "invitations accept plans",
    "invitations decline plans",
    "room invitations plans",
    "room withdraw plans x",
    "room invite create plans",
    "room invite list plans",
    "send plans hello",
    "threads",
    "threads plans",
    "thread plans 1",
    "thread plans 1 --mute --until 2h",
    "read plans",
    "read plans --all",
    "poll plans x a b --multiple --until 2h",
    "vote plans 5 1",
    "poll-close plans 5",
    "poll-results plans 5",
    "poll-results plans 5 --votes",
    "watch plans",
    "watch",
    "search x",
    "mentions",
    "mentions plans --unread",
    "pins plans",
    "reactions plans 1",
    "who plans",
    "status",
    "status busy --emoji x --until 2h --hide-last-seen",
    "status --clear --appear-offline",
    "admin users",
    "admin create xy",
    "admin block x --yes",
    "admin block x --dry-run",
    "admin rooms",
    "admin room-owner plans x",
    "admin bot-owner x y",
    "admin unblock x",
    "admin reset-password x",
    "admin make-admin x",
    "admin remove-admin x",
    "admin sessions x",
    "invite create",
    "invite list",
]
FAILING = [
    "room members nothing",
    "room invite revoke plans nothing",
    "invitations accept nothing",
    "invitations decline nothing",
    "invite revoke nothing",
    "room delete plans --confirm x",
]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Run a command against a client: ``run("rooms", client)``."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("CHAT_TOKEN", "gc_x")
    monkeypatch.setenv("CHAT_SERVER", "localhost:50051")
    monkeypatch.setenv("CHAT_PASSWORD", "xy" * 5)
    monkeypatch.setenv("CHAT_NEW_PASSWORD", "yx" * 5)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    # And not the one that a test before this chose, which may be one that does not answer.
    monkeypatch.setattr("keyring.core._keyring_backend", None)

    def run(arguments: str, client: Everything, typed: str = "") -> Result:
        monkeypatch.setattr(command, "make_client", lambda _target: client)
        return CliRunner().invoke(main, arguments.split(), input=typed)

    return run


def shown(result: Result) -> str:
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return str(result.output)


@pytest.mark.parametrize("look", ["piped", "terminal", "json"])
@each("arguments", COMMANDS)
def test_nothing_that_others_wrote_drives_the_terminal(
    arguments: str, look: str, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In no field of any view, for people, programs and pipes."""
    if look == "terminal":
        monkeypatch.setattr(output, "_is_terminal", lambda: True)
        # Our own colours would be in the way of looking for others'.
        monkeypatch.setenv("NO_COLOR", "1")

    result = run(f"{arguments} --json" if look == "json" else arguments, Everything())

    text = shown(result)
    assert result.exit_code in (0, 4 if arguments == "watch plans" else 0)
    silent = ("send plans hello", "thread plans 1 --mute --until 2h")
    assert text or look == "json" or arguments in silent
    assert DANGEROUS.findall(text) == []
    # On a terminal, a row may end in the middle of it.
    whole = re.sub(r"\n +", "", text)
    assert "owned" not in text or r"\x1b]0;owned\x07" in whole or "\\u001b]0;owned\\u0007" in text


@each("arguments", [*COMMANDS, *FAILING])
def test_errors_of_servers_do_not_drive_the_terminal(arguments: str, run: Callable[..., Result]) -> None:
    """One line, one exit code, and what a server said as escapes."""
    client = Everything(None if arguments in FAILING else PermissionDenied(EVIL))

    result = run(arguments, client)

    assert DANGEROUS.findall(shown(result)) == []
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert result.exit_code == (4 if arguments in FAILING[:5] else 1)


@each("arguments", [command for command in COMMANDS if command != "room topic plans x"])
def test_json_is_json(arguments: str, run: Callable[..., Result]) -> None:
    """Each line of every command is an object of ASCII, and nothing else is on standard output."""
    result = run(f"{arguments} --json", Everything())

    for line in result.stdout.splitlines():
        assert line.isascii()
        assert isinstance(json.loads(line), dict)
    # A pipe gets what standard error has, too, where somebody is told that a room is lost.
    assert result.stderr == "" or arguments == "watch plans"


@pytest.mark.parametrize(("typed", "blocked"), [("y", True), ("YES", True), ("", False), ("n", False)])
def test_what_a_block_leaves_to_nobody_is_asked_about(
    typed: str, blocked: bool, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, before it is done; of whom nothing is left is blocked at once."""
    asked: list[bool] = []
    record = replace(RECORD, block_time=None)
    effects = Blocked(
        record, (UnownedRoom("r1", "plans", RoomKind.PRIVATE, 3),), 4, (StoppedBot("ci", 1),), 1
    )

    class Blocking(Everything):
        async def block_user(self, _user: str, *, dry_run: bool = False) -> Blocked:
            asked.append(dry_run)
            return effects

    monkeypatch.setattr(ownership, "_can_ask", lambda _out: True)
    result = run("admin block alice", Blocking(), f"{typed}\n")

    assert asked == ([True, False] if blocked else [True])
    assert result.exit_code == (0 if blocked else 1)
    assert (
        "4 rooms without an owner who is not blocked:\n  plans  r1  3 members\n  and 3 more\n"
        in result.output
    )
    assert "1 bot without an owner who is not blocked, so stopped:\n  ci  1 token\n" in result.output
    assert ("alice is blocked" in result.output) == blocked
    assert ("error: nothing was changed" in result.output) == (not blocked)

    asked.clear()
    effects = Blocked(record, (), 0, (), 0)
    assert run("admin block alice", Blocking()).exit_code == 0
    assert asked == [True, False]


def test_members_whose_accounts_are_blocked_are_marked(run: Callable[..., Result]) -> None:
    """For people and for programs; the others are not."""

    class Rooms(Everything):
        async def members(self, _room: str) -> AsyncIterator[Member]:
            yield Member(User("alice", "Alice"), Role.OWNER, NOW, blocked=True)
            yield Member(User("bob", "Bob"), Role.MEMBER, NOW)

    lines = run("room members plans", Rooms()).stdout.splitlines()
    told = [json.loads(line) for line in run("room members plans --json", Rooms()).stdout.splitlines()]

    assert [line.split()[0] for line in lines if line.rstrip().endswith("blocked")] == ["alice"]
    assert [member["blocked"] for member in told] == [True, False]


def test_a_room_is_handed_on_by_its_name_or_id(run: Callable[..., Result]) -> None:
    """Of those without an owner alone; where two have the name, by the id."""
    given: list[str] = []

    class Rooms(Everything):
        async def unowned_rooms(self) -> AsyncIterator[UnownedRoom]:
            for room_id, name in (("r1", "plans"), ("r2", "twice"), ("r3", "twice"), ("r4", "r1")):
                yield UnownedRoom(room_id, name, RoomKind.PRIVATE, 2)

        async def assign_room_owner(self, room_id: str, _user: str, *, reason: str) -> UnownedRoom:
            given.append(f"{room_id} {reason}")
            return UnownedRoom(room_id, "plans", RoomKind.PRIVATE, 2)

    assert run("admin room-owner plans bob --reason gone", Rooms()).exit_code == 0
    assert run("admin room-owner r3 bob", Rooms()).exit_code == 0
    assert run("admin room-owner r1 bob", Rooms()).exit_code == 0
    assert given == ["r1 gone", "r3 ", "r1 "]
    twice = run("admin room-owner twice bob", Rooms())
    assert (twice.exit_code, "2 rooms are called twice; give an id: r2, r3" in twice.stderr) == (1, True)
    missing = run("admin room-owner others bob", Rooms())
    assert (missing.exit_code, "there is no room others whose owners" in missing.stderr) == (4, True)
    assert len(given) == 3


def test_json_of_events_has_their_kind_and_their_times(run: Callable[..., Result]) -> None:
    """What programs rely on."""
    lines = [json.loads(line) for line in run("read plans --json", Everything()).stdout.splitlines()]

    # The newest come first from the server, and last on the screen.
    assert lines[-1] == {
        "type": "message",
        "room_id": "plans",
        "seq": 1,
        "sender_id": EVIL,
        "text": EVIL,
        "create_time": "2026-05-01T12:30:00Z",
        "client_message_id": EVIL,
        "epoch": "",
        "poll": None,
        "body": {"type_url": EVIL, "value": "00ff"},
        "cards": [{"url": EVIL, "title": EVIL, "description": EVIL, "image_file_id": EVIL}],
        "files": [
            {
                "file_id": EVIL,
                "name": EVIL,
                "size": 5,
                "content_type": EVIL,
                "width": 0,
                "height": 0,
                "has_preview": False,
                "metadata_removed": False,
                "sha256": "",
            }
        ],
        "edit_time": None,
        "edits": 0,
        "reply_to": 0,
        "thread_root": 0,
        "deleted": None,
        "mentions": [],
        "mentions_room": False,
        "room": EVIL,
    }
    kinds = {"message", "edited", "deleted", "reaction", "pin", "membership", "room", "vote", "poll_closed"}
    assert {line["type"] for line in lines} == kinds


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SessionEnded("it is over; log in again"), 3),
        (RateLimited("too many", retry_after=timedelta(seconds=40)), 1),
        (Unavailable("the server can't be reached: Connection refused"), 5),
    ],
)
def test_watching_ends_as_other_commands_do(error: Exception, code: int, run: Callable[..., Result]) -> None:
    """With one line and the code of what happened."""
    client = Everything()
    client.updates = Everything(error).updates  # type: ignore[method-assign]

    result = run("watch plans", client)

    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.count("\n") == 1


RESTORED = "the server was restored from a backup"


@pytest.mark.parametrize(
    ("arguments", "changes", "said"),
    [
        ("watch plans", [("plans", 100)], f"{RESTORED}: messages after 100 may be new"),
        ("watch plans", [("plans", 0)], f"{RESTORED}: all messages may be new"),
        ("watch", [("elsewhere", 100)], f"{RESTORED}: in elsewhere, messages after 100 may be new"),
        (
            "watch",
            [("plans", 1), ("elsewhere", 7)],
            f"{RESTORED}: 2 rooms may have new messages in place of some that you have seen",
        ),
    ],
)
def test_history_that_changed_is_said_once_and_reading_goes_on(
    arguments: str, changes: list[tuple[str, int]], said: str, run: Callable[..., Result]
) -> None:
    """For all rooms together, on standard error; with --json each room is a line as well."""
    updates: list[Update] = [
        *(HistoryChanged(room, seq) for room, seq in changes),
        Message("plans", 101, "alice", "new", NOW, ""),
        CaughtUp(),
    ]

    async def follow() -> AsyncIterator[Update]:
        for update in updates:
            yield update

    client = Everything()
    client.updates = follow  # type: ignore[method-assign]

    plain, as_json = run(arguments, client), run(f"{arguments} --json", client)

    assert plain.stderr == as_json.stderr == f"{said}\n"
    assert (plain.exit_code, as_json.exit_code) == (0, 0)
    assert plain.stdout.count("\n") == 1
    lines = [json.loads(line) for line in as_json.stdout.splitlines()]
    told = [(line["room_id"], line["last_seq"]) for line in lines if line["type"] == "history_changed"]
    assert told == changes
    assert lines[-1]["text"] == "new"


@pytest.mark.parametrize(
    ("since", "place"),
    [
        ("4", Cursor("plans", 4, EVIL)),
        ("9", Cursor("plans", 9, EVIL)),
        ("0", Cursor("plans", 0, "")),
        ("4@1970-01-01T00:00:01.000002Z", Cursor("plans", 4, EVIL, 1_000_002)),
        ("4@1970-01-01T02:00:01+02:00", Cursor("plans", 4, EVIL, 1_000_000)),
    ],
)
def test_since_is_a_place(since: str, place: Cursor, run: Callable[..., Result]) -> None:
    """By its number, and where the time of that message is given too, with its stamp."""
    asked: list[Any] = []
    client = Everything(SessionEnded("enough"))
    client.error = None

    def subscribe(*cursors: Cursor, **_: object) -> Any:
        asked.extend(cursors)
        return Everything(SessionEnded("enough"))

    client.subscribe = subscribe  # type: ignore[method-assign,assignment]

    run(f"watch plans --since {since}", client)

    assert asked == [place]


@pytest.mark.parametrize(
    "since",
    [
        *("x", "-1", "", "4@", "4@noon", "4@2026-05-01T12:00:00", "٤", "9" * 19),
        *("4@1969-12-31T23:59:59.999999Z", "4@0001-01-01T00:00:00+14:00"),
    ],
)
def test_since_that_is_no_place_is_refused(since: str, run: Callable[..., Result]) -> None:
    """Before anything is asked; a time without its zone would be another one."""
    result = run("watch plans --since=" + since, Everything())

    assert (result.exit_code, result.stdout) == (2, "")
