"""Files and uploads, as a snapshot reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.files import FileRecord, FileUsage, UploadRecord
from grpc_chat.store.statements import count

_UPLOADS = sa.select(*[schema.uploads.c[name] for name in UploadRecord._fields])
_FILES = sa.select(*[schema.files.c[name] for name in FileRecord._fields])

# By way of the file: it is in few rooms, and its user may be in thousands.
_of_user = sa.exists().where(
    schema.members.c.room_id == schema.message_files.c.room_id,
    schema.members.c.user_id == sa.bindparam("user"),
)
CARRIERS = (
    sa.select(schema.message_files.c.room_id, sa.func.max(schema.message_files.c.seq))
    .where(
        schema.message_files.c.file_id == sa.bindparam("file"),
        schema.message_files.c.room_id > sa.bindparam("after"),
        _of_user,
    )
    .group_by(schema.message_files.c.room_id)
    .order_by(schema.message_files.c.room_id)
    .limit(sa.bindparam("most"))
)


class SqlFileReads:
    """See :class:`grpc_chat.store.files.FileReads`."""

    _conn: sa.Connection

    def upload(self, upload_id: str) -> UploadRecord | None:
        row = self._conn.execute(_UPLOADS.where(schema.uploads.c.upload_id == upload_id)).first()
        return UploadRecord(*row) if row else None

    def uploads(self, user_id: str, *, after: tuple[int, str] | None, limit: int) -> list[UploadRecord]:
        uploads = schema.uploads.c
        query = _UPLOADS.where(uploads.user_id == user_id)
        if after:
            query = query.where(sa.tuple_(uploads.create_time_us, uploads.upload_id) > sa.tuple_(*after))
        query = query.order_by(uploads.create_time_us, uploads.upload_id).limit(limit)
        return [UploadRecord(*row) for row in self._conn.execute(query)]

    def old_uploads(self, before_us: int, *, limit: int) -> list[UploadRecord]:
        query = _UPLOADS.where(schema.uploads.c.create_time_us < before_us).limit(limit)
        return [UploadRecord(*row) for row in self._conn.execute(query)]

    def known_uploads(self, upload_ids: Sequence[str]) -> set[str]:
        uploads = schema.uploads.c
        query = sa.select(uploads.upload_id).where(uploads.upload_id.in_(upload_ids))
        return set(self._conn.scalars(query))

    def file(self, file_id: str) -> FileRecord | None:
        return self.files([file_id]).get(file_id)

    def files(self, file_ids: Sequence[str]) -> dict[str, FileRecord]:
        rows = self._conn.execute(_FILES.where(schema.files.c.file_id.in_(file_ids)))
        return {row.file_id: FileRecord(*row) for row in rows}

    def unsent_files(self, before_us: int, *, limit: int) -> list[FileRecord]:
        files = schema.files.c
        held = sa.exists().where(schema.scheduled_files.c.file_id == files.file_id)
        query = _FILES.where(files.sent == 0, files.create_time_us < before_us, ~held)
        query = query.order_by(files.create_time_us).limit(limit)
        return [FileRecord(*row) for row in self._conn.execute(query)]

    def held_files(self, file_ids: Sequence[str]) -> set[str]:
        held = schema.scheduled_files.c.file_id
        return set(self._conn.scalars(sa.select(held).where(held.in_(file_ids))))

    def carriers(self, file_id: str, user_id: str, *, after: str, limit: int) -> list[tuple[str, int]]:
        values = {"file": file_id, "user": user_id, "after": after, "most": limit}
        return [(room_id, seq) for room_id, seq in self._conn.execute(CARRIERS, values)]

    def carriers_of(self, file_id: str) -> int:
        return count(self._conn, schema.message_files.c.file_id == file_id)

    def file_usage(self, user_id: str) -> FileUsage:
        usage = schema.file_usage.c
        query = sa.select(usage.uploads, usage.files, usage.bytes).where(usage.user_id == user_id)
        row = self._conn.execute(query).first()
        return FileUsage(*row) if row else FileUsage()

    def needed_contents(self, digests: Iterable[str]) -> set[str]:
        wanted, files = list(digests), schema.files.c
        found: set[str] = set()
        for column in (files.digest, files.preview_digest):
            found.update(self._conn.scalars(sa.select(column).where(column.in_(wanted))))
        return found

    def unneeded_contents(self, now_us: int, *, limit: int) -> list[str]:
        unneeded = schema.unneeded_contents.c
        query = sa.select(unneeded.digest).where(unneeded.due_us <= now_us)
        return list(self._conn.scalars(query.order_by(unneeded.due_us).limit(limit)))
