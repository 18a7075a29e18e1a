"""Backups of a server's database: made while it runs, checked, restored."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grpc_chat._version import __version__
from grpc_chat.cli.admin import admin
from grpc_chat.cli.failures import REFUSED, Failure
from grpc_chat.cli.options import json_option
from grpc_chat.cli.output import Output, count, minute, size
from grpc_chat.cli.progress import ProgressLine

if TYPE_CHECKING:
    from grpc_chat.store.contents import Contents

_data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that the server was given.  [GRPC_CHAT_DATA, or ./data]",
)
_files_option = click.option(
    "--files",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="The folder of the contents of files.  [FILE.files]",
)
_file_argument = click.argument("file", type=click.Path(path_type=Path))


@contextmanager
def _at_work(*, silent: bool) -> Iterator[ProgressLine]:
    """Show progress, stop in order when asked to, and report in one line what went wrong."""
    from grpc_chat.store.contents import BackupError

    def stop(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        # `nohup` says not to.
        if signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, stop)
    # As the server does: only the owner may read the files that SQLite makes beside a database.
    mask = os.umask(0o077)
    progress = ProgressLine(silent=silent)
    try:
        try:
            yield progress
        finally:
            progress.end()
            os.umask(mask)
            for number, handler in before.items():
                signal.signal(number, handler)
    except BackupError as exc:
        raise Failure(str(exc)) from exc
    except KeyboardInterrupt:
        raise click.Abort() from None


class _Files:
    """What is done about the contents of files, beside the database that needs them.

    Args:
        source: The folder where they are.
        target: Where to copy them; None to look at them only.
        wanted: Whether anything is done at all.
    """

    def __init__(
        self, source: Path, target: Path | None, progress: ProgressLine, *, wanted: bool = True
    ) -> None:
        from grpc_chat.ops.file_backup import FilesSeen

        self._source, self._target, self._progress, self._wanted = source, target, progress, wanted
        self.seen = FilesSeen()
        self.kept_in = ""

    def __call__(self, database: sqlite3.Connection) -> None:
        """Do it for what a database needs."""
        from grpc_chat.ops.file_backup import FilesSeen, check_files, copy_files
        from grpc_chat.store.contents import needed_files

        sizes, self.kept_in = needed_files(database)
        if self.kept_in or not self._wanted:
            self.seen = FilesSeen(len(sizes), sum(sizes.values()), missing=len(sizes))
        elif self._target:
            self.seen = copy_files(sizes, self._source, self._target, self._progress)
        else:
            self.seen = check_files(sizes, self._source, self._progress)

    def summary(self) -> str:
        """What to say of them where all is well."""
        there = self.seen.files - self.seen.lost
        return f"; {count(there, 'file')} in {self._target or self._source}" if there else ""

    def tell(self, out: Output) -> None:
        """Say what is not there."""
        seen = self.seen
        if not seen.lost:
            return
        what = f"{count(seen.files, 'file')} ({size(seen.size_bytes)})"
        if self.kept_in:
            out.note(
                f"note: {what} {_are(seen.files)} in {self.kept_in}, and not in the backup: back that up, too"
            )
        elif not self._wanted:
            out.note(f"note: {what} {_are(seen.files)} not in the backup, as --no-files says")
        else:
            out.note(
                f"warning: of {what}, {seen.missing} {_are(seen.missing)} missing in {self._source} and "
                f"{seen.damaged} {_are(seen.damaged)} damaged; messages that carry them stay"
            )

    @property
    def are_lost(self) -> bool:
        """Whether some that should be in the backup are missing or damaged."""
        return bool(self.seen.lost) and not self.kept_in


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.files")


def _data_folder(given: Path | None) -> Path:
    from grpc_chat.cli.serve import load_config

    if given:
        return given
    try:
        return load_config(None).data
    except ValueError as exc:
        raise Failure(f"give --data; the settings in the environment are wrong: {exc}") from exc


def _summary(contents: Contents) -> str:
    counts = (count(contents.accounts, "account"), count(contents.rooms, "room"))
    text = f"{', '.join(counts)}, {count(contents.messages, 'message')}"
    if contents.newest_event_time:
        text += f", the newest event of {minute(contents.newest_event_time)}"
    return text


def _tell_of_damage(out: Output, contents: Contents) -> None:
    if contents.damaged_events:
        out.note(
            f"warning: {count(contents.damaged_events, 'event')} in it can't be read; an older backup may "
            "still have them"
        )


@admin.command("backup")
@_file_argument
@_data_option
@click.option("--replace", is_flag=True, help="Replace an existing FILE, once the new one is complete.")
@_files_option
@click.option("--no-files", is_flag=True, help="Leave out the contents of files.")
@json_option
def admin_backup(
    file: Path, data: Path | None, replace: bool, files: Path | None, no_files: bool, as_json: bool
) -> None:
    """Copy a server's database into FILE, while the server runs or is stopped.

    Run it on the server's machine, as the user that the server runs as. The copy has everything that the
    database had at one moment. It is checked, and gets its name only when it is complete. The server keeps
    running. Certificates and settings are not in it.

    The contents of files that messages carry go to the folder FILE.files, or to the one that --files names.
    Give several backups the same folder, and each copies only what is new.

    \b
    Examples:
      grpc-chat admin backup /var/backups/chat.db --data /var/lib/grpc-chat
      grpc-chat admin backup chat-$(date +%F).db --data ./data
      docker exec chat grpc-chat admin backup /data/backup.db --replace
    """
    from grpc_chat.store.backup import back_up

    out, folder, begin = Output(as_json=as_json), _data_folder(data), time.monotonic()
    if files and no_files:
        raise click.UsageError("give either --files or --no-files")
    with _at_work(silent=as_json) as progress:
        also = _Files(folder / "files", files or _beside(file), progress, wanted=not no_files)
        contents = back_up(folder, file, replace=replace, version=__version__, progress=progress, also=also)
    out.result(
        contents,
        f"{file}: {size(contents.size_bytes)}, {_summary(contents)}{also.summary()}",
        file=str(file),
        files=also.seen,
        seconds=round(time.monotonic() - begin, 3),
    )
    _tell_of_damage(out, contents)
    also.tell(out)


@admin.command("restore")
@_file_argument
@_data_option
@click.option("--check", is_flag=True, help="Only show what is in FILE and whether it is intact.")
@click.option("--replace", is_flag=True, help="Replace an existing database, and keep it beside the new one.")
@click.option(
    "--end-sessions", is_flag=True, help="End all logins and tokens, of people, devices and programs."
)
@_files_option
@json_option
def admin_restore(
    file: Path,
    data: Path | None,
    check: bool,
    replace: bool,
    end_sessions: bool,
    files: Path | None,
    as_json: bool,
) -> None:
    """Replace the database of a stopped server with the one in FILE.

    FILE is what `grpc-chat admin backup` made, or another complete copy of a chat.db; it may be of an older
    version. It is checked first, and not changed. Clients that have seen more are told, and continue from
    what both sides have.

    Whatever happened after the backup is undone, and not only messages: sessions and tokens that were ended
    since then are valid again, passwords are the old ones, and accounts that were blocked are not.
    --end-sessions makes everybody log in again.

    \b
    Examples:
      grpc-chat admin restore --check chat-2026-11-28.db
      grpc-chat admin restore chat-2026-11-28.db --data ./data --replace
      grpc-chat admin restore chat-2026-11-28.db --data ./data --replace --end-sessions
    """
    from grpc_chat.store.restore import examine, restore

    out = Output(as_json=as_json)
    if check:
        if data or replace or end_sessions:
            raise click.UsageError(
                "--check changes nothing: give it without --data, --replace, --end-sessions"
            )
        with _at_work(silent=as_json) as progress:
            also = _Files(files or _beside(file), None, progress)
            contents = examine(file, progress=progress, also=also)
        _show_contents(out, file, contents, also)
        if also.are_lost:
            sys.exit(REFUSED)
        return
    folder = _data_folder(data)
    with _at_work(silent=as_json) as progress:
        also = _Files(files or _beside(file), folder / "files", progress)
        done = restore(
            file,
            folder,
            replace=replace,
            end_sessions=end_sessions,
            progress=progress,
            now=datetime.now().astimezone(),
            also=also,
        )
    if as_json:
        out.json(
            done.contents,
            file=str(file),
            data=str(folder),
            kept=str(done.kept) if done.kept else None,
            sessions=0 if end_sessions else done.sessions,
            files=also.seen,
        )
        return
    out.say(f"restored {file} to {folder}: {_summary(done.contents)}{also.summary()}")
    if done.kept:
        out.say(f"the database that was there is {done.kept}; delete it once you don't need it")
    undone = ["accounts blocked", "members removed", "passwords changed"]
    if end_sessions:
        out.say(f"{count(done.sessions, 'session')} ended: everybody must log in again")
    else:
        undone.append("sessions and tokens ended")
    out.say(
        "everything done after the backup is undone; repeat what matters: "
        f"{', '.join(undone)}, invites revoked"
    )
    _tell_of_damage(out, done.contents)
    also.tell(out)


def _show_contents(out: Output, file: Path, contents: Contents, files: _Files) -> None:
    if out.as_json:
        out.json(contents, file=str(file), files=files.seen)
        return
    by = f" by grpc-chat {contents.backup_version}" if contents.backup_version else ""
    made = contents.backup_time
    out.fields(
        [
            ("file", f"{file}, {size(contents.size_bytes)}"),
            ("made", f"{minute(made)}{by}" if made else "not by grpc-chat admin backup"),
            ("schema", contents.schema),
            ("epoch", contents.epoch),
            ("accounts", str(contents.accounts)),
            ("rooms", str(contents.rooms)),
            ("messages", str(contents.messages)),
            ("events", str(contents.events)),
            ("newest event", minute(contents.newest_event_time) if contents.newest_event_time else "none"),
            ("files", f"{files.seen.files}, {size(files.seen.size_bytes)}"),
            ("damaged", count(contents.damaged_events, "event") if contents.damaged_events else "nothing"),
        ]
    )
    _tell_of_damage(out, contents)
    files.tell(out)


@admin.command("compact")
@_data_option
@json_option
def admin_compact(data: Path | None, as_json: bool) -> None:
    """Write a stopped server's database anew, without anything that was deleted.

    A running server overwrites what is deleted within a minute. Still, copies of some rows can be left over
    inside the database, in places that SQLite no longer uses. This removes them, and gives unused space back
    to the system. It takes about as long as copying the database, and as much of the disk meanwhile.

    \b
    Examples:
      grpc-chat admin compact
      grpc-chat admin compact --data /var/lib/grpc-chat
    """
    from grpc_chat.store.sqlite import open_store

    folder = _data_folder(data)
    path = folder / "chat.db"
    with _at_work(silent=True):
        if not path.exists():
            raise Failure(f"there is no database in {folder}")
        before = path.stat().st_size
        store = open_store(folder)
        try:
            store.compact()
        finally:
            store.close()
        after = path.stat().st_size
    out = Output(as_json=as_json)
    if as_json:
        out.json({"bytes_before": before, "bytes": after})
    else:
        out.line(f"the database has {size(after)} now, and had {size(before)}")
