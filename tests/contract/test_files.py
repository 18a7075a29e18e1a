"""What a store knows of files: who carries them, what is charged, and what nobody needs, whatever happens."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial

from grpc_chat.errors import PermissionDenied
from grpc_chat.store.base import Transact, Transaction
from grpc_chat.store.files import FileRecord, FileUsage, UploadRecord
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.scale import ALL
from tests.store_writes import put_room

USERS, ROOMS = ("alice", "bob"), ("r1", "r2")
DIGESTS = [f"{number:064}" for number in range(6)]


class Model:
    """What should be so, as simply as it can be said."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.uploads: dict[str, UploadRecord] = {}
        self.files: dict[str, FileRecord] = {}
        self.carried: dict[tuple[str, int], list[str]] = {}
        self.held: dict[tuple[str, str], set[str]] = {}
        self.unneeded: set[str] = set()
        self.number = 0

    def new_id(self) -> str:
        self.number += 1
        return f"f{self.number}"

    def delete(self, file: FileRecord) -> None:
        del self.files[file.file_id]
        self.unneeded |= {digest for digest in (file.digest, file.preview_digest) if digest}

    def drop(self, place: tuple[str, int]) -> None:
        for file_id in dict.fromkeys(self.carried.pop(place, [])):
            if any(file_id in ids for ids in self.carried.values()):
                continue
            if self.is_held(file_id):
                self.files[file_id] = self.files[file_id]._replace(sent=False)
            else:
                self.delete(self.files[file_id])

    def is_held(self, file_id: str) -> bool:
        return any(file_id in ids for ids in self.held.values())

    def release(self, message: tuple[str, str]) -> None:
        for file_id in self.held.pop(message):
            if not self.files[file_id].sent and not self.is_held(file_id):
                self.delete(self.files[file_id])

    def usage(self, user_id: str) -> FileUsage:
        uploads = [u for u in self.uploads.values() if user_id in ("", u.charged_to)]
        files = [f for f in self.files.values() if user_id in ("", f.charged_to)]
        total = sum(u.size for u in uploads) + sum(f.size + f.preview_size for f in files)
        return FileUsage(len(uploads), len(files), total)


def upload(model: Model, transaction: Transaction) -> None:
    made = UploadRecord(
        upload_id=model.new_id(),
        user_id=(user := model.chance.choice(USERS)),
        charged_to=user,
        name="a",
        size=model.chance.randrange(1000),
        content_type="",
        sha256=b"",
        keep_metadata=False,
        create_time_us=0,
    )
    transaction.insert_upload(made)
    model.uploads[made.upload_id] = made


def finish(model: Model, transaction: Transaction) -> None:
    if not model.uploads:
        return
    made = model.uploads.pop(model.chance.choice(list(model.uploads)))
    preview = model.chance.choice(["", *DIGESTS])
    file = FileRecord(
        file_id=made.upload_id,
        user_id=made.user_id,
        charged_to=made.charged_to,
        name="a",
        size=made.size,
        content_type="",
        digest=model.chance.choice(DIGESTS),
        width=0,
        height=0,
        metadata_removed=False,
        preview_digest=preview,
        preview_size=7 if preview else 0,
        create_time_us=0,
        sent=False,
    )
    assert transaction.delete_upload(made.upload_id)
    assert not transaction.delete_upload(made.upload_id)
    transaction.insert_file(file)
    model.files[file.file_id] = file
    model.unneeded -= {file.digest, preview}


def cancel(model: Model, transaction: Transaction) -> None:
    unsent = [file for file in model.files.values() if not file.sent and not model.is_held(file.file_id)]
    if unsent:
        file = model.chance.choice(unsent)
        transaction.delete_file(file.file_id)
        model.delete(file)


def send(model: Model, transaction: Transaction) -> None:
    ids = model.chance.sample(sorted(model.files), min(len(model.files), model.chance.randrange(4)))
    event = pb.Event(room_id=model.chance.choice(ROOMS), user_id="alice")
    event.message.files.extend(pb.File(file_id=file_id) for file_id in ids)
    event.message.text = "x"
    seq = transaction.append(event, "s")
    if ids:
        model.carried[event.room_id, seq] = ids
        for file_id in ids:
            model.files[file_id] = model.files[file_id]._replace(sent=True)


def schedule(model: Model, transaction: Transaction) -> None:
    user_id, id_ = model.chance.choice(USERS), model.new_id()
    ids = model.chance.sample(sorted(model.files), min(len(model.files), model.chance.randrange(4)))
    transaction.hold_files(user_id, id_, ids)
    model.held[user_id, id_] = {file_id for file_id in ids if model.files[file_id].user_id == user_id}


def unschedule(model: Model, transaction: Transaction) -> None:
    if model.held:
        message = model.chance.choice(sorted(model.held))
        transaction.release_files(*message)
        model.release(message)


def delete(model: Model, transaction: Transaction) -> None:
    if model.carried:
        place = model.chance.choice(list(model.carried))
        transaction.rewrite(*place, pb.Event(user_id="alice", message=pb.Message()))
        model.drop(place)


def test_files_are_counted_as_they_come_and_go(database: Database) -> None:
    """Under random histories of uploads, messages and deletions, many to a transaction."""
    store = database.open()
    store.commit([put_room(room, room, {"alice": pb.ROLE_OWNER}) for room in ROOMS])
    for seed in range(200 if ALL else 20):
        model = Model(random.Random(seed))
        steps = [upload, upload, finish, finish, cancel, send, send, delete, schedule, unschedule]

        def some(transaction: Transaction, model: Model = model, steps: list = steps) -> None:  # type: ignore[type-arg]
            for _ in range(model.chance.randrange(1, 6)):
                model.chance.choice(steps)(model, transaction)

        model.number = seed * 1000
        for _ in range(12):
            store.commit([Transact(some)])
        with store.snapshot() as snapshot:
            for user_id in (*USERS, ""):
                assert snapshot.file_usage(user_id) == model.usage(user_id), seed
            assert snapshot.files(list(model.files)) == model.files
            assert snapshot.held_files(list(model.files)) == set(filter(model.is_held, model.files))
            old = {file.file_id for file in snapshot.unsent_files(1, limit=1000)}
            assert old == {id_ for id_, file in model.files.items() if not (file.sent or model.is_held(id_))}
            needed = {d for f in model.files.values() for d in (f.digest, f.preview_digest) if d}
            assert snapshot.needed_contents(DIGESTS) == needed
            due = set(snapshot.unneeded_contents(2**62, limit=100))
            assert model.unneeded - needed <= due <= model.unneeded
            for file_id in model.files:
                newest: Counter[str] = Counter()
                for (room_id, seq), ids in model.carried.items():
                    if file_id in ids:
                        newest[room_id] = max(newest[room_id], seq)
                found = snapshot.carriers(file_id, "alice", after="", limit=9)
                assert found == sorted(newest.items())
                assert snapshot.carriers(file_id, "bob", after="", limit=9) == []
        store.commit([Transact(partial(clear, model))])


def clear(model: Model, transaction: Transaction) -> None:
    """Have everything be gone that a history left."""
    for upload_id in list(model.uploads):
        transaction.delete_upload(upload_id)
    for place in list(model.carried):
        transaction.rewrite(*place, pb.Event(user_id="alice", message=pb.Message()))
        model.drop(place)
    for message in list(model.held):
        transaction.release_files(*message)
        model.release(message)
    for file in list(model.files.values()):
        transaction.delete_file(file.file_id)
    for digest in DIGESTS:
        transaction.forget_unneeded(digest)
    assert transaction.file_usage("") == FileUsage()


def test_command_that_is_refused_carries_nothing(database: Database) -> None:
    """Also after others in the same transaction, which stay."""
    store = database.open()
    store.commit([put_room("r1", "r1", {"alice": pb.ROLE_OWNER})])
    model = Model(random.Random(1))

    def fine(transaction: Transaction) -> None:
        upload(model, transaction)
        finish(model, transaction)

    def refused(transaction: Transaction) -> None:
        [file_id] = model.files
        message = pb.Message(files=[pb.File(file_id=file_id)])
        transaction.append(pb.Event(room_id="r1", user_id="alice", message=message), "s")
        assert transaction.carriers_of(file_id) == 1
        raise PermissionDenied("no")

    store.commit([Transact(fine), Transact(refused)])

    with store.snapshot() as snapshot:
        [(file_id, file)] = model.files.items()
        assert snapshot.file(file_id) == file
        assert snapshot.carriers_of(file_id) == 0
        assert snapshot.file_usage("") == model.usage("")
