"""Write docs/reference/ from what the code says of itself: python tools/reference.py [FOLDER]"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from prometheus_client.metrics import MetricWrapperBase

from grpc_chat import errors
from grpc_chat.api.methods import Needs
from grpc_chat.api.rules import OUTPUT_ONLY
from grpc_chat.api.table import NEEDS
from grpc_chat.cli import main as cli
from grpc_chat.cli import quickstart_client, quickstart_server
from grpc_chat.config import Config
from grpc_chat.core import access
from grpc_chat.metrics import Metrics
from grpc_chat.ops.reference import settings_page
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.status import status_code
from tools.annotations import Annotations, read

ROOT = Path(__file__).resolve().parent.parent
GENERATED = "<!-- Written by `make docs`; change {source} instead. -->\n\n"


def pages() -> dict[str, str]:
    """Each page of the reference by its file name."""
    return {
        "api.md": GENERATED.format(source="chat.proto or grpc_chat/errors.py") + _api(),
        "commands.md": GENERATED.format(source="grpc_chat/cli/") + _commands(),
        "configuration.md": GENERATED.format(source="grpc_chat/config.py") + _configuration(),
        "permissions.md": GENERATED.format(source="grpc_chat/core/access.py or chat.proto") + _permissions(),
        "metrics.md": GENERATED.format(source="grpc_chat/metrics.py") + _metrics(),
    }


def _api() -> str:
    said = read()
    proto, comments = said.file, {path: _with_settings(text) for path, text in said.comments.items()}
    lines = ["# API", "", comments.get((12,), ""), ""]
    for at, service in enumerate(proto.service):
        lines += [f"## {service.name}", "", comments[6, at], ""]
        for number, method in enumerate(service.method):
            takes, gives = _link(method.input_type), _link(method.output_type)
            stream = "stream of " if method.server_streaming else ""
            lines += [f"### {service.name}.{method.name}", "", f"{takes} → {stream}{gives}", ""]
            lines += [comments[6, at, 2, number], ""]
            lines += [f"Needs {said.needs[f'{service.name}/{method.name}']}.", ""]
    lines += ["## Messages", ""]
    for at, message in enumerate(proto.message_type):
        lines += _message(message, (4, at), comments, said)
    lines += ["## Enums", ""]
    for at, enum in enumerate(proto.enum_type):
        lines += _enum(enum, (5, at), comments)
    return "\n".join([*lines, *_errors(proto)])


_SETTING = re.compile(r"`((?:limits|grpc)\.\w+)`")


def _with_settings(text: str) -> str:
    """The same text, in which the default of each setting stands for it, and its name behind."""
    return _SETTING.sub(lambda found: f"{_default(found[1])} ({found[0]})", text)


def _default(setting: str) -> str:
    group, _, name = setting.partition(".")
    return f"{getattr(getattr(Config(), group), name):,}"


def _limit(rule: str, terms: dict[str, str]) -> str:
    """What a request must have in a field: the rule, and what its word stands for in short."""
    if rule == OUTPUT_ONLY:
        return "output only"
    plain = rule.removesuffix(", or empty")
    term = terms.get(plain.removeprefix("be "), "")
    meaning = re.match(r"[^.;:]* bytes", _SETTING.sub(lambda found: _default(found[1]), term))
    rule = _with_settings(rule)
    return f"must {rule} ({meaning[0]})" if meaning else f"must {rule}"


def _permissions() -> str:
    roles = [pb.ROLE_OWNER, pb.ROLE_ADMIN, pb.ROLE_MEMBER, pb.ROLE_READER]
    lines = ["# Permissions", "", "## In a room", ""]
    lines += ["What a member may do, by role; in a direct room, and while a room is archived.", ""]
    head = [pb.Role.Name(role).removeprefix("ROLE_").lower() for role in roles]
    lines += ["| to | " + " | ".join([*head, "direct room", "archived"]) + " |"]
    lines += ["| --- |" + " :-: |" * (len(head) + 2)]
    for action, rule in access.RULES.items():
        cells = [role >= rule.role for role in roles] + [rule.direct, rule.archived]
        lines.append(f"| {action.value} | " + " | ".join("yes" if cell else "no" for cell in cells) + " |")
    lines += ["", _PERMISSION_NOTES, "## By token", ""]
    lines += ["What each method needs of its caller, in addition to what the room requires.", ""]
    lines += ["| needs | methods |", "| --- | --- |"]
    for needs in Needs:
        names = [f"`{name.partition('/')[2]}`" for name, needed in NEEDS.items() if needed == needs.value]
        lines.append(f"| {needs.value} | {', '.join(names)} |")
    return "\n".join([*lines, ""])


_PERMISSION_NOTES = """\
- If only admins post in a room (`posting`), writing needs an admin.
- Admins remove, ban and change the role of members with lower roles; owners of everyone, other owners
  included. You may always lower your own role.
- Admins give roles lower than their own; owners give every role. Nobody can be added or invited as an
  owner.
- The last owner who is not blocked can't leave while others are in the room: they make another member an
  owner first, or delete the room.
- Everyone on the server can find public rooms, see their name, topic and number of members, and join
  them unless they are banned. A private or direct room does not exist for anyone who is not a member.
- The room's setting `history` says how much of the past members may read: everything, or what happened
  since they joined. It applies to pages of history, streams and cursors alike. For a member who joins
  again, it counts from then on.
- An administrator of the server manages accounts. That gives no access to any room. If all owners of a
  room are blocked, an administrator sees its id, name, kind and size, and can make one of its members
  the owner; the room's members see who did that.
"""


def _cell(comment: str) -> str:
    return " ".join(comment.split()).replace("|", "\\|")


def _link(type_name: str) -> str:
    name = type_name.rpartition(".")[2]
    return f"[{name}](#{name.lower()})" if type_name.startswith(".chat.") else f"`{type_name[1:]}`"


def _type(field: FieldDescriptorProto) -> str:
    kinds = FieldDescriptorProto
    name = _link(field.type_name) if field.type_name else kinds.Type.Name(field.type)[len("TYPE_") :].lower()
    return f"repeated {name}" if field.label == kinds.LABEL_REPEATED else name


def _message(
    message: DescriptorProto,
    path: tuple[int, ...],
    comments: dict[tuple[int, ...], str],
    said: Annotations,
) -> list[str]:
    lines = [f"### {message.name}", "", comments[path], ""]
    limits = {field.name: said.rules.get(f"{message.name}.{field.name}", "") for field in message.field}
    limited = any(limits.values())
    if message.field:
        lines += [f"| field | number | type | {'limit | ' * limited}meaning |"]
        lines += [f"| --- | --- | --- | {'--- | ' * limited}--- |"]
    for at, field in enumerate(message.field):
        meaning = _cell(comments[(*path, 2, at)])
        if field.HasField("oneof_index"):
            meaning = f"(one of `{message.oneof_decl[field.oneof_index].name}`) {meaning}"
        limit = f"{_limit(limits[field.name], said.terms)} | " if limits[field.name] else "| " * limited
        lines.append(f"| `{field.name}` | {field.number} | {_type(field)} | {limit}{meaning} |")
    return [*lines, ""]


def _enum(
    enum: EnumDescriptorProto, path: tuple[int, ...], comments: dict[tuple[int, ...], str]
) -> list[str]:
    lines = [f"### {enum.name}", "", comments[path], ""]
    lines += ["| value | number | meaning |", "| --- | --- | --- |"]
    for at, value in enumerate(enum.value):
        lines.append(f"| `{value.name}` | {value.number} | {_cell(comments[(*path, 2, at)])} |")
    return [*lines, ""]


def _subclasses(cls: type[errors.ChatError]) -> Iterator[type[errors.ChatError]]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _errors(proto: FileDescriptorProto) -> list[str]:
    lines = [
        "## Errors",
        "",
        f"`google.rpc.ErrorInfo.reason`, with the domain `grpc-chat` (package `{proto.package}`). A definite",
        "error means that nothing was done; after another one, a send may or may not have been stored: send",
        "again with the same `client_message_id`. Where waiting may help, the same call may succeed later.",
        "",
        "| reason | gRPC status | definite | waiting may help | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for cls in _subclasses(errors.ChatError):
        meaning = _cell((cls.__doc__ or "").partition("\n\n")[0])
        yes = {True: "yes", False: "no"}
        status = status_code(cls("")).name
        lines.append(f"| `{cls.code}` | {status} | {yes[cls.definite]} | {yes[cls.retryable]} | {meaning} |")
    return [*lines, ""]


_COMMANDS = """\
`python3 server.py` and `python3 client.py` are the quick start; `grpc-chat` is everything.

**Which server, and as whom.** Commands use the server that you logged in to last, or the one that
`--server` (`-s`) names: by its name in `grpc-chat server list`, or as `HOST:PORT` (by default, port 50051).
For scripts, set these in the environment:

- `CHAT_SERVER`: the server, as for `--server`.
- `CHAT_TOKEN`: the token to use instead of a saved login (on a server with trusted ids: the id).
- `CHAT_PASSWORD` and `CHAT_NEW_PASSWORD`: the passwords that a command would ask for.
- `CHAT_FINGERPRINT`, `CHAT_CA` and `CHAT_INSECURE=1`: how to know a server that is not saved, as with the
  options of `login`.

They do not begin with `GRPC_CHAT_`, the prefix of a server's settings. `CHAT_TOKEN`, `CHAT_FINGERPRINT`,
`CHAT_CA` and `CHAT_INSECURE` are for the server that `CHAT_SERVER` names. If the command line or a link
names another server, the login that is saved for it is used, and none of these. A newline after a value is
ignored.

**What is saved.** Servers are saved in `servers.json` in `$XDG_CONFIG_HOME/grpc-chat`
(`~/.config/grpc-chat`). Tokens are in the system's keyring or, without one, in `tokens.json` beside it (mode
0600). `PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring` makes the commands use no keyring.

**Output.** Results go to standard output, remarks and errors to standard error, an error on one line that
begins with `error:`. On a terminal, times are relative, tables fit and messages are coloured, unless
`NO_COLOR` is set; elsewhere the same things have full dates and no colours. Control characters in other
people's text are shown as escapes. With `--json`, each line of standard output is an object in ASCII, with
times in RFC 3339 and UTC. Its fields are those of the Python client's values, and more may be added. In the
output of `read` and `watch`, `type` is `message`, `membership`, `room`, `gap` (numbers that are gone) or
`left` (a room that you may no longer read), and `room` is the room's title.

**Exit codes** are at the end of `grpc-chat --help`."""


def _commands() -> str:
    lines = ["# Commands", "", *_COMMANDS.splitlines(), ""]
    commands: list[tuple[str, click.Command]] = [
        ("python3 server.py", quickstart_server.command),
        ("python3 client.py", quickstart_client.command),
        *_tree("grpc-chat", cli.main),
    ]
    for name, command in commands:
        context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
        lines += [f"## {name}", "", "```", command.get_help(context), "```", ""]
    return "\n".join(lines)


def _tree(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for inner, subcommand in command.commands.items():
            yield from _tree(f"{name} {inner}", subcommand)


def _configuration() -> str:
    intro = """# Configuration

Settings come from these defaults, a TOML file (`grpc-chat serve --config FILE`), the environment, and the
flags of the command; later sources win. An unknown key is an error. `grpc-chat config default` prints a file
to begin with, and `grpc-chat config check` says what is wrong with one. Durations are seconds (`25`) or ISO
8601 (`PT25S`). In the environment, lists have commas (`a,b`) or are JSON (`["a", "b"]`), and an empty value
is an empty list. A section with `[[…]]` can be there several times. In the environment such a list is one
variable with the whole list as JSON, such as
`GRPC_CHAT_OIDC='[{"name": "example", "issuer": "https://…", "client_id": "…"}]'`.

"""
    return intro + settings_page(Config, str(Config.model_config["env_prefix"]))


def _metrics() -> str:
    lines = [
        "# Metrics",
        "",
        "For Prometheus, at `/metrics` on `metrics_port` where that is set. The same names everywhere, so",
        "several nodes can be added up.",
        "",
        "| name | kind | labels | meaning |",
        "| --- | --- | --- | --- |",
    ]
    metrics = Metrics()
    labels = {
        metric._name: ", ".join(f"`{label}`" for label in metric._labelnames)
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
    }
    for family in metrics.registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        own = ", ".join(f"`{label}`" for label in getattr(family, "_labelnames", ()))
        lines.append(
            f"| `{name}` | {family.type} | {labels.get(family.name, own)} | {family.documentation} |"
        )
    return "\n".join([*lines, ""])


def main(target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (target / name).write_text(text)


if __name__ == "__main__":
    # The width of the help must not depend on the terminal it is written from.
    os.environ["COLUMNS"] = "100"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "reference")
