"""Clients that keep things for themselves in one session and look for them in another, and one that types."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from grpc_chat.wire import chat_pb2 as pb
from tests.torture.changers import MARK, Pool
from tests.torture.history import DEFINITE, History, body_hash
from tests.torture.items import listed
from tests.torture.load import WORDS, Client, Stubs, metadata

_TRIES = 400
_WAITING = 40
"""How many scheduled messages there are at a time."""
_SOON = 10.0
"""Seconds in which the other session hears of a change, and a message is sent that is due."""
LEVELS = {
    pb.NOTIFICATION_LEVEL_ALL: "all",
    pb.NOTIFICATION_LEVEL_MENTIONS: "mentions",
    pb.NOTIFICATION_LEVEL_NOTHING: "nothing",
}


@dataclass
class Later:
    """A message that is to be sent later."""

    room: str
    id: str
    due: float
    """By the clock of the history."""


class Keeper(Client):
    """Keeps drafts, saved messages, a status and levels of notification, and schedules messages; changes each
    again and again, one thing at a time, until the outcome is known.

    Attributes:
        texts: By what stands for it, the marked word of every draft.
        changed: By what is kept, when a change of it was asked for that was answered.
    """

    def __init__(self, *args: Any, rooms: Sequence[str], pool: Pool, pause: float) -> None:
        super().__init__(*args)
        self._rooms = rooms
        self._pool = pool
        self._pause = pause
        self._waiting: list[Later] = []
        self._values: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.changed: dict[str, float] = {}

    async def run(self) -> None:
        turns = [self._draft, self._draft, self._save, self._level, self._mute, self._status]
        turns += [self._schedule, self._schedule, self._reschedule]
        while not self.stopping.is_set():
            await self.random.choice(turns)()
            await self.pause(self.random.uniform(0, 2 * self._pause))
        # What the other session hears of while nothing else happens.
        await self._draft()
        await self._save()

    @property
    def drafts(self) -> set[str]:
        """What stands for the drafts as they are."""
        return {value for key, value in self._values.items() if key.startswith("draft")}

    # What is kept

    async def _draft(self) -> None:
        pick, room = self.random, self.random.choice(self._rooms)
        text = ""
        if pick.random() < 0.8:
            word = f"{MARK}{pick.getrandbits(56):014x}"
            text = f"{pick.choice(WORDS)} {word}" + " long" * pick.choice([0, 0, 0, 300])
            self.texts[body_hash(text)] = word
        request = pb.SaveDraftRequest(room_id=room, text=text)
        await self._keep(f"draft {room}", text and body_hash(text), self.stubs.personal.SaveDraft, request)

    async def _save(self) -> None:
        if not (said := self._pool.said[-50:]):
            return
        one, personal = self.random.choice(said), self.stubs.personal
        key = f"saved {one.room} {one.seq}"
        where: dict[str, Any] = {"room_id": one.room, "seq": one.seq}
        if self._values.get(key):
            await self._keep(key, "", personal.UnsaveMessage, pb.UnsaveMessageRequest(**where))
        else:
            await self._keep(key, "saved", personal.SaveMessage, pb.SaveMessageRequest(**where))

    async def _level(self) -> None:
        room, level = self.random.choice(self._rooms), self.random.choice(list(LEVELS))
        request = pb.UpdateNotificationsRequest(
            room_id=room, level=level, update_mask=FieldMask(paths=["level"])
        )
        await self._keep(f"level {room}", LEVELS[level], self.stubs.rooms.UpdateNotifications, request)

    async def _mute(self) -> None:
        room, seconds = self.random.choice(self._rooms), self.random.choice([0.0, 0.0, 0.3, 1.5])
        muted = seconds > 0 or self.random.random() < 0.5
        request = pb.UpdateNotificationsRequest(
            room_id=room, muted=muted, update_mask=FieldMask(paths=["muted"])
        )
        if seconds:
            request.mute_lifetime.FromMilliseconds(int(seconds * 1000))
        method = self.stubs.rooms.UpdateNotifications
        await self._keep(f"mute {room}", "muted" if muted else "", method, request, lasts=seconds)

    async def _status(self) -> None:
        text = f"{self.random.choice(WORDS[:5])} {self.random.getrandbits(32)}"
        await self._keep("status", text, self.stubs.presence.UpdateStatus, pb.UpdateStatusRequest(text=text))

    async def _keep(self, key: str, value: str, method: Any, request: Any, **more: Any) -> None:
        """Keep something until it is known to be kept, or refused."""
        before = self._values.get(key)
        for _ in range(_TRIES):
            call, t = self.history.number(), self.history.clock()
            told = {"client": self.name, "user": self.user, "key": key, "value": value}
            self.history.add("keep", op="invoke", t=t, call=call, **told, **more)
            code = await self._outcome(method, request)
            op = "ok" if code is None else "fail" if code in DEFINITE else "info"
            self.history.add("keep", op=op, call=call, code=code.name if code else "")
            if op == "info":
                await asyncio.sleep(0.1)
                continue
            if op == "ok":
                self._values[key] = value
                # Of what changes nothing there is nothing to hear, as after a saved message was deleted.
                if value != before and (key.startswith("draft") or value == "saved"):
                    self.changed[key] = t
            return

    async def _outcome(self, method: Any, request: Any) -> grpc.StatusCode | None:
        try:
            self._answer = await method(request, timeout=5, metadata=self.metadata)
        except grpc.aio.AioRpcError as error:
            code: grpc.StatusCode = error.code()
            return code
        return None

    # What is sent later

    async def _schedule(self) -> None:
        pick, now = self.random, self.history.clock()
        self._waiting = [later for later in self._waiting if later.due > now - 1]
        if len(self._waiting) >= _WAITING:
            return
        room, id_ = pick.choice(self._rooms), str(UUID(int=pick.getrandbits(128)))
        text, seconds = f"later {pick.getrandbits(64):x}", pick.choice([0.3, 1.0, 3.0])
        message = pb.OutgoingMessage(room_id=room, client_message_id=id_, text=text)
        request = pb.ScheduleMessageRequest(message=message)
        request.send_time.FromMicroseconds(int((time.time() + seconds) * 1_000_000))
        later = Later(room, id_, now + seconds)
        if await self._later("schedule", later, self.stubs.personal.ScheduleMessage, request, text):
            self._waiting.append(later)

    async def _reschedule(self) -> None:
        """Change one of the messages, or cancel it."""
        if not self._waiting:
            return
        pick, personal = self.random, self.stubs.personal
        later = pick.choice(self._waiting)
        what = pick.choice(["text", "time", "cancel"])
        if what == "cancel":
            self._waiting.remove(later)
            cancel = pb.CancelScheduledMessageRequest(scheduled_message_id=later.id)
            await self._later(what, later, personal.CancelScheduledMessage, cancel)
            return
        request = pb.UpdateScheduledMessageRequest(scheduled_message_id=later.id)
        text = ""
        if what == "text":
            text = request.text = f"later {pick.getrandbits(64):x}"
            request.update_mask.paths.append("text")
        else:
            seconds = pick.choice([0.5, 1.5])
            later.due = self.history.clock() + seconds
            request.send_time.FromMicroseconds(int((time.time() + seconds) * 1_000_000))
            request.update_mask.paths.append("send_time")
        await self._later(what, later, personal.UpdateScheduledMessage, request, text)

    async def _later(self, what: str, later: Later, method: Any, request: Any, text: str = "") -> bool:
        for _ in range(_TRIES):
            call = self.history.number()
            told: dict[str, Any] = {"what": what, "room": later.room, "id": later.id, "due": later.due}
            told |= {"client": self.name, "user": self.user, "body": text and body_hash(text)}
            self.history.add("later", op="invoke", call=call, **told)
            code = await self._outcome(method, request)
            op = "ok" if code is None else "fail" if code in DEFINITE else "info"
            self.history.add("later", op=op, call=call, code=code.name if code else "")
            if op != "info":
                return op == "ok"
            await asyncio.sleep(0.1)
        return False


async def all_sent(stubs: Stubs, history: History, user: str) -> None:
    """Wait until nothing that is due waits; what does not go is written down for the checker."""
    deadline = time.monotonic() + _SOON + 4
    while True:
        request = pb.ListScheduledMessagesRequest(page_size=100)
        answer = await stubs.personal.ListScheduledMessages(
            request, timeout=10, metadata=metadata(user), wait_for_ready=True
        )
        if not answer.scheduled or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.05)
    left = [[each.scheduled_message_id, each.failure.reason] for each in answer.scheduled]
    history.add("waiting", user=user, left=left)


class Twin(Client):
    """Another session of a keeper's: it is told what changes, and looks for it.

    Attributes:
        told: By what is kept, when this session was last told that it has changed.
        open: Whether its stream is.
    """

    def __init__(self, *args: Any, rooms: Sequence[str], pause: float) -> None:
        super().__init__(*args)
        self._rooms = rooms
        self._pause = pause
        self._since = 0.0
        self.told: dict[str, float] = {}
        self.open = False

    async def run(self) -> None:
        await asyncio.gather(self._follow(), self._look())

    async def _look(self) -> None:
        while not self.stopping.is_set():
            with contextlib.suppress(grpc.aio.AioRpcError):
                await look(self.stubs, self.history, self.name, self.user)
                # It types, too, of which it is not told.
                room = self.random.choice(self._rooms)
                self.history.add("typing", user=self.user, room=room)
                await self.stubs.presence.SendTyping(
                    pb.SendTypingRequest(room_id=room), timeout=5, metadata=self.metadata
                )
            await self.pause(self.random.uniform(0, 2 * self._pause))

    async def _follow(self) -> None:
        request = pb.SubscribeRequest(
            all_rooms=True, start=pb.START_LATEST, read_state=True, personal=True, signals=True
        )
        while not self.stopping.is_set():
            stream = self.history.number()
            call = self.stubs.subscribe.Subscribe(request, metadata=self.metadata)
            stopped = asyncio.create_task(self.stopping.wait())
            stopped.add_done_callback(lambda _, call=call: call.cancel())  # type: ignore[misc]
            try:
                async for response in call:
                    self._take(response, stream)
            except (grpc.aio.AioRpcError, asyncio.CancelledError):
                if not self.stopping.is_set():
                    await self.pause(0.05)
            finally:
                self.open = False
                stopped.cancel()
                call.cancel()
                self.history.add("listen", op="close", stream=stream, end=self.stopping.is_set())

    def _take(self, response: pb.SubscribeResponse, stream: int) -> None:
        t = self.history.clock()
        if response.HasField("started"):
            self.open, self._since = True, t
            self.history.add("listen", op="open", t=t, stream=stream, user=self.user)
        keys = []
        for change in response.personal:
            match change.WhichOneof("what"):
                case "draft":
                    keys.append(f"draft {change.draft.room_id}")
                case "saved":
                    keys.append(f"saved {change.saved.room_id} {change.saved.seq}")
                case None:
                    keys.append("")
        for key in keys:
            self.told[key] = t
            self.history.add("listen", op="hint", t=t, stream=stream, key=key)
        tell_signals(self.history, self.user, response)

    async def heard(self, keeper: Keeper) -> None:
        """Wait until it was told of everything that the keeper has changed while its stream was open."""
        deadline = time.monotonic() + _SOON + 1
        while time.monotonic() < deadline:
            owed = {key: t for key, t in keeper.changed.items() if t > self._since}
            everything = self.told.get("", 0.0)
            if self.open and all(max(self.told.get(key, 0.0), everything) > t for key, t in owed.items()):
                return
            await asyncio.sleep(0.05)


def tell_signals(history: History, user: str, response: pb.SubscribeResponse) -> None:
    """Write down who types, as somebody is told."""
    for signal in response.signals:
        if signal.HasField("typing") and signal.typing.HasField("lifetime"):
            history.add("signal", user=user, room=signal.room_id, who=signal.user_id)


async def look(stubs: Stubs, history: History, client: str, user: str) -> None:
    """Ask for everything that somebody keeps."""
    told, caller = {"client": client, "user": user}, {"timeout": 10, "metadata": metadata(user)}
    t0 = history.clock()
    drafts = await stubs.personal.ListDrafts(pb.ListDraftsRequest(page_size=100), **caller)
    values = {f"draft {each.room_id}": body_hash(each.text) for each in drafts.drafts}
    history.add("kept", t0=t0, of="draft", values=values, **told)
    t0 = history.clock()
    token, values, items = "", {}, []
    while True:
        request = pb.ListSavedMessagesRequest(page_size=500, page_token=token)
        page = await stubs.personal.ListSavedMessages(request, **caller)
        values |= {f"saved {each.room_id} {each.seq}": "saved" for each in page.saved}
        shown = [each.event for each in page.saved if each.HasField("event")]
        items += [[event.room_id, *listed([event])] for event in shown]
        if not (token := page.next_page_token):
            break
    history.add("kept", t0=t0, of="saved", values=values, items=items, epoch=page.epoch, **told)
    t0 = history.clock()
    rooms = await stubs.rooms.ListRooms(pb.ListRoomsRequest(page_size=100), **caller)
    values = {}
    for room in rooms.rooms:
        level = LEVELS.get(room.notifications.level, "all")
        values[f"level {room.room_id}"] = level
        values[f"mute {room.room_id}"] = "muted" if room.notifications.muted else ""
    history.add("kept", t0=t0, of="", values=values, **told)
    t0 = history.clock()
    presence = await stubs.presence.GetPresence(pb.GetPresenceRequest(user_ids=[user]), **caller)
    values = {"status": presence.presences[0].status.text}
    history.add("kept", t0=t0, of="", values=values, **told)


class Typist(Client):
    """Types in rooms, in floods."""

    def __init__(self, *args: Any, rooms: Sequence[str], burst: int, pause: float) -> None:
        super().__init__(*args)
        self._rooms = rooms
        self._burst = burst
        self._pause = pause
        self.sent = 0

    async def run(self) -> None:
        while not self.stopping.is_set():
            await asyncio.gather(*[self._type(self.random.choice(self._rooms)) for _ in range(self._burst)])
            await self.pause(self._pause)

    async def _type(self, room: str) -> None:
        self.history.add("typing", user=self.user, room=room)
        request = pb.SendTypingRequest(room_id=room)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self.stubs.presence.SendTyping(request, timeout=5, metadata=self.metadata)
            self.sent += 1
