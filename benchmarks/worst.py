"""The worst that a member can ask of each method, and what 16 of those at once do to a stranger.

python -m benchmarks worst

One member makes the most expensive valid call that there is, over and over, 16 at a time and from a process
of its own. A stranger, in a room of their own, meanwhile looks it up and sends a message, in turns.

Attacker and stranger run on the server's machine and take their own share of its cores. What that alone does
to the stranger is told by a control: a process that computes as much as the attacker did and calls nobody.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from benchmarks import h2, servers
from grpc_chat.core.access import to_read
from grpc_chat.core.tokens import secret_hash
from grpc_chat.store.base import Transact, Transaction, Write
from grpc_chat.store.files import UploadRecord
from grpc_chat.store.personal import SavedRecord
from grpc_chat.store.records import Account, InviteRecord, Place, SessionRecord
from grpc_chat.store.sqlite import open_store
from grpc_chat.store.writes import Acknowledge, Append, Draft, Once
from grpc_chat.wire import chat_pb2 as pb
from tests.columns import change_account
from tests.store_writes import ban, put_room

log = logging.getLogger(__name__)

Latencies = tuple[list[float], list[float]]
"""In ms, of GetRoom and of SendMessages."""

AT_ONCE = 16
ROOMS = 4000
_MOST_SECONDS = 600
_CONTROL_SECONDS = 0.01
_SMALL, _BUSY, _OTHERS = "small", "busy", "others"
_EMOJI = [chr(0x1F600 + at) for at in range(50)]
_TOMORROW = Timestamp(seconds=int(time.time()) + 86_400)
_ENTRIES = 600
"""Members, bans, bots and so on: more than a page holds."""


def _token(user_id: str) -> str:
    return f"gc_{user_id}"


def _rooms() -> list[str]:
    return [f"room{at:012}" for at in range(ROOMS)]


@dataclass(frozen=True, slots=True)
class Case:
    """A method, and the worst call of it."""

    method: str
    what: str
    make: Callable[[], Message]
    user_id: str = "member"

    @property
    def path(self) -> str:
        return f"/chat.v1.{self.method}"

    @property
    def streams(self) -> bool:
        return self.method.endswith("/Subscribe")


def _cases(places: dict[str, Place], epoch: str) -> list[Case]:
    numbers = itertools.count(time.time_ns())
    rooms, text = _rooms(), "x" * 850

    def cursors(*, unknown: bool = False, off: int = 0) -> list[pb.Cursor]:
        return [
            pb.Cursor(room_id=f"z{room}" if unknown else room, seq=place.seq, stamp=place.stamp + off)
            for room, place in places.items()
        ]

    def messages(count: int, text: str, *, repeated: bool = False) -> pb.SendMessagesRequest:
        numbered = range(count) if repeated else itertools.islice(numbers, count)
        ids = [uuid.UUID(int=at + (9 << 90) + ((1 << 89) if repeated else 0)) for at in numbered]
        return pb.SendMessagesRequest(
            messages=[
                pb.OutgoingMessage(room_id=_SMALL, client_message_id=str(each), text=text) for each in ids
            ]
        )

    service = "RoomService"
    unknown = pb.SubscribeRequest(cursors=cursors(unknown=True))
    middle = pb.SubscribeRequest(cursors=cursors())
    parted = pb.SubscribeRequest(cursors=cursors(off=1))
    every = pb.SubscribeRequest(all_rooms=True)
    consumer = pb.SubscribeRequest(consumer="c")
    acknowledged = pb.AcknowledgeRequest(consumer="c", cursors=cursors())
    many_ids = [f"{at:064}" for at in range(100)]
    return [
        Case("AuthService/GetMe", "", pb.GetMeRequest),
        Case("AuthService/GetUser", "", lambda: pb.GetUserRequest(user_id="stranger")),
        Case("AuthService/UpdateProfile", "", lambda: pb.UpdateProfileRequest(
            display_name=f"n{next(numbers)}")),
        Case("AuthService/ListSessions", "100", lambda: pb.ListSessionsRequest(page_size=500)),
        Case("AuthService/RevokeSessions", "100 ids", lambda: pb.RevokeSessionsRequest(session_ids=many_ids)),
        Case("AuthService/ListBots", "100", lambda: pb.ListBotsRequest(page_size=500)),
        Case("AuthService/ChangePassword", "wrong", lambda: pb.ChangePasswordRequest(
            current_password="x" * 1024, new_password="y" * 1024)),
        Case(f"{service}/GetRoom", "", lambda: pb.GetRoomRequest(room_id=rooms[0])),
        Case(f"{service}/ListRooms", "1,000", lambda: pb.ListRoomsRequest(page_size=1000)),
        Case(f"{service}/ListRooms", "500 direct", lambda: pb.ListRoomsRequest(page_size=500), "direct"),
        Case(f"{service}/ListPublicRooms", "500", lambda: pb.ListPublicRoomsRequest(page_size=500)),
        Case(f"{service}/ListPublicRooms", "5,000 searched in vain", lambda: pb.ListPublicRoomsRequest(
            query="nothing like it", page_size=500)),
        Case(f"{service}/ListMembers", "500", lambda: pb.ListMembersRequest(room_id=_OTHERS, page_size=500)),
        Case(f"{service}/ListBans", "500", lambda: pb.ListBansRequest(room_id=_OTHERS, page_size=500)),
        Case(f"{service}/ListInvites", "200", lambda: pb.ListInvitesRequest(room_id=_OTHERS, page_size=500)),
        Case(f"{service}/UpdateRoom", "", lambda: pb.UpdateRoomRequest(
            room=pb.Room(room_id=_SMALL, topic=str(next(numbers)).ljust(500)),
            update_mask=FieldMask(paths=["topic"]))),
        Case(f"{service}/CreateRoom", "", lambda: pb.CreateRoomRequest(
            name=f"new {next(numbers)}", kind=pb.ROOM_KIND_PRIVATE), "maker"),
        Case(f"{service}/DeleteRoom", "of 500 members", lambda: pb.DeleteRoomRequest(
            room_id=f"gone{(at := next(numbers) % 400)}", confirm_name=f"gone{at}"), "deleter"),
        Case("MessageService/SendMessages", "256 x 850 bytes", lambda: messages(256, text)),
        Case("MessageService/SendMessages", "256, sent before", lambda: messages(256, text, repeated=True)),
        Case("MessageService/SendMessages", "3 x 64 KiB", lambda: messages(3, "x" * 65_536)),
        Case("MessageService/ListMessages", "500 x 2 KiB", lambda: pb.ListMessagesRequest(
            room_id=_BUSY, page_size=500)),
        Case("MessageService/SearchMessages", "500 x 2 KiB", lambda: pb.SearchMessagesRequest(
            terms=["xxx"], page_size=500)),
        Case("MessageService/SearchMessages", "in vain, in 4,000 rooms", lambda: pb.SearchMessagesRequest(
            terms=["nothing like it"], page_size=500)),
        Case("MessageService/SearchMessages", "500 in the order of rank", lambda: pb.SearchMessagesRequest(
            terms=["xxx"], page_size=500, order=pb.SEARCH_ORDER_BEST)),
        Case("MessageService/SearchMessages", "15 x 64 KiB of Chinese", lambda: pb.SearchMessagesRequest(
            terms=["\u5348\u5f8c"], page_size=500)),
        Case("MessageService/AddReaction", "", lambda: pb.AddReactionRequest(
            room_id=_BUSY, seq=next(numbers) % 3000 + 1000, emoji=_EMOJI[next(numbers) % 50])),
        Case("MessageService/GetReactions", "100 messages", lambda: pb.GetReactionsRequest(
            room_id=_BUSY, seqs=range(1, 101))),
        Case("MessageService/ListReactions", "500", lambda: pb.ListReactionsRequest(
            room_id=_BUSY, seq=1, page_size=500)),
        Case("PresenceService/GetPresence", "100", lambda: pb.GetPresenceRequest(
            user_ids=[f"u{at:05}" for at in range(100)])),
        Case("PresenceService/ListPresence", "500", lambda: pb.ListPresenceRequest(
            room_id=_OTHERS, page_size=500)),
        Case("PresenceService/UpdateStatus", "", lambda: pb.UpdateStatusRequest(text=f"{next(numbers)}")),
        Case("PersonalService/SaveDraft", "64 KiB", lambda: pb.SaveDraftRequest(
            room_id=_SMALL, text=f"{next(numbers)}".ljust(65_536))),
        Case("PersonalService/ListSavedMessages", "500 x 2 KiB", lambda: pb.ListSavedMessagesRequest(
            page_size=500)),
        Case("PersonalService/ScheduleMessage", "sent before", lambda: pb.ScheduleMessageRequest(
            message=messages(1, text, repeated=True).messages[0], send_time=_TOMORROW)),
        Case("FileService/UploadPart", "192 KiB, again", lambda: pb.UploadPartRequest(
            upload_id="upload", data=bytes(192 * 1024))),
        Case("FileService/ListUploads", "", lambda: pb.ListUploadsRequest(page_size=500)),
        Case("FileService/CreateUpload", "too many", lambda: pb.CreateUploadRequest(name="a", size=1)),
        Case("SubscribeService/Subscribe", "4,000 unknown rooms", lambda: unknown),
        Case("SubscribeService/Subscribe", "4,000 rooms, behind", lambda: middle),
        Case("SubscribeService/Subscribe", "4,000 rooms, another history", lambda: parted),
        Case("SubscribeService/Subscribe", "all of 4,000 rooms", lambda: every),
        Case("SubscribeService/Subscribe", "a consumer of 4,000 rooms", lambda: consumer),
        Case("SubscribeService/Subscribe", "a room from the start", lambda: pb.SubscribeRequest(
            cursors=[pb.Cursor(room_id=_BUSY)])),
        Case("SubscribeService/Acknowledge", "4,000 rooms", lambda: acknowledged),
        Case("SubscribeService/ListConsumers", "64", lambda: pb.ListConsumersRequest(page_size=500)),
        Case("SubscribeService/ListConsumerPositions", "500", lambda: pb.ListConsumerPositionsRequest(
            consumer="c", page_size=500)),
    ]  # fmt: skip


# The database


def _draft(room_id: str, text: str) -> Draft:
    message_id = uuid.uuid4()
    message = pb.Message(client_message_id=str(message_id), text=text)
    event = pb.Event(room_id=room_id, user_id="member", message=message)
    return Draft(event, "s", lambda *_: None, once=Once(message_id.bytes, b"0" * 16))


def _fill(folder: Path) -> tuple[dict[str, Place], str]:
    """Make it; returns a place in the middle of each of the member's rooms, and the epoch."""
    store = open_store(folder)
    try:
        many = [f"u{at:05}" for at in range(_ENTRIES)]
        people = ["member", "stranger", "maker", "deleter", "direct"]
        owner = {"member": pb.ROLE_OWNER}
        crowd = dict.fromkeys(many, pb.ROLE_MEMBER) | owner
        gone = dict.fromkeys(many[:500], pb.ROLE_MEMBER) | {"deleter": pb.ROLE_OWNER}
        puts: list[Write] = [put_room(room, room, owner) for room in _rooms()]
        puts += [put_room(room, room, owner) for room in (_SMALL, _BUSY)]
        puts += [put_room(_OTHERS, _OTHERS, crowd)]
        puts += [put_room("home", "home", {"stranger": pb.ROLE_OWNER})]
        puts += [put_room(f"gone{at}", f"gone{at}", gone) for at in range(400)]
        for start in range(0, len(puts), 500):
            store.commit(puts[start : start + 500])
        _commit(store, lambda transaction: _accounts(transaction, people, many))
        # Anyone who was banned is in it again: both lists are long.
        store.commit([put_room(_OTHERS, _OTHERS, crowd)])
        for _ in range(4):
            for start in range(0, ROOMS, 1000):
                store.commit([Append([_draft(room, "hello") for room in _rooms()[start : start + 1000]])])
        for _ in range(8):
            store.commit([Append([_draft(_BUSY, "x" * 2048) for _ in range(500)])])
        store.commit([Append([_draft(_BUSY, "\u5348\u5f8c " + "\u4f1a\u8b70" * 10_900) for _ in range(40)])])
        _commit(store, _kept)
        with store.snapshot() as snapshot:
            stamps = snapshot.stamps(dict.fromkeys(_rooms(), 2))
        places = {room: Place(2, stamp) for room, stamp in stamps.items()}
        for name in ("c", *[f"c{at}" for at in range(63)]):
            some = places if name == "c" else dict(itertools.islice(places.items(), 2))
            store.commit([Acknowledge("member", name, some, to_read)])
        return places, store.epoch
    finally:
        store.close()


def _kept(transaction: Transaction) -> None:
    """Reactions, saved messages and uploads."""
    for seq in range(1, 101):
        for at, emoji in enumerate(_EMOJI):
            # The first message has as many as it may.
            for user in range(20 if seq == 1 else 1):
                changed = pb.ReactionChanged(seq=seq, emoji=emoji)
                user_id = f"u{(at + user) % _ENTRIES:05}"
                event = pb.Event(room_id=_BUSY, user_id=user_id, reaction_changed=changed)
                transaction.append(event, "")
    for seq in range(1, 601):
        transaction.put_saved_message("member", SavedRecord(_BUSY, seq, transaction.now_us + seq))
    for at in range(20):
        name = "upload" if not at else f"upload{at}"
        transaction.insert_upload(
            UploadRecord(
                upload_id=name,
                user_id="member",
                charged_to="member",
                name="a",
                size=1 << 20,
                content_type="",
                sha256=b"",
                keep_metadata=False,
                create_time_us=transaction.now_us,
            )
        )


def _commit(store: object, do: Callable[[Transaction], None]) -> None:
    [result] = store.commit([Transact(do, "")])  # type: ignore[attr-defined]
    if isinstance(result, Exception):
        raise result


def _accounts(transaction: Transaction, people: Sequence[str], many: Sequence[str]) -> None:
    now = transaction.now_us
    for user_id in people:
        account = Account(user_id, user_id, pb.USER_KIND_PERSON, now, look=user_id)
        if transaction.account(user_id) is None:
            transaction.insert_account(account)
        change_account(transaction, user_id, kind=pb.USER_KIND_PERSON, look=user_id)
        for at in range(100 if user_id == "member" else 1):
            session = SessionRecord(f"{user_id}{at}", user_id, pb.SESSION_KIND_LOGIN, "x", 14, now, now, None)
            token = _token(user_id) if not at else f"{user_id}{at}"
            transaction.insert_session(session, secret_hash(token))
    for user_id in many:
        ban(transaction, _OTHERS, user_id, by="member", reason="x" * 500)
    for at in range(200):
        invite = InviteRecord(f"i{at}", _OTHERS, 2, "member", now + at, None, 0, 0, False, False)
        transaction.insert_invite(invite, f"code{at}".encode())
    for at in range(100):
        account = Account(f"bot{at:03}", "x" * 60, pb.USER_KIND_BOT, now, owner_id="member", look=f"b0t{at}")
        transaction.insert_account(account)
    for at in range(500):
        room = pb.Room(room_id=f"d{at:03}", kind=pb.ROOM_KIND_DIRECT)
        transaction.insert_room(room, public_name=None, request_hash=None)
        for user_id in ("direct", many[at]):
            transaction.put_member(room.room_id, user_id, pb.ROLE_MEMBER, join_seq=0)
    for at in range(5000):
        name = f"public {at:06}"
        room = pb.Room(
            room_id=f"p{at:05}", kind=pb.ROOM_KIND_PUBLIC, name=name, topic="about this and that " * 25
        )
        transaction.insert_room(room, public_name=name, request_hash=None)


@contextmanager
def _server(*, unlimited: bool) -> Iterator[tuple[servers.Server, dict[str, Place], str]]:
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=servers.ROOT))
    try:
        places, epoch = _fill(folder)
        limits = {"GRPC_CHAT_TRUSTED_IDS": "", "GRPC_CHAT_LIMITS__CALLS_PER_SECOND": "2000"}
        if not unlimited:
            limits["GRPC_CHAT_LIMITS__WORK_PER_SECOND"] = "20000"
        with servers.chat([], data=folder, **limits) as server:
            yield server, places, epoch
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# The load


async def _call(connection: h2.Connection, case: Case) -> bool:
    """Make the call once; whether it was answered and not refused."""
    data = case.make().SerializeToString()
    try:
        await (connection.first if case.streams else connection.call)(case.path, data)
    except RuntimeError:
        return False
    return True


async def _alone(server: servers.Server, case: Case, seconds: float) -> tuple[float, float, bool]:
    """The median of one call at a time and the server's CPU for it, in ms; whether they were answered."""
    connection = await h2.Connection.open("127.0.0.1", server.port, _token(case.user_id))
    answered = await _call(connection, case)
    latencies: list[float] = []
    before, started = server.cpu_seconds, time.perf_counter()
    while time.perf_counter() - started < seconds:
        begun = time.perf_counter()
        await _call(connection, case)
        latencies.append((time.perf_counter() - begun) * 1000)
    cpu = (server.cpu_seconds - before) / len(latencies) * 1000
    connection.close()
    return _share(latencies, 0.5), cpu, answered


def _attack(
    port: int, index: int, places: dict[str, Place], epoch: str, seconds: float, ready: object, used: object
) -> None:
    """A process of its own: 16 calls at a time, for so long; ``used`` becomes its share of a core."""
    case = _cases(places, epoch)[index]

    async def run() -> None:
        connection = await h2.Connection.open("127.0.0.1", port, _token(case.user_id))
        end = time.perf_counter() + seconds

        async def one() -> None:
            while time.perf_counter() < end:
                if not await _call(connection, case):
                    # A client that is refused and goes on at once; the refusals cost something, too.
                    await asyncio.sleep(0.001)

        ready.set()  # type: ignore[attr-defined]
        before, started = time.process_time(), time.perf_counter()
        await asyncio.wait([asyncio.ensure_future(one()) for _ in range(AT_ONCE)], timeout=seconds + 5)
        used.value = (time.process_time() - before) / (time.perf_counter() - started)  # type: ignore[attr-defined]
        connection.close()

    asyncio.run(run())


def _burn(of_a_core: float, seconds: float, ready: object) -> None:
    """The control, a process of its own: computes for that share of each 10 ms, and calls nobody."""
    ready.set()  # type: ignore[attr-defined]
    end = time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        busy = time.process_time() + of_a_core * _CONTROL_SECONDS
        while time.process_time() < busy:
            pass
        time.sleep(max(now + _CONTROL_SECONDS - time.perf_counter(), 0))


async def _stranger(port: int, seconds: float) -> Latencies:
    """Latencies in ms of GetRoom and of SendMessages, in turns."""
    connection = await h2.Connection.open("127.0.0.1", port, _token("stranger"))
    look = pb.GetRoomRequest(room_id="home").SerializeToString()
    found: Latencies = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        outgoing = pb.OutgoingMessage(room_id="home", client_message_id=str(uuid.uuid4()), text="hello")
        send = pb.SendMessagesRequest(messages=[outgoing]).SerializeToString()
        for at, (path, data) in enumerate(
            (("RoomService/GetRoom", look), ("MessageService/SendMessages", send))
        ):
            begun = time.perf_counter()
            await connection.call(f"/chat.v1.{path}", data)
            found[at].append((time.perf_counter() - begun) * 1000)
    connection.close()
    return found


def _share(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _under_load(
    server: servers.Server, index: int, places: dict[str, Place], epoch: str, seconds: float
) -> tuple[Latencies, Latencies]:
    """The stranger's latencies beside the attack, and beside the control."""
    context = multiprocessing.get_context("spawn")
    used = context.Value("d", 0.0)
    attack = (server.port, index, places, epoch, seconds + 0.5)
    loaded = _beside(
        server, lambda ready: context.Process(target=_attack, args=(*attack, ready, used)), seconds
    )
    burn = (used.value, seconds + 0.5)
    control = _beside(server, lambda ready: context.Process(target=_burn, args=(*burn, ready)), seconds)
    return loaded, control


def _beside(server: servers.Server, start: Callable[[Any], Any], seconds: float) -> Latencies:
    ready = multiprocessing.get_context("spawn").Event()
    process = start(ready)
    process.daemon = True
    process.start()
    try:
        if not ready.wait(30):
            raise RuntimeError("the load did not begin")
        time.sleep(0.3)
        return asyncio.run(asyncio.wait_for(_stranger(server.port, seconds), 60))
    finally:
        process.join(30)
        if process.is_alive():
            process.kill()


def rows(*, seconds: float, only: str = "", unlimited: bool = False) -> list[str]:
    """A row for each case; in parentheses the 99th percentile over that at rest, and over the control's.

    Args:
        seconds: How long each is measured under load.
        only: Those with this in the name of the method or of the case.
        unlimited: Whether work has no rate, so that turns alone protect the stranger.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found: list[str] = []
    started = time.monotonic()
    with _server(unlimited=unlimited) as (server, places, epoch):
        asyncio.run(_stranger(server.port, 0.5))
        quiet: Latencies = ([], [])
        for index, case in enumerate(_cases(places, epoch)):
            if only not in f"{case.method}, {case.what}" or time.monotonic() - started > _MOST_SECONDS:
                continue
            for known, more in zip(quiet, asyncio.run(_stranger(server.port, seconds / 2)), strict=True):
                known.extend(more)
            ms, cpu, answered = asyncio.run(_alone(server, case, seconds / 4))
            loaded, control = _under_load(server, index, places, epoch, seconds)
            cells = []
            for before, beside, during in zip(quiet, control, loaded, strict=True):
                p99 = _share(during, 0.99)
                worse = f"{p99 / _share(before, 0.99):.1f} x, {p99 / _share(beside, 0.99):.1f} x"
                cells.append(f"{_share(during, 0.5):.1f} / {p99:.1f} ({worse})")
            what = f", {case.what}" if case.what else ""
            refused = "" if answered else " (refused)"
            name = case.method.partition("/")[2]
            found.append(f"| {name}{what}{refused} | {ms:.1f} | {cpu:.1f} | {cells[0]} | {cells[1]} |")
            log.info(found[-1])
        at_rest = " and ".join(f"{_share(each, 0.5):.1f} / {_share(each, 0.99):.1f}" for each in quiet)
    return [*found, f"| nothing | | | {at_rest.replace(' and ', ' | ')} |"]


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rows(
        seconds=float(sys.argv[1]),
        only=next((word for word in sys.argv[2:] if word != "unlimited"), ""),
        unlimited="unlimited" in sys.argv[2:],
    )
