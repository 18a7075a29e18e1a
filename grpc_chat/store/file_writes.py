"""Files, uploads and the messages that carry them, as a transaction changes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.file_reads import SqlFileReads
from grpc_chat.store.files import FileRecord, UploadRecord
from grpc_chat.store.rows import Rows
from grpc_chat.store.statements import insert_into
from grpc_chat.wire import chat_pb2 as pb

_EVERYBODY = ""


class SqlFileWrites(SqlFileReads):
    """See :class:`grpc_chat.store.files.FileWrites`."""

    now_us: int

    def insert_upload(self, upload: UploadRecord) -> None:
        self._conn.execute(sa.insert(schema.uploads), upload._asdict())
        _charge(self._conn, upload.charged_to, uploads=1, bytes=upload.size)

    def delete_upload(self, upload_id: str) -> bool:
        upload = self.upload(upload_id)
        if upload is None:
            return False
        self._conn.execute(sa.delete(schema.uploads).where(schema.uploads.c.upload_id == upload_id))
        _charge(self._conn, upload.charged_to, uploads=-1, bytes=-upload.size)
        return True

    def insert_file(self, file: FileRecord) -> None:
        self._conn.execute(sa.insert(schema.files), file._asdict())
        _charge(self._conn, file.charged_to, files=1, bytes=file.size + file.preview_size)
        for digest in _contents(file):
            self.forget_unneeded(digest)

    def delete_file(self, file_id: str) -> None:
        if file := self.file(file_id):
            _delete_file(self._conn, file, self.now_us)

    def hold_files(self, user_id: str, scheduled_id: str, file_ids: Sequence[str]) -> None:
        files = self.files(list(file_ids)).values()
        message = {"user_id": user_id, "scheduled_id": scheduled_id}
        if held := [message | {"file_id": file.file_id} for file in files if file.user_id == user_id]:
            self._conn.execute(sa.insert(schema.scheduled_files), held)

    def release_files(self, user_id: str, scheduled_id: str) -> None:
        held = schema.scheduled_files
        of_message = sa.and_(held.c.user_id == user_id, held.c.scheduled_id == scheduled_id)
        ids = list(self._conn.scalars(sa.select(held.c.file_id).where(of_message)))
        self._conn.execute(sa.delete(held).where(of_message))
        others = self.held_files(ids)
        for file in self.files([file_id for file_id in ids if file_id not in others]).values():
            if not file.sent:
                _delete_file(self._conn, file, self.now_us)

    def expect_unneeded(self, digests: Iterable[str], due_us: int) -> None:
        _expect_unneeded(self._conn, digests, due_us)

    def forget_unneeded(self, digest: str) -> None:
        unneeded = schema.unneeded_contents
        self._conn.execute(sa.delete(unneeded).where(unneeded.c.digest == digest))


def carry_files(rows: Rows, event: pb.Event) -> None:
    """Have a message that has its number carry its files."""
    rows.before(changes=True)
    ids = [file.file_id for file in event.message.files]
    rows.conn.execute(
        sa.insert(schema.message_files),
        [
            {"room_id": event.room_id, "seq": event.seq, "at": at, "file_id": file_id}
            for at, file_id in enumerate(ids)
        ],
    )
    files = schema.files
    rows.conn.execute(sa.update(files).where(files.c.file_id.in_(ids)).values(sent=1))


def drop_files(conn: sa.Connection, room_id: str, seq: int, now_us: int, *, keep: Sequence[str] = ()) -> None:
    """Have a message carry no files any longer, but these; whatever no message carries is gone with it."""
    carried = schema.message_files.c
    of_message = sa.and_(carried.room_id == room_id, carried.seq == seq)
    _drop(conn, sa.and_(of_message, carried.file_id.not_in(keep)) if keep else of_message, now_us)


def drop_files_of_room(conn: sa.Connection, room_id: str, now_us: int, limit: int) -> bool:
    """The same for messages of a room, some at a time; whether there were any."""
    carried = schema.message_files.c
    places = sa.tuple_(carried.seq, carried.at)
    some = sa.select(carried.seq, carried.at).where(carried.room_id == room_id).limit(limit)
    return _drop(conn, sa.and_(carried.room_id == room_id, places.in_(some)), now_us)


def _drop(conn: sa.Connection, which: sa.ColumnElement[bool], now_us: int) -> bool:
    carried = schema.message_files
    ids = list(dict.fromkeys(conn.scalars(sa.select(carried.c.file_id).where(which))))
    if not ids:
        return False
    conn.execute(sa.delete(carried).where(which))
    others = set(conn.scalars(sa.select(carried.c.file_id).where(carried.c.file_id.in_(ids)).distinct()))
    reads = SqlFileReads()
    reads._conn = conn
    if held := reads.held_files([file_id for file_id in ids if file_id not in others]):
        # As before they were sent: they are their uploader's, who is going to send them.
        conn.execute(sa.update(schema.files).where(schema.files.c.file_id.in_(held)).values(sent=0))
        others |= held
    for file in reads.files([file_id for file_id in ids if file_id not in others]).values():
        _delete_file(conn, file, now_us)
    return True


def _delete_file(conn: sa.Connection, file: FileRecord, now_us: int) -> None:
    files = schema.files
    conn.execute(sa.delete(files).where(files.c.file_id == file.file_id))
    _charge(conn, file.charged_to, files=-1, bytes=-file.size - file.preview_size)
    # Whether another file has the same bytes is looked at when they are deleted.
    _expect_unneeded(conn, _contents(file), now_us)


def _contents(file: FileRecord) -> list[str]:
    return [digest for digest in (file.digest, file.preview_digest) if digest]


def _expect_unneeded(conn: sa.Connection, digests: Iterable[str], due_us: int) -> None:
    insert = insert_into(schema.unneeded_contents, conn.dialect.name)
    due = schema.unneeded_contents.c.due_us
    earlier = insert.on_conflict_do_update(
        index_elements=["digest"], set_={"due_us": due_us}, where=due > due_us
    )
    if rows := [{"digest": digest, "due_us": due_us} for digest in digests]:
        conn.execute(earlier, rows)


def _charge(conn: sa.Connection, user_id: str, *, uploads: int = 0, files: int = 0, bytes: int = 0) -> None:
    """Count what a user has more, or less, and everybody together."""
    usage = schema.file_usage
    insert = insert_into(usage, conn.dialect.name)
    more = {"uploads": uploads, "files": files, "bytes": bytes}
    add = insert.on_conflict_do_update(
        index_elements=["user_id"], set_={name: usage.c[name] + insert.excluded[name] for name in more}
    )
    conn.execute(add, [{"user_id": user_id, **more}, {"user_id": _EVERYBODY, **more}])
    usage_of = usage.c
    none = sa.and_(usage_of.uploads == 0, usage_of.files == 0)
    conn.execute(sa.delete(usage).where(usage_of.user_id.in_([user_id, _EVERYBODY]), none))
