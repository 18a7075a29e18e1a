"""A part of the model of membership: people change what was said, or try to, and look at what it is now."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Coroutine
from typing import Any, TypeVar

from google.protobuf.message import Message
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from grpc_chat.wire import chat_pb2 as pb
from tests.calls import Reply
from tests.property.places import ROOMS, USERS, Place

T = TypeVar("T")

ANY = st.integers(0, 1000)
WHO = st.sampled_from(USERS)
WHERE = st.sampled_from(ROOMS)
# The owner's most of the time: who sends most may change most.
WRITER = st.sampled_from(["owner", "owner", "owner", *USERS])
WHAT = st.sampled_from(["edit", "edit", "delete", "react", "react", "unreact", "pin", "unpin"])
EMOJI = st.sampled_from(["👍", "🎉"])
RANKS = {"reader": 1, "member": 2, "admin": 3, "owner": 4}


class Changing(RuleBasedStateMachine):
    """The rules about messages that are there already."""

    places: dict[str, Place]
    files: dict[str, list[tuple[str, int]]]
    said: int

    @abstractmethod
    def _run(self, work: Coroutine[Any, Any, T]) -> T: ...

    @abstractmethod
    async def _call(self, user: str, method: str, request: Message) -> Reply: ...

    @abstractmethod
    async def _answered(self) -> None: ...

    @abstractmethod
    async def _read_logs(self) -> None: ...

    @abstractmethod
    def _message(self, where: str) -> pb.OutgoingMessage: ...

    @abstractmethod
    def _stranger(self, where: str) -> str: ...

    @abstractmethod
    def _unless_archived(self, place: Place) -> str: ...

    @rule(who=WRITER, where=WHERE, which=ANY, what=WHAT, emoji=EMOJI)
    def change(self, who: str, where: str, which: int, what: str, emoji: str) -> None:
        """A message is edited, deleted or reacted to, if it may be; or something that is none."""
        place = self.places[where]

        async def change() -> None:
            await self._answered()
            await self._read_logs()
            seq = self._some_message(place, which)
            expected = self._expected(who, where, seq, what)
            reply = await self._call(who, *self._request(place.room_id, seq, what, emoji))
            assert reply.reason == expected, (what, who, seq)
            if expected != "OK":
                return
            place.touched.append(seq)
            if what == "edit":
                place.changed(reply.read(pb.EditMessageResponse).event)
            elif what == "delete":
                [gone] = reply.read(pb.DeleteMessagesResponse).events
                place.changed(gone)
                place.reactions.pop(seq, None)
                for carriers in self.files.values():
                    carriers[:] = [each for each in carriers if each != (where, seq)]
                if seq in place.pins:
                    place.pins.remove(seq)
            elif what == "pin" and seq not in place.pins:
                place.pins.append(seq)
            elif what == "unpin" and seq in place.pins:
                place.pins.remove(seq)
            elif what == "react":
                place.reactions.setdefault(seq, set()).add((emoji, who))
            elif what == "unreact":
                place.reactions.get(seq, set()).discard((emoji, who))
            await self._read_logs()

        self._run(change())

    def _some_message(self, place: Place, which: int) -> int:
        """Mostly a message, the newer the likelier; now and then any event, or none."""
        messages = [event.seq for event in place.log if event.HasField("message")]
        if not messages or which % 8 == 0:
            return which % (place.head + 2) + 1
        if which % 2 and place.touched:
            return place.touched[which % len(place.touched)]
        return messages[-1 - (which * which // 1000) % len(messages)]

    def _request(self, room_id: str, seq: int, what: str, emoji: str) -> tuple[str, Message]:
        where: dict[str, Any] = {"room_id": room_id, "seq": seq}
        if what == "edit":
            self.said += 1
            request = pb.EditMessageRequest(text=f"w{self.said}e", **where)
            return "MessageService/EditMessage", request
        if what == "delete":
            return "MessageService/DeleteMessages", pb.DeleteMessagesRequest(room_id=room_id, seqs=[seq])
        if what == "pin":
            return "MessageService/PinMessage", pb.PinMessageRequest(**where)
        if what == "unpin":
            return "MessageService/UnpinMessage", pb.UnpinMessageRequest(**where)
        if what == "react":
            return "MessageService/AddReaction", pb.AddReactionRequest(emoji=emoji, **where)
        return "MessageService/RemoveReaction", pb.RemoveReactionRequest(emoji=emoji, **where)

    def _expected(self, who: str, where: str, seq: int, what: str) -> str:
        place = self.places[where]
        role = "owner" if who == "owner" else place.members.get(who)
        if role is None:
            return self._stranger(where)
        least = {"delete": "reader", "pin": "admin", "unpin": "admin"}.get(what, "member")
        if RANKS[role] < RANKS[least]:
            return "PERMISSION_DENIED"
        if what != "delete" and place.archived:
            return "ROOM_ARCHIVED"
        event = place.message(seq)
        if event is None or (role != "owner" and seq < place.first(who)):
            return "MESSAGE_NOT_FOUND"
        if what == "delete":
            return self._expected_of_deletion(place, who, role, event.user_id)
        if what == "edit" and event.user_id != who:
            return "PERMISSION_DENIED"
        if what == "edit" and event.message.HasField("poll"):
            return "FAILED_PRECONDITION"
        return "MESSAGE_NOT_FOUND" if event.message.HasField("deleted") else "OK"

    @rule(who=WRITER, where=WHERE, which=ANY, in_thread=st.booleans())
    def answer(self, who: str, where: str, which: int, *, in_thread: bool) -> None:
        """A message is replied to, or a thread begun or continued, by those who may read it."""
        place = self.places[where]

        async def answer() -> None:
            await self._answered()
            await self._read_logs()
            await self._answer_to(who, where, self._some_message(place, which), in_thread=in_thread)

        self._run(answer())

    async def _answer_to(self, who: str, where: str, seq: int, *, in_thread: bool) -> None:
        message = self._message(where)
        if in_thread:
            message.thread_root = seq
        else:
            message.reply_to = seq
        request = pb.SendMessagesRequest(messages=[message])
        reply = await self._call(who, "MessageService/SendMessages", request)
        assert reply.reason == self._expected_of_answer(who, where, seq, in_thread=in_thread), (who, seq)
        await self._read_logs()

    def _expected_of_answer(self, who: str, where: str, seq: int, *, in_thread: bool) -> str:
        place = self.places[where]
        role = "owner" if who == "owner" else place.members.get(who)
        if role is None:
            return self._stranger(where)
        if role == "reader":
            return "PERMISSION_DENIED"
        if place.archived:
            return "ROOM_ARCHIVED"
        first = 1 if who == "owner" else place.first(who)
        if in_thread and place.is_in_thread(seq, first):
            return "OK"
        event = place.message(seq)
        if event is None or seq < first:
            return "MESSAGE_NOT_FOUND"
        return "INVALID_REQUEST" if in_thread and event.message.thread_root else "OK"

    @rule(who=WRITER, where=WHERE, which=ANY)
    def vote(self, who: str, where: str, which: int) -> None:
        """The owner asks a question, or somebody votes in a poll, or in what is none."""
        place = self.places[where]

        async def vote() -> None:
            await self._answered()
            await self._read_logs()
            polls = [event.seq for event in place.log if event.message.HasField("poll")]
            if which % 3 == 0 or not polls:
                asked = self._message(where)
                asked.poll.options.extend(["yes", "no"])
                sending = pb.SendMessagesRequest(messages=[asked])
                reply = await self._call("owner", "MessageService/SendMessages", sending)
                assert reply.reason == ("ROOM_ARCHIVED" if place.archived else "OK")
                await self._read_logs()
            seq = polls[-1 - which % len(polls)] if polls and which % 5 else self._some_message(place, which)
            request = pb.VotePollRequest(room_id=place.room_id, seq=seq, choices=[which % 2])
            reply = await self._call(who, "PollService/VotePoll", request)
            expected = self._expected_of_vote(who, where, seq)
            assert reply.reason == expected, (who, seq)
            if expected == "OK":
                place.votes.setdefault(seq, {})[who] = which % 2
            await self._read_logs()

        self._run(vote())

    @rule(who=WRITER, where=WHERE, which=ANY)
    def close_poll(self, who: str, where: str, which: int) -> None:
        """A poll of the owner's is closed by those who may, and nobody votes in it any longer."""
        place = self.places[where]

        async def close() -> None:
            await self._answered()
            await self._read_logs()
            polls = [event.seq for event in place.log if event.message.HasField("poll")]
            if not polls:
                return
            seq = polls[-1 - which % len(polls)]
            request = pb.ClosePollRequest(room_id=place.room_id, seq=seq)
            reply = await self._call(who, "PollService/ClosePoll", request)
            assert reply.reason == self._expected_of_closing(who, where, seq), (who, seq)
            if reply.reason == "OK" and not place.is_closed(seq):
                place.changed(reply.read(pb.ClosePollResponse).event)
            await self._read_logs()

        self._run(close())

    def _expected_of_closing(self, who: str, where: str, seq: int) -> str:
        place = self.places[where]
        role = "owner" if who == "owner" else place.members.get(who)
        if role is None:
            return self._stranger(where)
        if role != "owner" and seq < place.first(who):
            return "MESSAGE_NOT_FOUND"
        if RANKS[role] < RANKS["admin"]:
            return "PERMISSION_DENIED"
        # Admins close the polls of those below them.
        return "PERMISSION_DENIED" if role == "admin" and not place.archived else self._unless_archived(place)

    def _expected_of_vote(self, who: str, where: str, seq: int) -> str:
        expected = self._expected(who, where, seq, "react")
        event = self.places[where].message(seq)
        if expected == "OK" and event and not event.message.HasField("poll"):
            return "POLL_NOT_FOUND"
        if expected == "OK" and self.places[where].is_closed(seq):
            return "POLL_CLOSED"
        return expected

    def _expected_of_deletion(self, place: Place, who: str, role: str, author: str) -> str:
        mine = RANKS[role]
        if author == who:
            return "ROOM_ARCHIVED" if place.archived and mine < RANKS["admin"] else "OK"
        theirs = RANKS["owner"] if author == "owner" else RANKS.get(place.members.get(author, ""), 0)
        may = mine == RANKS["owner"] or (mine >= RANKS["admin"] and theirs < mine)
        return "OK" if may else "PERMISSION_DENIED"

    @rule(who=WHO, where=WHERE, which=ANY)
    def look_at(self, who: str, where: str, which: int) -> None:
        """A message is found by what it says now, by those who may read it."""
        place = self.places[where]

        async def look_at() -> None:
            await self._answered()
            await self._read_logs()
            seq = self._some_message(place, which)
            event = place.message(seq)
            seen = who in place.members and event is not None and seq >= place.first(who)
            if event and (term := event.message.text.partition(" ")[0]):
                assert await self._found(who, terms=[term]) == ([event] if seen else [])

        self._run(look_at())

    async def _found(self, who: str, **wanted: Any) -> list[pb.Event]:
        """What a search finds, the oldest first."""
        request = pb.SearchMessagesRequest(page_size=500, **wanted)
        reply = await self._call(who, "MessageService/SearchMessages", request)
        return [hit.event for hit in reversed(reply.read(pb.SearchMessagesResponse).hits)]

    def come_back(self, where: str) -> None:
        """Somebody leaves and joins again: where that hides what was said, it is hidden in every way."""
        place = self.places[where]
        if place.archived or not place.members:
            return
        who = max(place.members)
        self.vote("owner", where, 0)
        # The poll is the newest message that is in no thread.
        root = max(event.seq for event in place.log if event.message.HasField("poll"))
        self._run(self._answer_to("owner", where, root, in_thread=True))
        request = pb.PinMessageRequest(room_id=place.room_id, seq=root)
        assert self._run(self._call("owner", "MessageService/PinMessage", request)).reason == "OK"
        place.pins.append(root)
        self.remove_and_add(who, where)

        async def answer_to_all() -> None:
            await self._answered()
            await self._read_logs()
            for event in [event for event in place.log if event.HasField("message")][-4:]:
                for in_thread in (True, False):
                    await self._answer_to(who, where, event.seq, in_thread=in_thread)

        self._run(answer_to_all())

    @abstractmethod
    def remove_and_add(self, who: str, where: str) -> None: ...

    async def look_at_all(self) -> None:
        """Everybody searches for all that was said, and asks for all reactions; what was changed is found by
        what it says now, also if it is changed once more."""
        for place in self.places.values():
            mine = [event for event in place.log if event.message.text and event.user_id == "owner"]
            texts = [event for event in mine if not event.message.HasField("poll")]
            if texts and not place.archived:
                assert await self._found("owner", room_id=place.room_id, sender_user_id="owner") == mine
                method, request = self._request(place.room_id, texts[-1].seq, "edit", "")
                reply = await self._call("owner", method, request)
                place.changed(reply.read(pb.EditMessageResponse).event)
                await self._read_logs()
            for who in place.members:
                first = place.first(who)
                seen = [event for event in place.log[first - 1 :] if event.message.text]
                mine = [event for event in seen if event.user_id == "owner"]
                assert await self._found(who, room_id=place.room_id, sender_user_id="owner") == mine
                for event in seen:
                    if event.message.edits:
                        assert await self._found(who, terms=[event.message.text]) == [event]
                await self._look_at_reactions(who, place)
                await self._look_at_polls(who, place)
                request = pb.ListPinsRequest(room_id=place.room_id, page_size=500)
                reply = await self._call(who, "MessageService/ListPins", request)
                pinned = [pin.event.seq for pin in reply.read(pb.ListPinsResponse).pins]
                assert pinned == [seq for seq in reversed(place.pins) if seq >= first]

    async def _look_at_reactions(self, who: str, place: Place) -> None:
        asked = list(dict.fromkeys(place.touched))[:100]
        if not asked:
            return
        request = pb.GetReactionsRequest(room_id=place.room_id, seqs=asked)
        reply = await self._call(who, "MessageService/GetReactions", request)
        given = {
            (told.seq, count.emoji, count.count, count.mine)
            for told in reply.read(pb.GetReactionsResponse).messages
            for count in told.counts
        }
        chosen = {seq: place.reactions.get(seq, set()) for seq in asked if seq >= place.first(who)}
        assert given == {
            (seq, emoji, sum(each == emoji for each, _ in of_message), (emoji, who) in of_message)
            for seq, of_message in chosen.items()
            for emoji, _ in of_message
        }

    async def _look_at_polls(self, who: str, place: Place) -> None:
        """How polls stand is told to those who may see them."""
        polls = [event.seq for event in place.log if event.message.HasField("poll")][:100]
        if not polls:
            return
        request = pb.GetPollsRequest(room_id=place.room_id, seqs=polls)
        reply = await self._call(who, "PollService/GetPolls", request)
        given = {told.seq: list(told.counts) for told in reply.read(pb.GetPollsResponse).polls}
        votes = {seq: list(place.votes.get(seq, {}).values()) for seq in polls if seq >= place.first(who)}
        assert given == {seq: [chosen.count(0), chosen.count(1)] for seq, chosen in votes.items()}

    @rule(who=WHO, where=WHERE)
    def count(self, who: str, where: str) -> None:
        """What is unread is what counting gives."""
        place = self.places[where]

        async def count() -> None:
            await self._answered()
            await self._read_logs()
            request = pb.GetRoomRequest(room_id=place.room_id)
            marker = (await self._call(who, "RoomService/GetRoom", request)).read(pb.GetRoomResponse)
            read = marker.room.read_marker
            assert read.seq >= place.windows(who)[-1][0]
            assert read.unread_count == place.unread(who, read.seq)

        if who in place.members:
            self._run(count())

    @rule(who=WHO, where=WHERE, which=ANY, back=st.booleans())
    def read(self, who: str, where: str, which: int, *, back: bool) -> None:
        """A member's marker moves, and what is unread is what counting gives."""
        place = self.places[where]

        async def read() -> None:
            await self._answered()
            await self._read_logs()
            marker = pb.ReadMarker(room_id=place.room_id, seq=which % (place.head + 1))
            request = pb.MarkReadRequest(markers=[marker], back=back)
            reply = await self._call(who, "MessageService/MarkRead", request)
            if who not in place.members:
                assert reply.reason == self._stranger(where)
                return
            [moved] = reply.read(pb.MarkReadResponse).markers
            assert moved.unread_count == place.unread(who, moved.seq)
            assert moved.last_seq == place.head

        self._run(read())

    @rule(who=WHO)
    def look_at_rooms(self, who: str) -> None:
        """The rooms that wait are those with unread messages; each shows the newest that may be read."""

        async def look_at_rooms() -> None:
            await self._answered()
            await self._read_logs()
            reply = await self._call(who, "RoomService/ListInbox", pb.ListInboxRequest(include_read=True))
            inbox = reply.read(pb.ListInboxResponse)
            mine = {place.room_id: place for place in self.places.values() if who in place.members}
            found = {room.room_id: room for room in inbox.rooms if room.kind != pb.ROOM_KIND_DIRECT}
            assert found.keys() == mine.keys()
            waiting = [room.read_marker.unread_count > 0 for room in inbox.rooms]
            assert waiting == sorted(waiting, reverse=True)
            assert inbox.waiting_rooms == sum(waiting)
            for room_id, place in mine.items():
                room = found[room_id]
                assert room.read_marker.unread_count == place.unread(who, room.read_marker.seq)
                newest = place.newest()
                shown = room.last_message if room.HasField("last_message") else None
                if newest is None or newest.seq < place.first(who):
                    assert shown is None
                elif newest.seq > place.head - 100:
                    assert shown
                    assert (shown.seq, shown.text) == (newest.seq, newest.message.text[:200])

        self._run(look_at_rooms())

    @rule(who=WHO, where=WHERE, which=ANY)
    def look_at_receipts(self, who: str, where: str, which: int) -> None:
        """Who may read a message sees whom it was for; about others ask those who look after the room."""
        place = self.places[where]

        async def look_at_receipts() -> None:
            await self._answered()
            await self._read_logs()
            seq = self._some_message(place, which)
            asked = pb.ListReceiptsRequest(room_id=place.room_id, seq=seq)
            reply = await self._call(who, "MessageService/ListReceipts", asked)
            about = pb.ExplainDeliveryRequest(room_id=place.room_id, seq=seq, user_id="owner")
            why = await self._call(who, "MessageService/ExplainDelivery", about)
            if who not in place.members:
                assert reply.reason == why.reason == self._stranger(where)
                return
            event = place.message(seq)
            if event is None or seq < place.first(who):
                assert reply.reason == "MESSAGE_NOT_FOUND"
                assert why.reason in ("MESSAGE_NOT_FOUND", "PERMISSION_DENIED")
                return
            for_ = [user for user in place.members if place.windows(user)[-1][0] < seq]
            receipts = reply.read(pb.ListReceiptsResponse).receipts
            assert {receipt.user_id for receipt in receipts} - {"owner"} == {*for_} - {event.user_id}
            assert not any(receipt.read for receipt in receipts if receipt.user_id != who)
            may_ask = RANKS[place.members[who]] >= RANKS["admin"]
            assert why.reason == ("OK" if may_ask else "PERMISSION_DENIED")

        self._run(look_at_receipts())
