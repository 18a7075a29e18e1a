"""Who may do what, as one table: every actor, every method, every kind of room, over the real API.

The table is written from chat.proto and read by people; nothing of it comes from ``core/access.py``.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, cast
from uuid import uuid4

import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.tokens import new_code, new_id, secret_hash
from grpc_chat.sdk.choices import Scope
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import InvitationRecord, InviteRecord
from grpc_chat.testing import PASSWORD, RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import METHODS, Calls, names_a_room
from tests.columns import change_room
from tests.memory import InMemory
from tests.requests import Names, good
from tests.scale import ALL
from tests.store_writes import ban, set_role

pytestmark = pytest.mark.asyncio(loop_scope="module")

# ---------------------------------------------------------------------------------------------------------
# The table of rooms. For each thing that can be asked of a room: the scope it takes; what each role is
# answered in an open room; what those who may are answered in an archived one; what both members of a direct
# room are answered; and what strangers are answered of a public room. Of the other rooms strangers are told
# that there is no such room.
#
#   ok                done                          ARCHIVED   FAILED_PRECONDITION, ROOM_ARCHIVED
#   no                PERMISSION_DENIED             join       PERMISSION_DENIED, NOT_A_MEMBER
#   bad               INVALID_ARGUMENT              no room    NOT_FOUND, ROOM_NOT_FOUND
#   no_invite         NOT_FOUND, INVITE_NOT_VALID             a|b        b in an archived room
#   none              NOT_FOUND, INVITATION_NOT_FOUND; done for somebody who is invited
#   unasked           FAILED_PRECONDITION: the heir must accept first
#   gone              NOT_FOUND, MESSAGE_NOT_FOUND
#
# What takes the scope admin is answered to administrators of the server as the last column says, and to all
# others as the others do: what they are in the room does not matter.
#
#                              scope  reader member admin  owner  archived  direct     public
ROOM_TABLE = """
GetRoom                       read   ok     ok     ok     ok     ok        ok         ok
UpdateRoom topic              write  no     no     ok     ok     ARCHIVED  no         join
UpdateRoom posting            write  no     no     ok     ok     ARCHIVED  no         join
UpdateRoom history            write  no     no     no     ok     ARCHIVED  no         join
UpdateRoom history and name   write  no     no     no|ARCHIVED ok ARCHIVED  no        join
ArchiveRoom                   write  no     no     no     ok     ok        no         join
UnarchiveRoom                 write  no     no     no     ok     ok        no         join
DeleteRoom                    write  no     no     no     ok     ok        no         join
ListMembers                   read   ok     ok     ok     ok     ok        ok         join
ListMembers next page         read   ok     ok     ok     ok     ok        ok         join
ListMembers foreign page      read   bad    bad    bad    bad    bad       bad        bad
JoinRoom                      write  ok     ok     ok     ok     ok        ok         ok
JoinRoom by invite            write  ok     ok     ok     ok     ok        no_invite  ok
JoinRoom by a made-up invite  write  no_invite no_invite no_invite no_invite no_invite no_invite no_invite
LeaveRoom                     write  ok     ok     ok     ok     ok        no         join
LeaveRoom to an heir          write  no     no     no     unasked ok       no         join
LeaveRoom to an owner         write  no     no     no     ok     ok        no         join
AddMember                     write  no     no     ok     ok     ARCHIVED  no         join
RemoveMember                  write  no     no     ok     ok     ok        no         join
BanMember                     write  no     no     ok     ok     ok        no         join
BanMember who is none         write  no     no     ok     ok     ok        no         join
UnbanMember                   write  no     no     ok     ok     ok        no         join
ListBans                      read   no     no     ok     ok     ok        no         join
ListBans foreign page         read   bad    bad    bad    bad    bad       bad        bad
SetMemberRole                 write  no     no     ok     ok     ok        no         join
AcceptInvitation              write  none   none   none   none   none      none       none
DeclineInvitation             write  none   none   none   none   none      none       none
ListRoomInvitations           read   no     no     ok     ok     ok        no         join
ListRoomInvitations foreign page read bad   bad    bad    bad    bad       bad        bad
WithdrawInvitation            write  no     no     ok     ok     ok        no         join
CreateInvite                  write  no     no     ok     ok     ARCHIVED  no         join
ListInvites                   read   no     no     ok     ok     ok        no         join
ListInvites foreign page      read   bad    bad    bad    bad    bad       bad        bad
RevokeInvite                  write  no     no     ok     ok     ok        no         join
SendMessages                  write  no     ok     ok     ok     ARCHIVED  ok         join
SendMessages also elsewhere   write  no     ok     ok     ok     ARCHIVED  ok         join
SendMessages in a thread      write  no     ok     ok     ok     ARCHIVED  ok         join
SendMessages to a missing one write  no     gone|ARCHIVED gone|ARCHIVED gone|ARCHIVED ARCHIVED gone join
SendTyping                    write  no     ok     ok     ok     ARCHIVED  ok         join
EditMessage of another        write  no     no|ARCHIVED no|ARCHIVED no|ARCHIVED no no     join
EditMessage missing           write  no     gone|ARCHIVED gone|ARCHIVED gone|ARCHIVED no gone join
UpdateRoom edits              write  no     no     ok     ok     ARCHIVED  no         join
UpdateRoom slow mode          write  no     no     ok     ok     ARCHIVED  no         join
UpdateRoom receipts           write  no     no     ok     ok     ARCHIVED  no         join
ListMessageEdits              read   ok     ok     ok     ok     ok        ok         join
ListMessageEdits missing      read   gone   gone   gone   gone   gone      gone       join
AddReaction                   write  no     ok     ok     ok     ARCHIVED  ok         join
AddReaction missing           write  no     gone|ARCHIVED gone|ARCHIVED gone|ARCHIVED ARCHIVED gone join
RemoveReaction                write  no     ok     ok     ok     ARCHIVED  ok         join
GetReactions                  read   ok     ok     ok     ok     ok        ok         join
ListReactions                 read   ok     ok     ok     ok     ok        ok         join
ListReactions missing         read   gone   gone   gone   gone   gone      gone       join
ReportMessage                 write  ok     ok     ok     ok     ok        ok         join
ReportMessage missing         write  gone   gone   gone   gone   gone      gone       join
ListReports                   read   no     no     ok     ok     ok        no         join
ListReports foreign page      read   bad    bad    bad    bad    bad       bad        bad
ResolveReport                 write  no     no     ok     ok     ok        no         join
VotePoll                      write  no     ok     ok     ok     ARCHIVED  ok         join
VotePoll missing              write  no     gone|ARCHIVED gone|ARCHIVED gone|ARCHIVED ARCHIVED gone join
ClosePoll of another          write  no     no     ok     ok     ARCHIVED  no         join
ClosePoll missing             write  gone   gone   gone   gone   gone      gone       join
GetPolls                      read   ok     ok     ok     ok     ok        ok         join
ListPollVotes                 read   ok     ok     ok     ok     ok        ok         join
ListPollVotes missing         read   gone   gone   gone   gone   gone      gone       join
SaveDraft                     write  ok     ok     ok     ok     ok        ok         join
ListDrafts                    read   ok     ok     ok     ok     ok        ok         join
SaveMessage                   write  ok     ok     ok     ok     ok        ok         join
SaveMessage missing           write  gone   gone   gone   gone   gone      gone       join
UnsaveMessage                 write  ok     ok     ok     ok     ok        ok         join
ListSavedMessages             read   ok     ok     ok     ok     ok        ok         join
ScheduleMessage               write  no     ok     ok     ok     ARCHIVED  ok         join
PinMessage                    write  no     no     ok     ok     ARCHIVED  ok         join
PinMessage missing            write  no     no     gone|ARCHIVED gone|ARCHIVED ARCHIVED gone join
UnpinMessage                  write  no     no     ok     ok     ARCHIVED  ok         join
UnpinMessage missing          write  no     no     gone|ARCHIVED gone|ARCHIVED ARCHIVED gone join
ListPins                      read   ok     ok     ok     ok     ok        ok         join
ListPins foreign page         read   bad    bad    bad    bad    bad       bad        bad
ListMentions                  read   ok     ok     ok     ok     ok        ok         join
DeleteMessages of another     write  no     no     ok     ok     ok        no         join
DeleteMessages missing        write  gone   gone   gone   gone   gone      gone       join
DeleteMessages and a missing one write gone gone   gone   gone   gone      gone       join
ListPresence                  read   ok     ok     ok     ok     ok        ok         join
MarkRead                      read   ok     ok     ok     ok     ok        ok         join
MarkRead back                 read   ok     ok     ok     ok     ok        ok         join
GetDelivery                   read   ok     ok     ok     ok     ok        ok         join
GetDelivery missing           read   gone   gone   gone   gone   gone      gone       join
ListReceipts                  read   ok     ok     ok     ok     ok        ok         join
ListReceipts missing          read   gone   gone   gone   gone   gone      gone       join
ExplainDelivery               read   ok     ok     ok     ok     ok        ok         join
ExplainDelivery missing       read   gone   gone   gone   gone   gone      gone       join
ExplainDelivery to another    read   no     no     ok     ok     ok        no         join
UpdateNotifications           read   ok     ok     ok     ok     ok        ok         join
GetMessage                    read   ok     ok     ok     ok     ok        ok         join
GetMessage missing            read   gone   gone   gone   gone   gone      gone       join
MarkRead a thread             read   ok     ok     ok     ok     ok        ok         join
MarkRead a missing thread     read   gone   gone   gone   gone   gone      gone       join
ListThreads                   read   ok     ok     ok     ok     ok        ok         join
ListThreads unread            read   ok     ok     ok     ok     ok        ok         join
ListThreads foreign page      read   bad    bad    bad    bad    bad       bad        bad
ListThreadMessages            read   ok     ok     ok     ok     ok        ok         join
ListThreadMessages missing    read   gone   gone   gone   gone   gone      gone       join
ListThreadMessages foreign page read bad    bad    bad    bad    bad       bad        bad
UpdateThread                  read   ok     ok     ok     ok     ok        ok         join
UpdateThread missing          read   gone   gone   gone   gone   gone      gone       join
ListMessages                  read   ok     ok     ok     ok     ok        ok         join
ListMessages after            read   ok     ok     ok     ok     ok        ok         join
ListMessages around           read   ok     ok     ok     ok     ok        ok         join
ListMessages next page        read   ok     ok     ok     ok     ok        ok         join
ListMessages foreign page     read   bad    bad    bad    bad    bad       bad        bad
SearchMessages                read   ok     ok     ok     ok     ok        ok         join
SearchMessages foreign page   read   bad    bad    bad    bad    bad       bad        bad
Subscribe                     read   ok     ok     ok     ok     ok        ok         join
Subscribe all and cursor      read   ok     ok     ok     ok     ok        ok         join
Acknowledge                   read   ok     ok     ok     ok     ok        ok         join
ResolveServerReport           admin  no     no     no     no     no        no         ok
AssignRoomOwner               admin  no     no     no     no     no        no         no_room
"""

# What takes no room: what it takes of the caller, and what is answered to who has that.
OTHER_TABLE = """
AuthService/GetServerInfo           nobody  ok
AuthService/Register                nobody  ok
AuthService/LogIn                   nobody  ok
AuthService/BeginLogIn              nobody  FAILED_PRECONDITION
AuthService/FinishLogIn             nobody  FAILED_PRECONDITION
AuthService/LinkIdentity            login   FAILED_PRECONDITION
AuthService/ListIdentities          login   ok
AuthService/UnlinkIdentity          login   ok
AuthService/LogOut                  any     ok
AuthService/GetMe                   any     ok
AuthService/GetUser                 read    ok
AuthService/ListPeople              read    ok
AuthService/UpdateProfile           login   ok
AuthService/ChangePassword          login   LOGIN_FAILED
AuthService/ListSessions            login   ok
AuthService/RevokeSessions          login   ok
AuthService/CreateAccessToken       login   ok
AuthService/CreateBot               login   ok
AuthService/ListBots                login   ok
AuthService/OfferBot                login   USER_NOT_FOUND
AuthService/AcceptBot               login   USER_NOT_FOUND
AuthService/CreateBlock             login   ok
AuthService/DeleteBlock             login   USER_NOT_FOUND
AuthService/ListBlocks              login   ok
RoomService/CreateRoom              write   ok
RoomService/GetDirectRoom           write   ok
RoomService/ListRooms               either  ok
RoomService/ListInbox               read    ok
RoomService/ListPublicRooms         read    ok
RoomService/ListInvitations         read    ok
SubscribeService/ListConsumers      read    ok
SubscribeService/ListConsumerPositions read NOT_FOUND
SubscribeService/DeleteConsumer     read    NOT_FOUND
FileService/CreateUpload            write   ok
FileService/GetUpload               either  UPLOAD_NOT_FOUND
FileService/ListUploads             either  ok
FileService/UploadPart              write   UPLOAD_NOT_FOUND
FileService/FinishUpload            write   UPLOAD_NOT_FOUND
FileService/CancelUpload            write   UPLOAD_NOT_FOUND
FileService/DownloadFile            read    FILE_NOT_FOUND
FileService/CreateDownloadLink      read    FAILED_PRECONDITION
PersonalService/UpdateScheduledMessage write MESSAGE_NOT_FOUND
PersonalService/CancelScheduledMessage write MESSAGE_NOT_FOUND
PersonalService/ListScheduledMessages read  ok
PresenceService/GetPresence         read    ok
PresenceService/UpdateStatus        write   ok
AdminService/ListUsers              admin   ok
AdminService/CreateUser             admin   ok
AdminService/BlockUser              admin   ok
AdminService/UnblockUser            admin   ok
AdminService/ResetPassword          admin   ok
AdminService/SetAdmin               admin   ok
AdminService/ListUserSessions       admin   ok
AdminService/RevokeUserSessions     admin   ok
AdminService/ListUnownedRooms       admin   ok
AdminService/AssignBotOwner         admin   USER_NOT_FOUND
AdminService/ListUserIdentities     admin   ok
AdminService/UnlinkUserIdentity     admin   ok
AdminService/ListServerReports      admin   ok
AdminService/CreateServerInvite     admin   ok
AdminService/ListServerInvites      admin   ok
AdminService/RevokeServerInvite     admin   ok
"""

# Whom one may do something to, and what one may make of somebody.
#
#                 reader  member  admin  owner
ACTS_ON = """
reader            no      no      no     no
member            no      no      no     no
admin             ok      ok      no     no
owner             ok      ok      ok     ok
"""
GIVES = ACTS_ON

MEANING = {
    "ok": "OK",
    "no": "PERMISSION_DENIED",
    "bad": "INVALID_REQUEST",
    "join": "NOT_A_MEMBER",
    "no_room": "ROOM_NOT_FOUND",
    "no_invite": "INVITE_NOT_VALID",
    "none": "INVITATION_NOT_FOUND",
    "unasked": "FAILED_PRECONDITION",
    "ARCHIVED": "ROOM_ARCHIVED",
    "gone": "MESSAGE_NOT_FOUND",
}

ROLES = {
    "reader": pb.ROLE_READER,
    "member": pb.ROLE_MEMBER,
    "admin": pb.ROLE_ADMIN,
    "owner": pb.ROLE_OWNER,
}

# Who asks, and what they are in the rooms below. The tokens are of an owner, who is one of two in the direct
# room; the other one is the member.
MEMBERS = {
    "reader": "reader",
    "member": "member",
    "admin": "admin",
    "owner": "owner",
    "bot": "member",
    "read-only token": "owner",
    "write-only token": "owner",
}
IN_DIRECT = ("member", "read-only token", "write-only token")
# The one who is asked has an invitation to each of them by name, which opens nothing but itself.
STRANGERS = ("outsider", "left", "removed", "banned", "invited", "asked", "server admin")
NOBODIES = ("anonymous", "revoked")
ACTORS = (*NOBODIES, *STRANGERS, *MEMBERS)


@dataclass(frozen=True)
class Kind:
    """A kind of room."""

    name: str
    kind: pb.RoomKind.ValueType
    archived: bool = False
    posting: pb.Posting.ValueType = pb.POSTING_MEMBERS
    history: pb.History.ValueType = pb.HISTORY_ALL


KINDS = (
    Kind("private", pb.ROOM_KIND_PRIVATE),
    Kind("public", pb.ROOM_KIND_PUBLIC),
    Kind("direct", pb.ROOM_KIND_DIRECT),
    Kind("private, archived", pb.ROOM_KIND_PRIVATE, archived=True),
    Kind("public, archived", pb.ROOM_KIND_PUBLIC, archived=True),
    Kind("private, admins post", pb.ROOM_KIND_PRIVATE, posting=pb.POSTING_ADMINS),
    Kind(
        "public, admins post, since join",
        pb.ROOM_KIND_PUBLIC,
        False,
        pb.POSTING_ADMINS,
        pb.HISTORY_SINCE_JOIN,
    ),
    Kind("private, since join", pb.ROOM_KIND_PRIVATE, history=pb.HISTORY_SINCE_JOIN),
)


class Row(NamedTuple):
    """A line of the table of rooms."""

    ask: str
    scope: str
    roles: dict[str, str]
    archived: str
    direct: str
    public: str


def _row(line: str) -> Row:
    *asked, scope, reader, member, admin, owner, archived, direct, public = line.split()
    ask = " ".join(asked)
    roles = {"reader": reader, "member": member, "admin": admin, "owner": owner}
    return Row(ask, scope, roles, archived, direct, public)


ROOM_ROWS = {row.ask: row for row in map(_row, ROOM_TABLE.strip().splitlines())}


TOLD_ON_THE_STREAM = {"Subscribe all and cursor"}
"""What is open to all; that they may not read this room is told on the stream (see test_privacy.py)."""


def expected(row: Row, actor: str, kind: Kind) -> str:
    """What the table says, as the reason of the error."""
    if actor in NOBODIES:
        return "UNAUTHENTICATED"
    if row.scope == "admin":
        return MEANING[row.public if actor == "server admin" else row.roles["owner"]]
    if actor.endswith("token") and actor != f"{row.scope}-only token":
        return "PERMISSION_DENIED"
    if actor == "asked" and "none" in row.roles.values() and kind.kind != pb.ROOM_KIND_DIRECT:
        return MEANING["ARCHIVED" if kind.archived and row.ask.startswith("Accept") else "ok"]
    return MEANING[_expected(row, actor, kind)] if actor != "banned" else _of_a_banned(row, kind)


def _expected(row: Row, actor: str, kind: Kind) -> str:
    if row.ask in TOLD_ON_THE_STREAM:
        return "ok"
    if kind.kind == pb.ROOM_KIND_DIRECT:
        stranger = row.direct if row.direct in ("no_invite", "none", "bad") else "no_room"
        return row.direct if actor in IN_DIRECT else stranger
    if role := MEMBERS.get(actor):
        writes = row.ask.startswith(("SendMessages", "ScheduleMessage", "SendTyping", "EditMessage"))
        if writes and kind.posting == pb.POSTING_ADMINS and role == "member":
            return "no"
        answer, _, archived = row.roles[role].partition("|")
        if kind.archived:
            return archived or (row.archived if answer == "ok" else answer)
        return answer
    if row.ask.startswith("JoinRoom"):
        if row.public == "ok" and (kind.kind == pb.ROOM_KIND_PUBLIC or "invite" in row.ask):
            return "ARCHIVED" if kind.archived else "ok"
        return "no_room" if row.public == "ok" else row.public
    if kind.kind == pb.ROOM_KIND_PUBLIC or row.public in ("bad", "none"):
        return row.public
    return "no_room"


def _of_a_banned(row: Row, kind: Kind) -> str:
    """As of any stranger, but that they can't come in, whether it is open or not."""
    as_stranger = _expected(row, "outsider", kind)
    if row.ask.startswith("JoinRoom") and as_stranger in ("ok", "ARCHIVED"):
        return "BANNED"
    return MEANING[as_stranger]


# ---------------------------------------------------------------------------------------------------------
# The world.


@dataclass
class Place:
    """One room, with everything that can be named in it."""

    room_id: str
    name: str
    epoch: str
    invite_id: str = ""
    code: str = ""
    said: int = 0
    """The number of a message of a reader's; in a direct room, of somebody who is not in it."""
    pages: dict[str, str] = field(default_factory=dict)
    """Tokens of its pages, by method, given out to an owner."""


class World:
    """One server, and everybody that the tests need on it."""

    def __init__(self, node: RunningNode, calls: Calls) -> None:
        self.node = node
        self.calls = calls
        self.inside = InMemory(node)
        self.tokens: dict[str, str] = {"anonymous": ""}
        self.users: dict[str, str] = {}
        self.spare: dict[str, str] = {}
        self.epoch = ""
        self.numbers = itertools.count()
        self.elsewhere: Place
        self._made: list[str] = []
        self._shared: tuple[Kind, Place, list[object]] | None = None

    async def fill(self) -> None:
        """Make everybody."""
        node = self.node
        sys = await node.register("sys", admin=True)
        self.tokens["server admin"], self.users["server admin"] = sys.token, "sys"
        for scopes in ([Scope.ADMIN], [Scope.READ, Scope.WRITE]):
            token = (await sys.create_access_token("for the table", scopes=scopes)).token
            self.tokens[f"server admin's token for {' and '.join(scopes)}"] = token
        for actor in (
            "reader",
            "member",
            "admin",
            "owner",
            "outsider",
            "left",
            "removed",
            "banned",
            "invited",
            "asked",
        ):
            client = await node.register(f"the-{actor}")
            self.tokens[actor], self.users[actor] = client.token, f"the-{actor}"
        for user in ("key-holder", "target", "another", "victim", "heir"):
            await node.register(user)
        key = await node.log_in("key-holder")
        for scope in ("read", "write"):
            actor = f"{scope}-only token"
            self.users[actor] = "key-holder"
            self.tokens[actor] = (await key.create_access_token("t", scopes=[scope])).token
            self.spare[actor] = (await key.create_access_token("t", scopes=[scope])).token
        owner = await node.log_in("the-owner")
        await owner.create_bot("the-bot")
        self.users["bot"] = "the-bot"
        for tokens in (self.tokens, self.spare):
            tokens["bot"] = (await owner.create_access_token("t", bot_id="the-bot")).token
        revoked = await node.log_in("the-owner")
        self.tokens["revoked"] = revoked.token
        await revoked.log_out()
        for actor in ("outsider", "server admin"):
            self.spare[actor] = (await node.log_in(self.users[actor])).token
        [self.elsewhere] = await self.places(KINDS[0], 1, pages=True)
        # It is where those who may are also, so it stays.
        self._made.clear()

    async def places(self, kind: Kind, count: int, *, pages: bool = False) -> list[Place]:
        """So many rooms alike; the ones made before are gone.

        Args:
            pages: Whether page tokens of theirs are needed.
        """
        old, self._made = self._made, []

        def in_transaction(transaction: Transaction) -> list[Place]:
            for room_id in old:
                if transaction.room(room_id):
                    transaction.delete_room(room_id)
            return [self._place(transaction, kind) for _ in range(count)]

        made = await self.node.node.committer.transact(SYSTEM, in_transaction)
        self._made = [place.room_id for place in made]
        owner = self.tokens["member" if kind.kind == pb.ROOM_KIND_DIRECT else "owner"]
        for place in made if pages else ():
            for method in ("ListMembers", "ListMessages"):
                service = "MessageService" if method == "ListMessages" else "RoomService"
                request = cast("type[Message]", getattr(pb, f"{method}Request"))(
                    room_id=place.room_id,
                    page_size=1,
                    **({"after_seq": 0} if method == "ListMessages" else {}),
                )
                reply = await self.calls(f"{service}/{method}", request, owner)
                page = reply.read(getattr(pb, f"{method}Response"))
                place.pages[method] = page.next_page_token
        return made

    @asynccontextmanager
    async def shared(self, kind: Kind) -> AsyncIterator[Place]:
        """A room for everybody who changes nothing; that nothing is changed is made sure of at the end.

        It is the same one as before, if that went well.
        """
        before, self._shared = self._shared, None
        if before is None or before[0] != kind:
            [place] = await self.places(kind, 1, pages=True)
            self._made.clear()
            before = kind, place, await self.dump(place)
        yield before[1]
        # Not reached where the test has failed.
        assert await self.dump(before[1]) == before[2]
        self._shared = before

    def _place(self, transaction: Transaction, kind: Kind) -> Place:
        direct = kind.kind == pb.ROOM_KIND_DIRECT
        name = "" if direct else f"room {next(self.numbers)}"
        place = Place(new_id(), name, "")
        room = pb.Room(
            room_id=place.room_id, name=name, kind=kind.kind, history=kind.history, posting=kind.posting
        )
        key = name if kind.kind == pb.ROOM_KIND_PUBLIC else None
        transaction.insert_room(room, public_name=key, request_hash=None)

        def record(user_id: str, change: pb.MembershipChange.ValueType) -> int:
            changed = pb.MembershipChanged(user_id=user_id, change=change)
            event = pb.Event(room_id=place.room_id, user_id=user_id, membership_changed=changed)
            return transaction.append(event, "")

        roles = dict.fromkeys(("the-member", "key-holder"), pb.ROLE_MEMBER)
        if not direct:
            roles = {self.users[actor]: ROLES[role] for actor, role in MEMBERS.items()}
            roles |= {"target": pb.ROLE_READER, "heir": pb.ROLE_MEMBER}
        # Each join an event would take most of the time.
        seq = record("key-holder", pb.MEMBERSHIP_CHANGE_JOINED)
        for user, role in roles.items():
            transaction.put_member(place.room_id, user, role, join_seq=seq)
        if not direct:
            record("the-left", pb.MEMBERSHIP_CHANGE_LEFT)
            record("the-removed", pb.MEMBERSHIP_CHANGE_REMOVED)
            record("the-banned", pb.MEMBERSHIP_CHANGE_BANNED)
            ban(transaction, place.room_id, "the-banned", by="the-owner", reason="")
            transaction.put_invitation(
                InvitationRecord(place.room_id, "the-asked", pb.ROLE_MEMBER, "the-owner", transaction.now_us)
            )
            place.invite_id, place.code = new_id(), new_code()
            invite = InviteRecord(
                invite_id=place.invite_id,
                room_id=place.room_id,
                role=pb.ROLE_MEMBER,
                created_by="the-owner",
                create_time_us=transaction.now_us,
                expire_time_us=None,
                max_uses=0,
                uses=0,
                registers=False,
                makes_admin=False,
            )
            transaction.insert_invite(invite, secret_hash(place.code))
        record("key-holder", pb.MEMBERSHIP_CHANGE_ROLE)
        message = pb.Message(text="what was said", poll=pb.Poll(options=["a", "b"]))
        place.said = transaction.append(
            pb.Event(room_id=place.room_id, user_id="target", message=message), ""
        )
        if kind.archived:
            change_room(transaction, place.room_id, archive_time_us=transaction.now_us)
        found = transaction.room(place.room_id)
        assert found
        place.epoch = found.epoch
        return place

    async def dump(self, place: Place) -> list[object]:
        """All there is of a room."""

        def in_snapshot(snapshot: Snapshot) -> list[object]:
            id_ = place.room_id
            return [
                snapshot.room(id_),
                snapshot.members(id_, after="", limit=100),
                snapshot.bans(id_, after="", limit=100),
                snapshot.invites(id_, after=None, limit=100),
                snapshot.invitations_to(id_, after="", limit=100),
                snapshot.events_after(id_, 0, limit=1000, max_bytes=1 << 20),
            ]

        return await self.node.node.readers.run(in_snapshot)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(
            running_node(
                accounts={"registration": "open", "adding": "anyone"},
                limits={"calls_per_second": 0, "guest_calls_per_second": 0, "reports_per_hour": 0},
                subscribe={"streams_per_user": 1000},
            )
        )
        made = World(node, await stack.enter_async_context(Calls(node.address)))
        await made.fill()
        yield made


# ---------------------------------------------------------------------------------------------------------
# What is asked, for each line of the tables.

Ask = Callable[[World, Place, str], Message]
"""Given the world, the room and the actor, the request."""


def _cursor(place: Place) -> pb.Cursor:
    return pb.Cursor(room_id=place.room_id, seq=1, epoch=place.epoch)


def _outgoing(place: Place, *, reply_to: int = 0, thread_root: int = 0) -> pb.OutgoingMessage:
    return pb.OutgoingMessage(
        room_id=place.room_id,
        client_message_id=str(uuid4()),
        text="hello",
        reply_to=reply_to,
        thread_root=thread_root,
    )


def _follow(room_id: str, root: int) -> pb.UpdateThreadRequest:
    mask = FieldMask(paths=["following"])
    return pb.UpdateThreadRequest(room_id=room_id, thread_root=root, following=True, update_mask=mask)


def _update(place: Place, *paths: str) -> pb.UpdateRoomRequest:
    wanted = pb.Room(
        room_id=place.room_id,
        name=f"again {place.name}".strip(),
        topic="another",
        posting=pb.POSTING_ADMINS,
        history=pb.HISTORY_SINCE_JOIN,
        keep_edits=True,
    )
    return pb.UpdateRoomRequest(room=wanted, update_mask=FieldMask(paths=paths))


ROOM_ASKS: dict[str, Ask] = {
    "GetRoom": lambda _w, p, _a: pb.GetRoomRequest(room_id=p.room_id),
    "UpdateRoom topic": lambda _w, p, _a: _update(p, "topic"),
    "UpdateRoom posting": lambda _w, p, _a: _update(p, "posting"),
    "UpdateRoom history": lambda _w, p, _a: _update(p, "history"),
    "UpdateRoom history and name": lambda _w, p, _a: _update(p, "history", "name"),
    "ArchiveRoom": lambda _w, p, _a: pb.ArchiveRoomRequest(room_id=p.room_id),
    "UnarchiveRoom": lambda _w, p, _a: pb.UnarchiveRoomRequest(room_id=p.room_id),
    "DeleteRoom": lambda _w, p, _a: pb.DeleteRoomRequest(room_id=p.room_id, confirm_name=p.name),
    "ListMembers": lambda _w, p, _a: pb.ListMembersRequest(room_id=p.room_id),
    "ListMembers next page": lambda _w, p, _a: pb.ListMembersRequest(
        room_id=p.room_id, page_token=p.pages["ListMembers"]
    ),
    "ListMembers foreign page": lambda w, p, _a: pb.ListMembersRequest(
        room_id=p.room_id, page_token=w.elsewhere.pages["ListMembers"]
    ),
    "JoinRoom": lambda _w, p, _a: pb.JoinRoomRequest(room_id=p.room_id),
    "JoinRoom by invite": lambda _w, p, _a: pb.JoinRoomRequest(invite_code=p.code or new_code()),
    "JoinRoom by a made-up invite": lambda _w, _p, _a: pb.JoinRoomRequest(invite_code=new_code()),
    "LeaveRoom": lambda _w, p, _a: pb.LeaveRoomRequest(room_id=p.room_id),
    "LeaveRoom to an heir": lambda _w, p, _a: pb.LeaveRoomRequest(
        room_id=p.room_id, new_owner_user_id="heir"
    ),
    "LeaveRoom to an owner": lambda _w, p, a: pb.LeaveRoomRequest(
        room_id=p.room_id, new_owner_user_id="the-owner" if a.endswith("token") else "key-holder"
    ),
    "AddMember": lambda _w, p, _a: pb.AddMemberRequest(room_id=p.room_id, user_id="another"),
    "RemoveMember": lambda _w, p, _a: pb.RemoveMemberRequest(room_id=p.room_id, user_id="target"),
    "BanMember": lambda _w, p, _a: pb.BanMemberRequest(room_id=p.room_id, user_id="target"),
    "BanMember who is none": lambda _w, p, _a: pb.BanMemberRequest(room_id=p.room_id, user_id="another"),
    "UnbanMember": lambda _w, p, _a: pb.UnbanMemberRequest(room_id=p.room_id, user_id="the-banned"),
    "ListBans": lambda _w, p, _a: pb.ListBansRequest(room_id=p.room_id),
    "ListBans foreign page": lambda w, p, _a: pb.ListBansRequest(
        room_id=p.room_id, page_token=w.elsewhere.pages["ListMembers"]
    ),
    "SetMemberRole": lambda _w, p, _a: pb.SetMemberRoleRequest(
        room_id=p.room_id, user_id="target", role=pb.ROLE_MEMBER
    ),
    "AcceptInvitation": lambda _w, p, _a: pb.AcceptInvitationRequest(room_id=p.room_id),
    "DeclineInvitation": lambda _w, p, _a: pb.DeclineInvitationRequest(room_id=p.room_id),
    "ListRoomInvitations": lambda _w, p, _a: pb.ListRoomInvitationsRequest(room_id=p.room_id),
    "ListRoomInvitations foreign page": lambda w, p, _a: pb.ListRoomInvitationsRequest(
        room_id=p.room_id, page_token=w.elsewhere.pages["ListMembers"]
    ),
    "WithdrawInvitation": lambda _w, p, _a: pb.WithdrawInvitationRequest(
        room_id=p.room_id, user_id="the-asked"
    ),
    "CreateInvite": lambda _w, p, _a: pb.CreateInviteRequest(room_id=p.room_id),
    "ListInvites": lambda _w, p, _a: pb.ListInvitesRequest(room_id=p.room_id),
    "ListInvites foreign page": lambda w, p, _a: pb.ListInvitesRequest(
        room_id=p.room_id, page_token=w.elsewhere.pages["ListMembers"]
    ),
    "RevokeInvite": lambda _w, p, _a: pb.RevokeInviteRequest(
        room_id=p.room_id, invite_id=p.invite_id or new_id()
    ),
    "ListPresence": lambda _w, p, _a: pb.ListPresenceRequest(room_id=p.room_id),
    "SendTyping": lambda _w, p, _a: pb.SendTypingRequest(room_id=p.room_id),
    "SendMessages": lambda _w, p, _a: pb.SendMessagesRequest(messages=[_outgoing(p)]),
    "SendMessages also elsewhere": lambda w, p, _a: pb.SendMessagesRequest(
        messages=[_outgoing(p), _outgoing(w.elsewhere)]
    ),
    "SendMessages in a thread": lambda _w, p, _a: pb.SendMessagesRequest(
        messages=[_outgoing(p, reply_to=p.said, thread_root=p.said)]
    ),
    "SendMessages to a missing one": lambda _w, p, _a: pb.SendMessagesRequest(
        messages=[_outgoing(p, reply_to=1)]
    ),
    "EditMessage of another": lambda _w, p, _a: pb.EditMessageRequest(
        room_id=p.room_id, seq=p.said, text="another"
    ),
    "EditMessage missing": lambda _w, p, _a: pb.EditMessageRequest(
        room_id=p.room_id, seq=1, text="not a message"
    ),
    "UpdateRoom edits": lambda _w, p, _a: _update(p, "edit_window", "keep_edits"),
    "ListMessageEdits": lambda _w, p, _a: pb.ListMessageEditsRequest(room_id=p.room_id, seq=p.said),
    "ListMessageEdits missing": lambda _w, p, _a: pb.ListMessageEditsRequest(room_id=p.room_id, seq=1),
    "AddReaction": lambda _w, p, _a: pb.AddReactionRequest(room_id=p.room_id, seq=p.said, emoji="👍"),
    "AddReaction missing": lambda _w, p, _a: pb.AddReactionRequest(room_id=p.room_id, seq=1, emoji="👍"),
    "RemoveReaction": lambda _w, p, _a: pb.RemoveReactionRequest(room_id=p.room_id, seq=p.said, emoji="👍"),
    "GetReactions": lambda _w, p, _a: pb.GetReactionsRequest(room_id=p.room_id, seqs=[p.said]),
    "ListReactions": lambda _w, p, _a: pb.ListReactionsRequest(room_id=p.room_id, seq=p.said),
    "GetMessage": lambda _w, p, _a: pb.GetMessageRequest(room_id=p.room_id, seq=p.said),
    "GetMessage missing": lambda _w, p, _a: pb.GetMessageRequest(room_id=p.room_id, seq=1),
    "SaveDraft": lambda _w, p, _a: pb.SaveDraftRequest(room_id=p.room_id, text="I think"),
    "ListDrafts": lambda _w, p, _a: pb.ListDraftsRequest(room_id=p.room_id),
    "SaveMessage": lambda _w, p, _a: pb.SaveMessageRequest(room_id=p.room_id, seq=p.said),
    "SaveMessage missing": lambda _w, p, _a: pb.SaveMessageRequest(room_id=p.room_id, seq=1),
    "UnsaveMessage": lambda _w, p, _a: pb.UnsaveMessageRequest(room_id=p.room_id, seq=p.said),
    "ListSavedMessages": lambda _w, p, _a: pb.ListSavedMessagesRequest(room_id=p.room_id),
    "ScheduleMessage": lambda _w, p, _a: good("PersonalService/ScheduleMessage", Names(room=p.room_id)),
    "ListReactions missing": lambda _w, p, _a: pb.ListReactionsRequest(room_id=p.room_id, seq=1),
    "ReportMessage": lambda _w, p, _a: pb.ReportMessageRequest(room_id=p.room_id, seq=p.said),
    "ReportMessage missing": lambda _w, p, _a: pb.ReportMessageRequest(room_id=p.room_id, seq=1),
    "ListReports": lambda _w, p, _a: pb.ListReportsRequest(room_id=p.room_id),
    "ListReports foreign page": lambda w, p, _a: pb.ListReportsRequest(
        room_id=p.room_id, page_token=w.elsewhere.pages["ListMembers"]
    ),
    "ResolveReport": lambda _w, p, _a: pb.ResolveReportRequest(room_id=p.room_id, seq=p.said),
    "VotePoll": lambda _w, p, _a: pb.VotePollRequest(room_id=p.room_id, seq=p.said, choices=[0]),
    "VotePoll missing": lambda _w, p, _a: pb.VotePollRequest(room_id=p.room_id, seq=1, choices=[0]),
    "ClosePoll of another": lambda _w, p, _a: pb.ClosePollRequest(room_id=p.room_id, seq=p.said),
    "ClosePoll missing": lambda _w, p, _a: pb.ClosePollRequest(room_id=p.room_id, seq=1),
    "GetPolls": lambda _w, p, _a: pb.GetPollsRequest(room_id=p.room_id, seqs=[p.said]),
    "ListPollVotes": lambda _w, p, _a: pb.ListPollVotesRequest(room_id=p.room_id, seq=p.said),
    "ListPollVotes missing": lambda _w, p, _a: pb.ListPollVotesRequest(room_id=p.room_id, seq=1),
    "PinMessage": lambda _w, p, _a: pb.PinMessageRequest(room_id=p.room_id, seq=p.said),
    "PinMessage missing": lambda _w, p, _a: pb.PinMessageRequest(room_id=p.room_id, seq=1),
    "UnpinMessage": lambda _w, p, _a: pb.UnpinMessageRequest(room_id=p.room_id, seq=p.said),
    "UnpinMessage missing": lambda _w, p, _a: pb.UnpinMessageRequest(room_id=p.room_id, seq=1),
    "ListPins": lambda _w, p, _a: pb.ListPinsRequest(room_id=p.room_id),
    "ListPins foreign page": lambda _w, p, _a: pb.ListPinsRequest(room_id=p.room_id, page_token="x"),
    "ListMentions": lambda _w, p, _a: pb.ListMentionsRequest(room_id=p.room_id),
    "DeleteMessages of another": lambda _w, p, _a: pb.DeleteMessagesRequest(room_id=p.room_id, seqs=[p.said]),
    "DeleteMessages missing": lambda _w, p, _a: pb.DeleteMessagesRequest(room_id=p.room_id, seqs=[999]),
    "DeleteMessages and a missing one": lambda _w, p, _a: pb.DeleteMessagesRequest(
        room_id=p.room_id, seqs=[999, p.said]
    ),
    "MarkRead": lambda _w, p, _a: pb.MarkReadRequest(markers=[pb.ReadMarker(room_id=p.room_id, seq=1)]),
    "MarkRead back": lambda _w, p, _a: pb.MarkReadRequest(
        markers=[pb.ReadMarker(room_id=p.room_id)], back=True
    ),
    "UpdateRoom slow mode": lambda _w, p, _a: _update(p, "slow_mode"),
    "UpdateRoom receipts": lambda _w, p, _a: _update(p, "receipts"),
    "GetDelivery": lambda _w, p, _a: pb.GetDeliveryRequest(room_id=p.room_id, seq=p.said),
    "GetDelivery missing": lambda _w, p, _a: pb.GetDeliveryRequest(room_id=p.room_id, seq=1),
    "ListReceipts": lambda _w, p, _a: pb.ListReceiptsRequest(room_id=p.room_id, seq=p.said),
    "ListReceipts missing": lambda _w, p, _a: pb.ListReceiptsRequest(room_id=p.room_id, seq=1),
    "ExplainDelivery": lambda _w, p, _a: pb.ExplainDeliveryRequest(room_id=p.room_id, seq=p.said),
    "ExplainDelivery missing": lambda _w, p, _a: pb.ExplainDeliveryRequest(room_id=p.room_id, seq=1),
    "ExplainDelivery to another": lambda _w, p, _a: pb.ExplainDeliveryRequest(
        room_id=p.room_id, seq=p.said, user_id="the-owner"
    ),
    "UpdateNotifications": lambda _w, p, _a: pb.UpdateNotificationsRequest(
        room_id=p.room_id, muted=True, update_mask=FieldMask(paths=["muted"])
    ),
    "MarkRead a thread": lambda _w, p, _a: pb.MarkReadRequest(
        markers=[pb.ReadMarker(room_id=p.room_id, thread_root=p.said)]
    ),
    "MarkRead a missing thread": lambda _w, p, _a: pb.MarkReadRequest(
        markers=[pb.ReadMarker(room_id=p.room_id, thread_root=1)]
    ),
    "ListThreads": lambda _w, p, _a: pb.ListThreadsRequest(room_id=p.room_id),
    "ListThreads unread": lambda _w, p, _a: pb.ListThreadsRequest(room_id=p.room_id, unread=True),
    "ListThreads foreign page": lambda w, p, _a: pb.ListThreadsRequest(
        room_id=p.room_id, page_token=w.elsewhere.pages["ListMembers"]
    ),
    "ListThreadMessages": lambda _w, p, _a: pb.ListThreadMessagesRequest(
        room_id=p.room_id, thread_root=p.said
    ),
    "ListThreadMessages missing": lambda _w, p, _a: pb.ListThreadMessagesRequest(
        room_id=p.room_id, thread_root=999
    ),
    "ListThreadMessages foreign page": lambda w, p, _a: pb.ListThreadMessagesRequest(
        room_id=p.room_id, thread_root=p.said, page_token=w.elsewhere.pages["ListMessages"]
    ),
    "UpdateThread": lambda _w, p, _a: _follow(p.room_id, p.said),
    "UpdateThread missing": lambda _w, p, _a: _follow(p.room_id, 1),
    "ListMessages": lambda _w, p, _a: pb.ListMessagesRequest(room_id=p.room_id),
    "ListMessages after": lambda _w, p, _a: pb.ListMessagesRequest(room_id=p.room_id, after_seq=0),
    "ListMessages around": lambda _w, p, _a: pb.ListMessagesRequest(room_id=p.room_id, around_seq=2),
    "ListMessages next page": lambda _w, p, _a: pb.ListMessagesRequest(
        room_id=p.room_id, page_token=p.pages["ListMessages"]
    ),
    "ListMessages foreign page": lambda w, p, _a: pb.ListMessagesRequest(
        room_id=p.room_id, page_token=w.elsewhere.pages["ListMessages"]
    ),
    "SearchMessages": lambda _w, p, _a: pb.SearchMessagesRequest(room_id=p.room_id, terms=["hello"]),
    "SearchMessages foreign page": lambda w, p, _a: pb.SearchMessagesRequest(
        room_id=p.room_id, terms=["hello"], page_token=w.elsewhere.pages["ListMessages"]
    ),
    "Subscribe": lambda _w, p, _a: pb.SubscribeRequest(cursors=[_cursor(p)]),
    "Subscribe all and cursor": lambda _w, p, _a: pb.SubscribeRequest(cursors=[_cursor(p)], all_rooms=True),
    "Acknowledge": lambda _w, p, _a: pb.AcknowledgeRequest(consumer="c", cursors=[_cursor(p)]),
    "ResolveServerReport": lambda _w, p, _a: pb.ResolveServerReportRequest(room_id=p.room_id, seq=p.said),
    "AssignRoomOwner": lambda _w, p, _a: pb.AssignRoomOwnerRequest(room_id=p.room_id, user_id="heir"),
}

OtherAsk = Callable[[World], Message]


def _other(method: str) -> OtherAsk:
    names = Names(
        user="victim", owner="heir", bot="the-bot", consumer="none", thing="none", password=PASSWORD
    )
    return lambda _: good(method, names)


# Those that the list of good requests has, but for these.
OTHER_ASKS: dict[str, OtherAsk] = {
    name: _other(name) for name, method in METHODS.items() if not names_a_room(method.input_type)
} | {
    "AuthService/Register": lambda w: pb.RegisterRequest(user_id=f"new{next(w.numbers)}x", password=PASSWORD),
    "AuthService/LogIn": lambda _: pb.LogInRequest(user_id="heir", password=PASSWORD),
    "AuthService/ChangePassword": lambda _: pb.ChangePasswordRequest(
        current_password="not the password", new_password="another password"
    ),
    "AuthService/CreateAccessToken": lambda _: pb.CreateAccessTokenRequest(
        name="t", scopes=[pb.SCOPE_READ, pb.SCOPE_WRITE]
    ),
    "AuthService/CreateBot": lambda w: pb.CreateBotRequest(user_id=f"new{next(w.numbers)}b"),
    "AuthService/CreateBlock": lambda _: pb.CreateBlockRequest(user_id="victim"),
    "AuthService/DeleteBlock": lambda _: pb.DeleteBlockRequest(user_id="another"),
    "RoomService/CreateRoom": lambda w: pb.CreateRoomRequest(name=f"another {next(w.numbers)}"),
    "RoomService/GetDirectRoom": lambda _: pb.GetDirectRoomRequest(user_id="heir"),
    "AdminService/CreateUser": lambda w: pb.CreateUserRequest(
        user_id=f"new{next(w.numbers)}u", password=PASSWORD
    ),
    "AdminService/AssignBotOwner": lambda _: pb.AssignBotOwnerRequest(user_id="none", owner_user_id="victim"),
}


def _method(ask: str) -> str:
    [found] = [name for name in METHODS if name.rpartition("/")[2] == ask.split(" ", maxsplit=1)[0]]
    return found


def _changes(ask: str) -> bool:
    """Whether what is asked may leave the room another."""
    return not ask.startswith(("Get", "List", "Subscribe", "Acknowledge"))


async def test_no_method_is_without_a_line() -> None:
    """A new method fails here until the tables say who may call it."""
    named = {_method(ask) for ask in ROOM_ASKS}
    assert named == {name for name, method in METHODS.items() if names_a_room(method.input_type)}
    assert set(OTHER_ASKS) | named == set(METHODS)
    assert set(ROOM_ROWS) == set(ROOM_ASKS)
    assert {line.split()[0] for line in OTHER_TABLE.strip().splitlines()} == set(OTHER_ASKS)
    assert len(KINDS) * len(ROOM_ASKS) * len(ACTORS) > 1500


@pytest.mark.parametrize("service", sorted({_method(ask).partition("/")[0] for ask in ROOM_ASKS}))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_rooms(world: World, kind: Kind, service: str) -> None:
    """Everybody is answered what the table says, and who is refused leaves no trace.

    Over gRPC for a private room; for the other kinds in memory, as what differs is the room.
    """
    for ask in ROOM_ASKS:
        if _method(ask).startswith(f"{service}/"):
            await _ask_of_everybody(world, kind, ask)


async def _ask_of_everybody(world: World, kind: Kind, ask: str) -> None:
    calls = world.calls if ALL or kind is KINDS[0] else world.inside
    # Who is calling is asked before the room is looked up, as test_hostile_input.py shows of each method.
    actors = ACTORS if ALL or kind is KINDS[0] else (*STRANGERS, *MEMBERS)
    row, method = ROOM_ROWS[ask], _method(ask)
    answers = {actor: expected(row, actor, kind) for actor in actors}
    alone = [actor for actor, answer in answers.items() if answer == "OK" and _changes(ask)]
    also_elsewhere = ask == "SendMessages also elsewhere" and not alone
    elsewhere = await world.dump(world.elsewhere) if also_elsewhere else []

    async with world.shared(kind) as shared:
        own = await world.places(kind, len(alone), pages="page" in ask) if alone else []
        places = dict(zip(alone, own, strict=True))

        async def answer(actor: str) -> str:
            request = ROOM_ASKS[ask](world, places.get(actor, shared), actor)
            return (await calls(method, request, world.tokens[actor])).reason

        got = dict(zip(actors, await asyncio.gather(*map(answer, actors)), strict=True))

        wrong = {
            f"{actor} - {ask} - {kind.name}": f"{got[actor]} instead of {answers[actor]}"
            for actor in actors
            if got[actor] != answers[actor]
        }
        assert not wrong
    if also_elsewhere:
        # All or nothing.
        assert await world.dump(world.elsewhere) == elsewhere


CALLERS = (
    *NOBODIES,
    "outsider",
    "bot",
    "read-only token",
    "write-only token",
    "server admin",
    "server admin's token for admin",
    "server admin's token for read and write",
)
# What each has of what methods take.
HAVE = {
    "outsider": {"any", "read", "write", "either", "login"},
    "bot": {"any", "read", "write", "either"},
    "read-only token": {"any", "read", "either"},
    "write-only token": {"any", "write", "either"},
    "server admin": {"any", "read", "write", "either", "login", "admin"},
    "server admin's token for admin": {"any", "admin"},
    "server admin's token for read and write": {"any", "read", "write", "either"},
}


@pytest.mark.parametrize("line", OTHER_TABLE.strip().splitlines(), ids=lambda line: line.split()[0])
async def test_what_takes_no_room(world: World, line: str) -> None:
    """What is not about a room takes what the table says, of sessions and of tokens."""
    method, takes, answer = line.split()
    wrong = {}
    for actor in CALLERS:
        token = world.tokens[actor]
        if method == "AuthService/LogOut" and HAVE.get(actor):
            # What works here works once.
            token = world.spare.pop(actor, "")
            if not token:
                continue
        got = (await world.calls(method, OTHER_ASKS[method](world), token)).reason
        want = MEANING.get(answer, answer)
        if takes != "nobody" and takes not in HAVE.get(actor, ()):
            want = "UNAUTHENTICATED" if actor in NOBODIES else "PERMISSION_DENIED"
        if got != want:
            wrong[f"{actor} - {method}"] = f"{got} instead of {want}"
    assert not wrong


# ---------------------------------------------------------------------------------------------------------
# To whom.


def _matrix(text: str) -> dict[str, dict[str, bool]]:
    lines = [line.split() for line in text.strip().splitlines()]
    return {line[0]: dict(zip(ROLES, (word == "ok" for word in line[1:]), strict=True)) for line in lines}


MAY_ACT, MAY_GIVE = _matrix(ACTS_ON), _matrix(GIVES)
KEEPERS = ("admin", "owner")
TARGETS = ("self", *ROLES, "nobody of it")


class Deed(NamedTuple):
    """Something done to somebody."""

    what: str
    role: str = ""


DEEDS = (
    Deed("remove"),
    Deed("ban"),
    *(Deed("set", role) for role in ROLES),
    *(Deed("add", role) for role in ROLES),
)


def expected_deed(actor: str, deed: Deed, target: str) -> str:
    """What is answered to a member of this role; the room has several owners."""
    what, role = deed
    if (what in ("remove", "ban") and target == "self") or (what == "add" and role == "owner"):
        return "INVALID_REQUEST"
    if actor not in KEEPERS:
        return "PERMISSION_DENIED"
    if what == "add":
        if not MAY_GIVE[actor][role]:
            return "PERMISSION_DENIED"
        there = actor if target == "self" else target
        return "OK" if there in ("nobody of it", role) else "ALREADY_EXISTS"
    if target == "nobody of it":
        return "OK" if what == "ban" else "USER_NOT_FOUND"
    if target == "self":
        return "OK" if ROLES[role] <= ROLES[actor] else "PERMISSION_DENIED"
    if not MAY_ACT[actor][target]:
        return "PERMISSION_DENIED"
    return "OK" if what != "set" or MAY_GIVE[actor][role] else "PERMISSION_DENIED"


def _deed(place: Place, deed: Deed, user_id: str) -> tuple[str, Message]:
    room_id, role = place.room_id, ROLES.get(deed.role, pb.ROLE_UNSPECIFIED)
    match deed.what:
        case "remove":
            return "RoomService/RemoveMember", pb.RemoveMemberRequest(room_id=room_id, user_id=user_id)
        case "ban":
            return "RoomService/BanMember", pb.BanMemberRequest(room_id=room_id, user_id=user_id)
        case "set":
            return "RoomService/SetMemberRole", pb.SetMemberRoleRequest(
                room_id=room_id, user_id=user_id, role=role
            )
        case _:
            return "RoomService/AddMember", pb.AddMemberRequest(room_id=room_id, user_id=user_id, role=role)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("actor", ROLES)
async def test_whom_one_may_do_it_to(world: World, actor: str, target: str) -> None:
    """One acts on those below oneself, and gives what is below oneself; owners act on all and give all."""
    answers = {deed: expected_deed(actor, deed, target) for deed in DEEDS}
    alone = [deed for deed, answer in answers.items() if answer == "OK"]
    shared, *own = await world.places(KINDS[0], 1 + len(alone))
    places = dict(zip(alone, own, strict=True))
    users = {
        "self": world.users[actor],
        "reader": "target",
        "member": "heir",
        "owner": "key-holder",
        "nobody of it": "another",
    }

    def second_admin(transaction: Transaction) -> None:
        for place in [shared, *own]:
            set_role(transaction, place.room_id, "the-bot", pb.ROLE_ADMIN)

    await world.node.node.committer.transact(SYSTEM, second_admin)
    before = await world.dump(shared)

    wrong = {}
    for deed in DEEDS:
        method, request = _deed(places.get(deed, shared), deed, users.get(target, "the-bot"))
        got = (await world.calls(method, request, world.tokens[actor])).reason
        if got != answers[deed]:
            wrong[f"{actor} - {deed.what} {deed.role} - {target}"] = f"{got} instead of {answers[deed]}"

    assert not wrong
    assert await world.dump(shared) == before


@pytest.mark.parametrize("actor", ROLES)
async def test_what_invites_make_of_people(world: World, actor: str) -> None:
    """An invite makes of people less than who made it is, and never an owner."""
    [place] = await world.places(KINDS[0], 1)
    got = {}
    for role, value in ROLES.items():
        request = pb.CreateInviteRequest(room_id=place.room_id, role=value)
        reply = await world.calls("RoomService/CreateInvite", request, world.tokens[actor])
        got[role] = reply.reason == "OK"
    assert got == {role: actor in KEEPERS and value < ROLES[actor] for role, value in ROLES.items()}


async def test_the_last_owner_stays(world: World) -> None:
    """A room never comes to be without an owner: not by leaving, nor by giving up or losing the role."""
    [place] = await world.places(KINDS[0], 1)
    room_id, owner = place.room_id, world.tokens["owner"]
    give_up = pb.SetMemberRoleRequest(room_id=room_id, user_id="key-holder", role=pb.ROLE_READER)
    assert (await world.calls("RoomService/SetMemberRole", give_up, owner)).reason == "OK"

    for role in (pb.ROLE_READER, pb.ROLE_MEMBER, pb.ROLE_ADMIN):
        request = pb.SetMemberRoleRequest(room_id=room_id, user_id="the-owner", role=role)
        assert (await world.calls("RoomService/SetMemberRole", request, owner)).reason == "LAST_OWNER"
    leave = pb.LeaveRoomRequest(room_id=room_id)
    assert (await world.calls("RoomService/LeaveRoom", leave, owner)).reason == "LAST_OWNER"
    offer = pb.SetMemberRoleRequest(room_id=room_id, user_id="target", role=pb.ROLE_OWNER)
    offered = await world.calls("RoomService/SetMemberRole", offer, owner)
    assert offered.read(pb.SetMemberRoleResponse).member.role == pb.ROLE_READER
    for heir, answer in (
        ("another", "USER_NOT_FOUND"),
        ("the-owner", "USER_NOT_FOUND"),
        ("heir", "LAST_OWNER"),
        ("target", "LAST_OWNER"),
    ):
        leave = pb.LeaveRoomRequest(room_id=room_id, new_owner_user_id=heir)
        assert (await world.calls("RoomService/LeaveRoom", leave, owner)).reason == answer
    target = (await world.node.log_in("target")).token
    accept = pb.AcceptInvitationRequest(room_id=room_id)
    assert (await world.calls("RoomService/AcceptInvitation", accept, target)).reason == "OK"
    assert (await world.calls("RoomService/LeaveRoom", leave, owner)).reason == "OK"

    members = (await world.dump(place))[1]
    assert isinstance(members, list)
    assert [member.user.user_id for member in members if member.role == pb.ROLE_OWNER] == ["target"]
