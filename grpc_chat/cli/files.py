"""Files: sending and saving them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.failures import NOT_FOUND, REFUSED, USAGE, Failure
from grpc_chat.cli.names import find_room, title
from grpc_chat.cli.output import size
from grpc_chat.cli.progress import ProgressLine
from grpc_chat.cli.terminal import in_shell
from grpc_chat.cli.texts import TextCommand
from grpc_chat.sdk.file_names import safe_names

if TYPE_CHECKING:
    from grpc_chat.sdk.client import Client
    from grpc_chat.sdk.file_records import File, Progress
    from grpc_chat.sdk.models import Room, Sent

FILES_AT_ONCE = 10
"""Files of one message: what servers take unless they are told otherwise."""

_room = click.argument("name", metavar="ROOM")
_timeout = click.option(
    "--timeout", default=60.0, show_default=True, help="How many seconds to try without getting on."
)


@click.command(cls=TextCommand)
@_room
@click.argument(
    "paths",
    metavar="FILE…",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
)
@click.option("--text", default="", help="What to say with them.")
@click.option("--keep-metadata", is_flag=True, help="Leave in images where and with what they were taken.")
@click.option("--resume", "upload_id", default="", metavar="ID", help="Go on with an upload of one FILE.")
@_timeout
@talks()
async def upload(
    cli: Cli,
    name: str,
    paths: tuple[Path, ...],
    text: str,
    keep_metadata: bool,
    upload_id: str,
    timeout: float,
) -> None:
    """Send files to a room, 10 in a message.

    ROOM is a room's name or id, or @USER. Uploads go on where they were when the connection comes back. If
    one is interrupted for longer, the error says how to go on with it later.

    The server removes from PNG, JPEG and WebP images where and with what they were taken, unless you give
    --keep-metadata; their pixels stay as they are.

    \b
    Examples:
      grpc-chat upload plans plan.pdf
      grpc-chat upload @bob holiday/*.jpg --text "As promised"
      grpc-chat upload builds dist/app.tar.gz --resume k3v6qhg2n7x4m5w2p4r6t8y2aq
    """
    if upload_id and len(paths) > 1:
        raise click.UsageError("--resume is for one FILE")
    room = await find_room(cli.client, name, make=True)
    cli.answered()
    files = [
        await uploaded(cli, room, path, keep_metadata=keep_metadata, upload_id=upload_id, timeout=timeout)
        for path in paths
    ]
    for start in range(0, len(files), FILES_AT_ONCE):
        some = files[start : start + FILES_AT_ONCE]
        sent = await cli.client.send(room.room_id, "" if start else text, files=some)
        if cli.out.as_json:
            cli.out.json(sent, files=some)


async def uploaded(
    cli: Cli,
    room: Room,
    path: Path,
    *,
    keep_metadata: bool = False,
    upload_id: str = "",
    timeout: float = 60,
    resumable: bool = True,
) -> File:
    """Upload a file, and show how far it is.

    Args:
        resumable: Whether `upload` can go on with it if part of it has arrived. Then it is printed how.

    Raises:
        Failure: It can't be read.
        ChatError: The server refuses it.
    """
    line, last = ProgressLine(silent=cli.out.as_json), Last(path.name)

    def progress(at: Progress) -> None:
        last.at = at
        line(path.name, at.done / at.size if at.size else None)

    try:
        return await cli.client.upload(
            path,
            keep_metadata=keep_metadata,
            upload_id=upload_id,
            progress=progress,
            timeout=timedelta(seconds=timeout),
        )
    except OSError as exc:
        raise Failure(f"{path} can't be read: {exc.strerror}") from exc
    except BaseException:
        line.end()
        if resumable and last.at and 0 < last.at.done < last.at.size:
            cli.out.note(f"{last.sentence()}; go on with: {last.command(room, path)}")
        raise
    finally:
        line.end()


class Last:
    """How far an upload was when it ended."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.at: Progress | None = None

    def sentence(self) -> str:
        """For people."""
        assert self.at
        return f"{size(self.at.done)} of {size(self.at.size)} of {self._name} are on the server"

    def command(self, room: Room, path: Path) -> str:
        """What goes on with it."""
        assert self.at
        words = (title(room), str(path))
        return f"grpc-chat upload {' '.join(map(in_shell, words))} --resume {self.at.upload_id}"


@click.command(cls=TextCommand)
@_room
@click.argument("which", metavar="MESSAGE|FILE_ID")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="A folder, a name for one file, or - for stdout."
)
@click.option("--preview", is_flag=True, help="Save the previews of images in their place.")
@click.option("--link", is_flag=True, help="Print a link for a browser, which works for some minutes.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@_timeout
@talks()
async def download(
    cli: Cli,
    name: str,
    which: str,
    output: Path | None,
    preview: bool,
    link: bool,
    force: bool,
    timeout: float,
) -> None:
    """Save the files of a message, in the current folder.

    MESSAGE is its number in the room, which `read` and `watch` print beside each file; FILE_ID is a file's
    id, as --json prints it. A file gets the name that its sender gave it, with anything left out that could
    lead to another folder, hide it or drive a terminal. It gets that name when it has arrived whole.

    \b
    Examples:
      grpc-chat download plans 17
      grpc-chat download @bob 4 -o ~/Pictures
      grpc-chat download builds 311 -o - | tar tz
    """
    if output and link:
        raise click.UsageError("give either --output or --link")
    room = await find_room(cli.client, name)
    files: Sequence[File | str] = (
        [which] if not which.isdecimal() else await carried(cli.client, room, int(which))
    )
    if preview and which.isdecimal():
        files = [file for file in files if not isinstance(file, str) and file.has_preview]
        if not files:
            raise Failure(f"message {which} carries nothing that has a preview")
    cli.answered()
    if link:
        for file in files:
            made = await cli.client.download_link(file, preview=preview)
            cli.out.result(made, made.url)
        return
    if output and str(output) == "-":
        for file in files:
            async for data in cli.client.read_file(file, preview=preview):
                sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    place = output or Path()
    if len(files) > 1 and not place.is_dir():
        raise click.UsageError(f"the message carries {len(files)} files; give --output a folder")
    # Those of one message may have the same name.
    called = ["" if isinstance(file, str) else f"{file.name}{'.webp' * preview}" for file in files]
    for file, name in zip(files, safe_names(called), strict=True):
        line = ProgressLine(silent=cli.out.as_json)
        try:
            saved = await save(
                cli.client,
                file,
                place / name if place.is_dir() and not isinstance(file, str) else place,
                preview=preview,
                overwrite=force,
                progress=_shown(line, name),
                timeout=timedelta(seconds=timeout),
            )
        finally:
            line.end()
        cli.out.result(None, str(saved), path=str(saved))


def _shown(line: ProgressLine, name: str) -> Callable[[Progress], None]:
    return lambda at: line(name, at.done / at.size if at.size else None)


async def save(client: Client, file: File | str, place: Path, **how: Any) -> Path:
    """Save a file.

    Args:
        how: As for :meth:`Client.download`. Without ``overwrite`` it can't be said how to replace a file.

    Raises:
        Failure: There is one already, or it can't be written.
    """
    try:
        return await client.download(file, place, **how)
    except FileExistsError as exc:
        hint = "--force replaces it, and -o names another place" if "overwrite" in how else "move it away"
        raise Failure(f"{exc}; {hint}") from exc
    except OSError as exc:
        raise Failure(f"{exc.filename or place} can't be written: {exc.strerror}") from exc


async def carried(client: Client, room: Room, seq: int) -> Sequence[File]:
    """The files of a message.

    Raises:
        Failure: It carries none, or there is no such message.
    """
    from grpc_chat.sdk.models import Message

    if not 0 < seq < 2**63:
        raise Failure(f"{seq} is not the number of a message", USAGE)
    async for event in client.events(room.room_id, after=seq - 1, page_size=1):
        if event.seq == seq and isinstance(event, Message):
            if not event.files:
                raise Failure(f"message {seq} carries no files", REFUSED)
            return event.files
        break
    raise Failure(f"there is no message {seq} in {title(room)}", NOT_FOUND)


async def share(client: Client, room: Room, path: str) -> Sent:
    """Send one file, whose path somebody has typed.

    Raises:
        Failure: It can't be read.
    """
    place = Path(path)
    try:
        file = await client.upload(place, timeout=None)
    except OSError as exc:
        raise Failure(f"{place} can't be read: {exc.strerror}") from exc
    return await client.send(room.room_id, files=[file])
