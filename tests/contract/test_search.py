"""Search finds what a look at every message finds: random histories, compared with that.

The index is small here, so that there are segments, a tail, changes in both and segments made again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from grpc_chat.bus.local import LocalBus
from grpc_chat.core.caller import Caller
from grpc_chat.core.search import segments as segments_of
from grpc_chat.core.search.folding import folded
from grpc_chat.core.search.grams import needed
from grpc_chat.core.search.index import Index
from grpc_chat.core.search.search import Search
from grpc_chat.core.system import ChatSystem
from grpc_chat.errors import InvalidRequest, RoomNotFound, Unavailable
from grpc_chat.store.base import Store, Transact, Transaction
from grpc_chat.store.search import Damaged, MemorySegments, SegmentStore
from grpc_chat.store.search_sqlite import SqliteSegments
from grpc_chat.store.writes import Append, Appended, Draft, Once
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.store_writes import change_membership, put_room, truncate
from tests.support import until

WORDS = [
    "the",
    "The",
    "there",
    "other",
    "café",
    "cafe",
    "CAFÉ",
    "Straße",
    "STRASSE",
    "naïve",
    "ünïcödé",
    "i'm",
    "C++",
    "a",
    "42",
    "foo.bar",
    "ing",
    "ringing",
    "İstanbul",
    "我们",
    "我",
    "今天",
    "今天我们",
    "去吃饭",
    "吃饭",
    "東京",
    "東京都",
    "カフェ",
    "ｶﾌｪ",
    "が",
    "か",
    "こんにちは",
    "안녕",
    "안녕하세요",
    "서울",
    "สวัสดี",
    "ครับ",
    "ประเทศไทย",
    "ที่",
    "ไทย",
    "Ωmega",
    "ёлка",
    "елка",
    "שָׁלוֹם",
    "שלום",
    "👋🏽",
    "👋",
    "x",
]
ROOMS = ["r1", "r2", "r3", "hidden"]
USERS = ["alice", "bob", "mallory"]


@pytest.fixture(params=["memory", "sqlite"])
def segments(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], SegmentStore]:
    """Makes what keeps an index; each time the same one, as after a restart."""
    memory = MemorySegments()
    return lambda: memory if request.param == "memory" else SqliteSegments(tmp_path / "search.db")


def person(user_id: str) -> Caller:
    return Caller(user_id, f"{user_id}-1")


class World:
    """A store, the system on it, and what was said."""

    def __init__(self, store: Store, system: ChatSystem, index: SegmentStore, rng: random.Random) -> None:
        self.store = store
        self.system = system
        self.segments = index
        self.rng = rng
        self.count = 0

    @property
    def search(self) -> Search:
        return self.system.search

    @property
    def index(self) -> Index:
        index = self.search._index
        assert isinstance(index, Index)
        return index

    def text(self) -> str:
        gap = self.rng.choice([" ", "", " ", "\n", "  ", "\u3000"])
        return gap.join(self.rng.choices(WORDS, k=self.rng.randint(1, 6)))

    def commit(self, *drafts: Draft) -> None:
        [done] = self.store.commit([Append(list(drafts))])
        assert isinstance(done, Appended), done

    def say(self, room_id: str, user_id: str, text: str, **more: object) -> None:
        self.count += 1
        event = pb.Event(room_id=room_id, user_id=user_id, message=pb.Message(text=text, **more))  # type: ignore[arg-type]
        once = Once(UUID(int=self.count).bytes, b"")
        self.commit(Draft(event, "session", lambda *_: None, once))

    def change(self, room_id: str, seq: int, text: str | None) -> None:
        """Edit a message, or delete it, as the commands do: its event is rewritten, and another one tells."""
        count = self.rng.randint(0, 9)

        def in_transaction(tx: Transaction) -> None:
            [stored] = tx.events_after(room_id, seq - 1, limit=1, max_bytes=2**20)
            event = pb.Event.FromString(stored.payload)
            if not event.HasField("message") or event.message.HasField("deleted"):
                return
            told = pb.Event(room_id=room_id, user_id=event.user_id)
            if text is None:
                event.message.Clear()
                event.message.deleted.user_id = event.user_id
                told.message_deleted.seq = seq
            else:
                event.message.text = text
                event.message.edits = count
                event.message.ClearField("mentions")
                if count % 3 == 0:
                    event.message.mentions.CopyFrom(self.mentions())
                told.message_edited.seq = seq
                told.message_edited.text = text
            tx.rewrite(room_id, seq, event)
            tx.append(told, "session")

        self.store.commit([Transact(in_transaction)])

    def mentions(self) -> pb.Mentions:
        names = [user_id for user_id in USERS if self.rng.random() < 0.5]
        return pb.Mentions(user_ids=names, room=self.rng.random() < 0.3)

    def naive(self, user_id: str, request: pb.SearchMessagesRequest) -> list[tuple[str, int]]:
        """What a look at every message finds, newest first."""
        found: list[tuple[int, str, int]] = []
        terms = [folded(term) for term in request.terms]
        excluded = [folded(term) for term in request.excluded_terms]
        with self.store.snapshot() as snapshot:
            for room_id in ROOMS:
                room = snapshot.membership(room_id, user_id)
                if not room or not room.role or request.room_id not in ("", room_id):
                    continue
                first = room.first_seq
                if room.history == pb.HISTORY_SINCE_JOIN:
                    first = max(first, room.join_seq)
                for stored in snapshot.events_after(room_id, 0, limit=10**6, max_bytes=10**9):
                    event = pb.Event.FromString(stored.payload)
                    text, stamp = folded(event.message.text), event.create_time.ToMicroseconds()
                    if (
                        stored.seq >= first
                        and event.HasField("message")
                        and not event.message.HasField("deleted")
                        and all(term in text for term in terms)
                        and not any(term in text for term in excluded)
                        and request.sender_user_id in ("", event.user_id)
                        and (not request.has_file or event.message.files)
                        and (
                            not request.mentions_me
                            or user_id in event.message.mentions.user_ids
                            or (
                                event.message.mentions.room
                                and event.user_id != user_id
                                and stored.seq > room.join_seq
                            )
                        )
                        and stamp >= request.from_stamp
                        and stamp < (request.before_stamp or 2**63)
                    ):
                        found.append((-stamp, room_id, stored.seq))
        return [(room_id, seq) for _, room_id, seq in sorted(found)]

    async def found(self, user_id: str, request: pb.SearchMessagesRequest) -> list[tuple[str, int]]:
        """What is found, by pages of all sizes."""
        found: list[tuple[str, int]] = []
        asked = pb.SearchMessagesRequest()
        asked.CopyFrom(request)
        while True:
            asked.page_size = self.rng.choice([1, 3, 7, 50])
            try:
                page = await self.search.search(person(user_id), asked)
            except RoomNotFound:
                return found
            found += [(hit.event.room_id, hit.event.seq) for hit in page.entries]
            for hit in page.entries:
                for start, end in hit.highlights:
                    piece = folded(hit.event.message.text[start:end])
                    assert any(folded(term) in piece for term in request.terms)
                assert hit.highlights or not request.terms
            if not page.next_page_token:
                return found
            asked.page_token = page.next_page_token

    def request(self) -> pb.SearchMessagesRequest:
        rng = self.rng
        request = pb.SearchMessagesRequest()
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            text = self.text() if rng.random() < 0.3 else rng.choice(WORDS)
            form = folded(text)
            start = rng.randrange(len(form)) if form else 0
            part = form[start : start + rng.randint(1, 5)].strip()
            request.terms.append(rng.choice([text, part or text, part or text]))
        if rng.random() < 0.2:
            request.excluded_terms.append(rng.choice(WORDS))
        if rng.random() < 0.2:
            request.room_id = "r1"
        if rng.random() < 0.2 or not request.terms:
            request.sender_user_id = rng.choice(USERS)
        if rng.random() < 0.1:
            request.has_file = True
        if rng.random() < 0.2:
            request.mentions_me = True
        return request


@pytest.fixture
async def world(database: Database, segments: Callable[[], SegmentStore]) -> AsyncIterator[World]:
    store, kept = database.open(), segments()
    members = dict.fromkeys(USERS, pb.ROLE_MEMBER)
    store.commit([put_room(room_id, room_id, members) for room_id in ("r1", "r2")])
    store.commit(
        [
            put_room("r3", "r3", {"alice": pb.ROLE_MEMBER}),
            put_room("hidden", "hidden", {"bob": pb.ROLE_MEMBER}),
        ]
    )
    since_join = pb.RoomUpdated(history=pb.HISTORY_SINCE_JOIN)
    hide = pb.Event(room_id="r2", user_id="alice", room_updated=since_join)
    store.commit([Transact(lambda tx: tx.append(hide, ""))])
    system = ChatSystem(store, LocalBus().port(), segments=kept, housekeeping=False)
    # What is said here is said by sessions that never began.
    store.check_sessions = False
    async with system:
        made = World(store, system, kept, random.Random(7))
        await made.search._load()
        made.search._ready = True
        yield made
    kept.close()


async def make_segment(world: World) -> None:
    await world.search._put(lambda _: world.index.make())


async def remake(world: World) -> None:
    if number := world.index.stale():
        await world.search._put(lambda snapshot: world.index.remake(snapshot, number))


async def restart(world: World) -> None:
    """Begin again with what is kept, as a process does that was killed."""
    world.index.reset()
    world.search._is_loaded = False
    await world.search._load()


async def test_it_finds_what_a_look_at_every_message_finds(world: World) -> None:
    rng = world.rng
    hits = 0
    for step in range(240):
        room_id = rng.choice(ROOMS)
        what = rng.random()
        with world.store.snapshot() as snapshot:
            heads = snapshot.heads(ROOMS)
        if what < 0.62 or not heads[room_id]:
            files = [pb.File(file_id="f")] if rng.random() < 0.2 else []
            mentions = world.mentions() if rng.random() < 0.4 else None
            world.say(room_id, rng.choice(USERS), world.text(), files=files, mentions=mentions)
        elif what < 0.80:
            text = None if rng.random() < 0.4 else world.text()
            world.change(room_id, rng.randint(1, heads[room_id]), text)
        elif what < 0.83:
            # What was said before somebody joined is hidden from them in r2.
            with world.store.snapshot() as snapshot:
                room = snapshot.membership("r2", user := rng.choice(USERS))
            assert room
            change = pb.MEMBERSHIP_CHANGE_REMOVED if room.role else pb.MEMBERSHIP_CHANGE_JOINED
            role = pb.ROLE_UNSPECIFIED if room.role else pb.ROLE_MEMBER
            world.store.commit(
                [Transact(partial(change_membership, change=change, room_id="r2", user_id=user, role=role))]
            )
        elif what < 0.85 and room_id != "r2":
            members = {user: pb.ROLE_MEMBER for user in USERS if rng.random() < 0.7}
            world.store.commit([put_room(room_id, room_id, members)])
        elif what < 0.86:
            world.store.commit([truncate(room_id, rng.randint(1, heads[room_id]))])
        elif what < 0.90:
            await make_segment(world)
        elif what < 0.96:
            await remake(world)
        else:
            await restart(world)
        if step % 3 == 0:
            user_id, request = rng.choice(USERS), world.request()
            found = await world.found(user_id, request)
            assert found == world.naive(user_id, request), request
            hits += len(found)
    assert hits > 100


async def test_the_best_come_first_and_all_of_them(world: World) -> None:
    for text in ("other", "the", "there is a the", "bathe", "nothing", "the the"):
        world.say("r1", "alice", text)
    request = pb.SearchMessagesRequest(terms=["the"], order=pb.SEARCH_ORDER_BEST, page_size=2)
    texts: list[str] = []
    while True:
        page = await world.search.search(person("alice"), request)
        texts += [hit.event.message.text for hit in page.entries]
        world.say("r1", "bob", "the newest the")
        request.page_token = page.next_page_token
        if not request.page_token:
            break

    assert texts == ["the", "the the", "there is a the", "bathe", "other"]


async def test_what_others_say_elsewhere_changes_nothing(world: World) -> None:
    """No hit, no token, no size of a page tells of a room that one is not in."""
    for number in range(30):
        world.say("r3", "alice", f"secret {number}")
    request = pb.SearchMessagesRequest(terms=["secret"], page_size=5)
    before = await world.search.search(person("alice"), request)
    nothing = await world.search.search(person("bob"), request)
    for number in range(200):
        world.say("hidden", "bob", f"secret {number}")
    for _ in range(2):
        after = await world.search.search(person("alice"), request)
        assert (after, (await world.search.search(person("mallory"), request))) == (before, nothing)
        await make_segment(world)

    request.room_id = "hidden"
    with pytest.raises(Exception, match="no such room"):
        await world.search.search(person("alice"), request)


async def test_nothing_of_a_deleted_message_is_left_in_the_files(world: World, tmp_path: Path) -> None:
    world.say("r1", "alice", "zqxjkvw geheimnis")
    world.say("r1", "alice", "something else")
    request = pb.SearchMessagesRequest(terms=["zqxjkvw"])
    assert len(await world.found("alice", request)) == 1
    await make_segment(world)
    world.change("r1", 1, None)
    assert await world.found("alice", request) == []
    await remake(world)

    assert not world.index.stale()
    assert await world.found("alice", request) == []
    kept = world.segments.load(world.store.epoch)
    for segment in kept.segments:
        for beginning in ("zqx", "qxj", "xjk", "jkv", "kvw"):
            for block in world.segments.blocks(segment.number, beginning):
                assert beginning not in segments_of._opened(block)


async def test_nothing_is_left_of_a_deleted_room(world: World) -> None:
    """Neither where it is told of that at once, nor where it was stopped meanwhile."""
    for restarted, room_id in ((False, "r3"), (True, "hidden")):
        for in_segment in (True, False):
            world.say(room_id, "alice", "zqxjkvw")
            world.say("r1", "alice", "stays")
            await world.search._follow_all()
            if in_segment:
                await make_segment(world)
        world.store.commit([Transact(lambda tx, room_id=room_id: tx.delete_room(room_id))])  # type: ignore[misc]
        if restarted:
            await restart(world)
            await world.search._follow_all()
        else:
            world.search.forget(room_id)
        while world.index.stale():
            await remake(world)

        kept = world.segments.load(world.store.epoch).segments
        assert room_id not in {part.room_id for segment in kept for part in segment.parts}
        assert not any(segments_of.find(world.segments, segment, [needed("zqxjkvw")]) for segment in kept)
    assert len(await world.found("alice", pb.SearchMessagesRequest(terms=["stays"]))) == 4


async def test_an_index_of_another_history_or_a_damaged_one_is_made_again(
    world: World, tmp_path: Path
) -> None:
    for number in range(5):
        world.say("r1", "alice", f"found {number}")
    request = pb.SearchMessagesRequest(terms=["found"])
    await world.found("alice", request)
    await make_segment(world)
    assert world.segments.load(world.store.epoch).segments

    assert not world.segments.load("another").segments
    if isinstance(world.segments, SqliteSegments):
        world.segments._disconnect()
        (tmp_path / "search.db").write_bytes(b"nonsense" * 1000)
        with pytest.raises(Damaged):
            world.segments.load(world.store.epoch)
    await restart(world)
    assert len(await world.found("alice", request)) == 5


async def test_a_search_that_would_have_much_to_read_first_says_so(world: World) -> None:
    world.search._ready = False
    with pytest.raises(Unavailable, match="still being made"):
        await world.search.search(person("alice"), pb.SearchMessagesRequest(terms=["x"]))
    running = asyncio.create_task(world.search.run())
    await until(lambda: world.search._ready)
    running.cancel()
    assert not await world.found("alice", pb.SearchMessagesRequest(terms=["x"]))


async def test_what_nothing_can_be_found_by_is_refused(world: World) -> None:
    for request, field in [
        (pb.SearchMessagesRequest(), "terms"),
        (pb.SearchMessagesRequest(excluded_terms=["x"]), "terms"),
        (pb.SearchMessagesRequest(terms=["x", " \u0301"]), r"terms\[1\]"),
        (pb.SearchMessagesRequest(terms=["x"], page_token="AAAA"), "page_token"),
    ]:
        with pytest.raises(InvalidRequest, match=field):
            await world.search.search(person("alice"), request)


def test_what_search_reads_of_the_logs(database: Database) -> None:
    store = database.open()
    store.commit([put_room(room_id, room_id, {"alice": pb.ROLE_MEMBER}) for room_id in ("b", "a", "c")])
    for room_id, text in (("b", "one"), ("b", "two"), ("c", "three")):
        event = pb.Event(room_id=room_id, user_id="alice", message=pb.Message(text=text))
        store.commit([Transact(lambda tx, event=event: tx.append(event, ""))])  # type: ignore[misc]

    with store.snapshot() as snapshot:
        assert snapshot.heads_after("", limit=2) == [("a", 0), ("b", 2)]
        assert snapshot.heads_after("b", limit=2) == [("c", 1)]
        found = snapshot.payloads_at([("b", 2), ("b", 9), ("nowhere", 1), ("c", 1)])
    said = {place: pb.Event.FromString(payload).message.text for place, payload in found.items()}
    assert said == {("b", 2): "two", ("c", 1): "three"}
