"""What the comments of chat.proto say of fields and methods, as one table for the server and the docs.

The last line of a field's comment may say what a request must have in it (``Must be an id.``), and that of a
method what it needs of its caller (``Needs the scope write.``). The list at the head of chat.proto says what
the words stand for. Options of its own would say the same to a parser, but chat.proto would then register
their numbers in every program that loads a copy of it, and two copies would clash.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from grpc_chat.api.methods import Needs
from grpc_chat.api.rules import OUTPUT_ONLY, Rules

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
TABLE = Path("grpc_chat", "api", "table.py")

_HEAD = (12,)
"""Where the comment above `syntax` is, as descriptors count places."""
_TERM = re.compile(r"^- ((?:an?|any) [\w ]+): (.*(?:\n  .*)*)", re.M)
_UNCHECKED = {FieldDescriptorProto.TYPE_BOOL, FieldDescriptorProto.TYPE_ENUM}


class AnnotationError(Exception):
    """What chat.proto does not say, or says wrongly; a line for each."""


@dataclass
class Annotations:
    """What chat.proto says.

    Attributes:
        comments: By place, without the annotations.
        terms: What the words of rules stand for, by word as ``an id``.
        rules: By field, as ``GetRoomRequest.room_id``: ``be an id``.
        needs: By method, as ``RoomService/GetRoom``: ``the scope read``.
    """

    file: FileDescriptorProto
    comments: dict[tuple[int, ...], str]
    terms: dict[str, str] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)


def read(folder: Path = ROOT) -> Annotations:
    """Read the annotations of ``folder``'s chat.proto.

    Raises:
        AnnotationError: Something is missing or not understood.
    """
    build = [str(BIN / "buf"), "build", "chat.proto", "--as-file-descriptor-set", "-o", "-"]
    built = subprocess.run(build, cwd=folder, check=True, stdout=subprocess.PIPE).stdout
    file = next(file for file in FileDescriptorSet.FromString(built).file if file.name == "chat.proto")
    places = {tuple(place.path): place for place in file.source_code_info.location}
    said = Annotations(file, {path: _text(place.leading_comments) for path, place in places.items()})
    said.terms = {term: " ".join(text.split()) for term, text in _TERM.findall(said.comments[_HEAD])}
    problems = []

    def line(path: tuple[int, ...]) -> str:
        return f"chat.proto:{places[path].span[0] + 1}"

    for path, method in _methods(file):
        if (found := _last_line(said.comments, path, r"Needs (.*)\.")) is None:
            problems.append(
                f"{line(path)}: {method} does not say what it needs of its caller: end its comment with a "
                f"line such as `Needs {Needs.WRITE.value}.`"
            )
        elif found not in [needs.value for needs in Needs]:
            choice = ", ".join(f"`Needs {needs.value}.`" for needs in Needs)
            problems.append(f"{line(path)}: {method} must say one of {choice}")
        else:
            said.needs[method] = found

    vocabulary = Rules(said.terms, lambda _name: 1)
    for path, name, described in _fields_of_requests(file, said.comments):
        annotation = _last_line(said.comments, path, r"Must (.*)\.|Output only\.")
        if annotation == "":
            said.rules[name] = OUTPUT_ONLY
        elif annotation is None:
            if _needs_rule(described):
                problems.append(
                    f"{line(path)}: {name} does not say what a request must have in it: end its comment with "
                    "a line such as `Must be an id.`; the head of chat.proto lists the words"
                )
        else:
            try:
                vocabulary.rule(annotation)
            except ValueError as error:
                problems.append(
                    f"{line(path)}: `Must {annotation}.` is not understood ({error}); the head of chat.proto "
                    "lists the words, grpc_chat/api/rules.py the rest"
                )
            said.rules[name] = annotation
    for path, comment in said.comments.items():
        if found_rule := re.search(r"^(?:Must .*|Output only\.|Needs .*)$", comment, re.M):
            problems.append(
                f"{line(path)}: `{found_rule[0]}` stands where nothing reads it: it must be the last line of "
                "the comment of a method, or of a field that is part of a request"
            )
    if problems:
        raise AnnotationError("\n".join(problems))
    return said


def _text(comment: str) -> str:
    return "\n".join(line.removeprefix(" ") for line in comment.strip("\n").split("\n")).strip()


def _last_line(comments: dict[tuple[int, ...], str], path: tuple[int, ...], annotation: str) -> str | None:
    """Take the annotation off a comment: what it says, nothing where it is not of that kind."""
    text, _, last = comments.get(path, "").rpartition("\n")
    if not (found := re.fullmatch(annotation, last)):
        return None
    comments[path] = text.strip()
    return found[1] or ""


def _methods(file: FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    for at, service in enumerate(file.service):
        for number, method in enumerate(service.method):
            yield (6, at, 2, number), f"{service.name}/{method.name}"


def _fields_of_requests(
    file: FileDescriptorProto, comments: dict[tuple[int, ...], str]
) -> Iterator[tuple[tuple[int, ...], str, FieldDescriptorProto]]:
    """The fields of all requests, and of the messages in them that the client fills in."""
    places = {f".{file.package}.{message.name}": at for at, message in enumerate(file.message_type)}
    todo = [method.input_type for service in file.service for method in service.method]
    seen = set()
    while todo:
        if (type_name := todo.pop()) in seen or type_name not in places:
            continue
        seen.add(type_name)
        message: DescriptorProto = file.message_type[places[type_name]]
        for number, described in enumerate(message.field):
            path = (4, places[type_name], 2, number)
            if not comments.get(path, "").endswith("Output only."):
                todo.append(described.type_name)
            yield path, f"{message.name}.{described.name}", described


def _needs_rule(described: FieldDescriptorProto) -> bool:
    """Whether there are values of the field that a server can't take: not those of a truth value, nor of an
    enum, which is known or not; a message is checked field by field."""
    if described.label == FieldDescriptorProto.LABEL_REPEATED:
        return True
    message = described.type == FieldDescriptorProto.TYPE_MESSAGE
    return not (described.type in _UNCHECKED or (message and ".google." not in described.type_name))


def table(said: Annotations) -> str:
    """The Python module that the server has it from."""
    head = '"""What chat.proto says of its fields and methods. Written by `make proto`; never edited."""'
    lines = [head, "", "# ruff: noqa: E501", ""]
    for name, entries, meaning in (
        ("TERMS", said.terms, "What the words of the rules stand for."),
        ("RULES", said.rules, "What the fields of requests must do, by message and field."),
        ("NEEDS", said.needs, "What the methods need of their callers, by service and method."),
    ):
        lines += ["", f"{name} = {{", *(f"    {key!r}: {entries[key]!r}," for key in sorted(entries)), "}"]
        lines += [f'"""{meaning}"""']
    ruff = [str(BIN / "ruff"), "format", "--stdin-filename", TABLE.name, "-"]
    text = "\n".join([*lines, ""])
    formatted = subprocess.run(ruff, cwd=ROOT, input=text, check=True, stdout=subprocess.PIPE, text=True)
    return formatted.stdout


def write_table(target: Path, folder: Path = ROOT) -> None:
    """Write the table below ``target``, which stands for the repository's root."""
    path = target / TABLE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(table(read(folder)))
