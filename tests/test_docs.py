"""The documents agree with the code."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from google.protobuf import descriptor_pb2
from pydantic import BaseModel

from grpc_chat import errors
from grpc_chat.cli import main, quickstart_client, quickstart_server
from grpc_chat.config import Config
from grpc_chat.metrics import Metrics
from grpc_chat.oidc_settings import Oidc
from grpc_chat.wire import chat_pb2
from grpc_chat.wire.names import api_file
from tests.looped import each
from tests.proxies import proxies

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
FROZEN = ROOT / "tests" / "chat.descriptor.binpb"


def page(name: str) -> str:
    return (REFERENCE / name).read_text()


def rows(text: str) -> dict[str, list[str]]:
    """The rows of all tables, by what stands in their first cell, as code."""
    cells = [re.split(r"(?<!\\)\|", line.strip("|")) for line in text.splitlines() if line.startswith("| `")]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row[1:]] for row in cells}


def section(text: str, title: str) -> str:
    """What stands below a heading, up to the next one of its level; empty if there is none."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^\1 |^#{{1,2}} |\Z)", text, re.M | re.S)
    return found[2].strip() if found else ""


# The reference


def test_generated_pages_are_fresh(tmp_path: Path) -> None:
    """docs/reference/ is what `make docs` writes, but for the pages that do not say so."""
    subprocess.run([sys.executable, ROOT / "tools" / "reference.py", tmp_path], cwd=ROOT, check=True)

    fresh = {path.name: path.read_text() for path in tmp_path.iterdir()}
    pages = {path.name: path.read_text() for path in REFERENCE.iterdir()}
    committed = {name: text for name, text in pages.items() if "Written by `make docs`" in text}
    assert committed == fresh, "run `make docs`"


def test_every_method_is_documented() -> None:
    """Each RPC has a heading, its types, and a sentence."""
    text = page("api.md")

    for service in chat_pb2.DESCRIPTOR.services_by_name.values():
        assert section(text, service.name)
        for method in service.methods:
            body = section(text, f"{service.name}.{method.name}")
            assert f"[{method.input_type.name}](#{method.input_type.name.lower()})" in body
            assert f"[{method.output_type.name}](#{method.output_type.name.lower()})" in body
            assert re.search(r"^[^\[#|].*\.", body, re.M), f"{method.full_name} has no sentence"


def test_every_field_and_enum_value_is_documented() -> None:
    """Each field and each enum value has a row with its number and a meaning."""
    text = page("api.md")

    for message in chat_pb2.DESCRIPTOR.message_types_by_name.values():
        table = rows(section(text, message.name))
        assert {name: row[0] for name, row in table.items()} == {
            f.name: str(f.number) for f in message.fields
        }
        assert [name for name, row in table.items() if not row[-1]] == []
    for enum in chat_pb2.DESCRIPTOR.enum_types_by_name.values():
        table = rows(section(text, enum.name))
        assert {name: row[0] for name, row in table.items()} == {v.name: str(v.number) for v in enum.values}
        assert [name for name, row in table.items() if not row[-1]] == []


def error_classes(cls: type[errors.ChatError]) -> Iterator[type[errors.ChatError]]:
    for subclass in cls.__subclasses__():
        if subclass.__module__ == errors.__name__:
            yield subclass
        yield from error_classes(subclass)


def test_every_error_is_documented() -> None:
    """Each reason has a row with a meaning, and no row is of a reason that is gone."""
    classes = list(error_classes(errors.ChatError))
    documented = rows(section(page("api.md"), "Errors"))

    assert set(documented) == {cls.code for cls in classes}
    assert len(documented) == len(classes)
    assert [code for code, row in documented.items() if not row[-1]] == []


def test_the_tree_of_errors_is_whole() -> None:
    """errors.py opens with every class in its place."""
    tree = re.findall(r"^    ( *)(\w+)$", errors.__doc__ or "", re.M)

    def lines(cls: type[errors.ChatError], depth: int) -> Iterator[tuple[str, str]]:
        yield "  " * depth, cls.__name__
        for subclass in cls.__subclasses__():
            if subclass.__module__ == errors.__name__:
                yield from lines(subclass, depth + 1)

    assert tree == list(lines(errors.ChatError, 0))


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting, and its name in the environment."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from settings(type(field.default), f"{prefix}{name}__")
        else:
            assert field.description, f"{name} has no description"
            yield name, f"GRPC_CHAT_{prefix}{name}".upper()


def test_every_setting_is_documented() -> None:
    """Each setting has a row with its default, its name in the environment, and a meaning."""
    found = re.findall(r"^\| `(\w+)` \| (.+?) \| `(\w+)` \| (.+?) \|$", page("configuration.md"), re.M)

    assert sorted((name, variable) for name, _, variable, _ in found) == sorted(settings(Config))


def test_every_setting_of_a_list_is_documented() -> None:
    """Each has a row under the list's own heading, with its default or that it is required, and a meaning."""
    text = page("configuration.md")
    documented = rows(text[text.index("## `[[oidc]]`") :])

    assert {name: row[0] == "required" for name, row in documented.items()} == {
        name: field.is_required() for name, field in Oidc.model_fields.items()
    }
    assert [name for name, row in documented.items() if not row[-1].endswith(".")] == []


def test_every_metric_is_documented() -> None:
    """Each metric has a row under the name that Prometheus shows, with its kind and a meaning."""
    families = list(Metrics().registry.collect())
    documented = rows(page("metrics.md"))

    assert {name: row[0] for name, row in documented.items()} == {
        f"{family.name}_total" if family.type == "counter" else family.name: family.type
        for family in families
    }
    assert [name for name, row in documented.items() if not row[-1]] == []


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        # By name: the order of commands is that in which modules were imported.
        for inner, subcommand in sorted(command.commands.items()):
            yield from commands(f"{name} {inner}", subcommand)


ALL_COMMANDS = dict(
    [
        ("python3 server.py", quickstart_server.command),
        ("python3 client.py", quickstart_client.command),
        *commands("grpc-chat", main.main),
    ]
)


def test_there_are_commands_to_document() -> None:
    """The walk through the commands finds those in groups as well."""
    assert {"grpc-chat", "grpc-chat serve", "grpc-chat config check"} <= set(ALL_COMMANDS)


@each("name", ALL_COMMANDS)
def test_every_command_and_flag_is_documented(name: str) -> None:
    """Each command has a heading, a sentence, and each of its flags with what it does."""
    command = ALL_COMMANDS[name]
    body = section(page("commands.md"), name)

    assert command.help
    assert command.help.partition("\n")[0] in body
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for flag in parameter.opts:
                assert re.search(rf"^ +(-\w, )?{re.escape(flag)}\b.*", body, re.M), flag
            assert parameter.help, flag
            assert parameter.help.split()[0] in body


@each("name", [n for n, c in ALL_COMMANDS.items() if not isinstance(c, click.Group)])
def test_every_command_shows_an_example(name: str) -> None:
    """Its help holds a line to copy that begins with the command itself."""
    examples = (ALL_COMMANDS[name].help or "").partition("Example")[2]

    assert re.search(rf"^ +(.*\| *)?{re.escape(name)}( |$)", examples, re.M)


def test_every_make_target_is_in_the_guide() -> None:
    """CONTRIBUTING.md lists the same targets as plain `make`."""
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=).*## ", (ROOT / "Makefile").read_text(), re.M))
    told = set(re.findall(r"^\| `make ([\w-]+)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.M))

    assert targets
    assert told == targets - {"help"}


# Links


def documents(*patterns: str) -> list[Path]:
    """Every file of this kind, by default Markdown, that is in git or would be."""
    listed = ["git", "ls-files", "-co", "--exclude-standard", "-z", *(patterns or ["*.md"])]
    listing = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def without_code(text: str) -> str:
    """Markdown without blocks and spans of code."""
    text = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.M | re.S)
    return re.sub(r"(`+)[^`].*?\1", "", text)


def anchors(text: str) -> set[str]:
    """What links can point to in a page: its headings, in the form that code hosts give them."""
    text = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.M | re.S)
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", text, re.M):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        names = (slug if not n else f"{slug}-{n}" for n in range(1000))
        found.add(next(name for name in names if name not in found))
    return found


@functools.cache
def anchors_of(file: Path) -> set[str]:
    """Those of a page that does not change while the tests run."""
    return anchors(file.read_text())


def broken_links(path: Path, root: Path) -> list[str]:
    """The links of a page that lead nowhere in the repository; those to other places are not followed."""
    text = without_code(path.read_text())
    targets = re.findall(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)", text)
    targets += re.findall(r"^ *\[[^\]]+\]: *<?([^\s>]+)>?", text, re.M)
    broken = []
    for target in targets:
        if re.match(r"[a-z][a-z+.-]*:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if (
            not file.exists()
            or not file.is_relative_to(root)
            or (anchor and file.suffix == ".md" and anchor not in anchors_of(file))
        ):
            broken.append(target)
    return broken


def test_links_lead_somewhere() -> None:
    """Every link between the documents points to a file, and a heading, that is there."""
    found = {str(path.relative_to(ROOT)): broken_links(path, ROOT) for path in documents()}

    assert "README.md" in found
    assert {path: links for path, links in found.items() if links} == {}


def test_broken_links_are_found(tmp_path: Path) -> None:
    """The check sees files and headings that are missing, and is not misled by code."""
    (tmp_path / "other.md").write_text("# One thing\n\n## `a.b`: two\n\n## Same\n\n## Same\n")
    (tmp_path / "page.md").write_text(
        "[a](other.md) [b](other.md#one-thing) [c](#here) [d](https://example.com/x) [e](other.md#ab-two)\n"
        "[f](other.md#same-1) ![g](missing.png) [h](other.md#nothing) [i](#nowhere) [j](gone.md)\n"
        "`[k](code.md)`\n\n```\n[l](block.md)\n# Not a heading\n```\n\n[m](#not-a-heading)\n"
        "[n](../outside.md)\n\n# Here\n\n[o]: absent.md\n"
    )
    (tmp_path.parent / "outside.md").touch()

    broken = broken_links(tmp_path / "page.md", tmp_path)

    assert broken == [
        "missing.png",
        "other.md#nothing",
        "#nowhere",
        "gone.md",
        "#not-a-heading",
        "../outside.md",
        "absent.md",
    ]


# Words


def hard_words(text: str) -> list[str]:
    """Phrases that a reader of plain English stops at."""
    return re.findall(
        r"\b(?:any more|for ever|at the most|whoever)\b", " ".join(without_code(text).split()), re.I
    )


def test_pages_are_in_plain_words() -> None:
    """Write "no longer", "permanently", "at most", "anyone who", in pages and in --help alike."""
    pages = [path for path in documents() if path.is_relative_to(ROOT / "docs") or path.name == "README.md"]
    # What the other generated pages say is written beside the code that it is about.
    pages = [path for path in pages if path.parent != REFERENCE]
    found = {str(path.relative_to(ROOT)): hard_words(path.read_text()) for path in pages}
    # Help is shown as code there.
    found["--help"] = hard_words(page("commands.md").replace("`", "").replace("~", ""))

    assert "README.md" in found
    assert {name: words for name, words in found.items() if words} == {}
    assert hard_words("Not any more, at\nthe most.") == ["any more", "at the most"]


def test_code_is_in_plain_words() -> None:
    """Comments, docstrings, tests and chat.proto, by the same list."""
    files = [path for path in documents("*.py", "*.proto", "*.toml", "*.sh") if path != Path(__file__)]
    found = {str(path.relative_to(ROOT)): hard_words(path.read_text()) for path in files}

    assert "chat.proto" in found
    assert {name: words for name, words in found.items() if words} == {}


# Configurations of others


def blocks(text: str) -> list[str]:
    """The blocks of code in a page."""
    return re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)


def test_the_configurations_of_proxies_are_those_that_are_tested() -> None:
    """The page shows each file of examples/proxies as it is, and `make proxies` runs them."""
    shown = blocks((ROOT / "docs" / "how-to" / "proxies.md").read_text())
    files = {path.name: path.read_text() for path in (ROOT / "examples" / "proxies").iterdir()}

    tested: list[type[proxies.Proxy]] = [*proxies.ALL, proxies.HaProxyTcp]
    assert {kind.file for kind in tested} == files.keys()
    assert [name for name, text in files.items() if text not in shown] == []


HAPROXY_SERVERS = "server grpc-chat 127.0.0.1:50051", "server browsers "
"""The lines of HAProxy's configuration that its changes are parts of."""


def test_the_changes_of_proxies_configurations_are_those_that_are_tested() -> None:
    """What the page has one change, for TLS behind the proxy and for a web site beside the API, was tried."""
    shown = [block.split() for block in blocks((ROOT / "docs" / "how-to" / "proxies.md").read_text())]

    def is_shown(text: str) -> bool:
        words = text.replace("CA", "/etc/grpc-chat/ca.pem").split()
        return any(words[at : at + len(block)] == block for block in shown for at in range(len(words)))

    for kind in proxies.ALL:
        for (_, new), server in zip(kind.tls_behind, HAPROXY_SERVERS, strict=True):
            assert is_shown(server + new if kind is proxies.HaProxy else new), kind
    [(_, new)] = proxies.Nginx.with_site
    assert new.split("} ")[1].split() in [block[: len(new.split("} ")[1].split())] for block in shown]


# chat.proto only grows


def contents(file: descriptor_pb2.FileDescriptorProto) -> dict[str, str]:
    """Everything of a proto file that clients depend on, by name, with what must stay as it is."""
    found: dict[str, str] = {}

    def enum(prefix: str, descriptor: descriptor_pb2.EnumDescriptorProto) -> None:
        found[f"enum {prefix}{descriptor.name}"] = ""
        for value in descriptor.value:
            found[f"enum value {prefix}{descriptor.name}.{value.name}"] = str(value.number)

    def message(prefix: str, descriptor: descriptor_pb2.DescriptorProto) -> None:
        name = f"{prefix}{descriptor.name}"
        found[f"message {name}"] = ""
        for field in descriptor.field:
            oneof = descriptor.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
            found[f"field {name}.{field.name}"] = " ".join(
                [
                    f"{field.number}:",
                    field.Label.Name(field.label),
                    field.Type.Name(field.type),
                    field.type_name,
                    oneof,
                    "presence" if field.proto3_optional else "",
                ]
            )
        for nested in descriptor.nested_type:
            message(f"{name}.", nested)
        for nested_enum in descriptor.enum_type:
            enum(f"{name}.", nested_enum)

    for option, setting in file.options.ListFields():
        found[f"option {option.name}"] = str(setting)
    prefix = f"{file.package}."
    for descriptor in file.message_type:
        message(prefix, descriptor)
    for enum_descriptor in file.enum_type:
        enum(prefix, enum_descriptor)
    for service in file.service:
        found[f"service {prefix}{service.name}"] = ""
        for method in service.method:
            found[f"method {prefix}{service.name}.{method.name}"] = " ".join(
                [
                    "stream" if method.client_streaming else "",
                    method.input_type,
                    "->",
                    "stream" if method.server_streaming else "",
                    method.output_type,
                    method.options.IdempotencyLevel.Name(method.options.idempotency_level),
                ]
            )
    return found


def broken_promises(
    before: descriptor_pb2.FileDescriptorProto, after: descriptor_pb2.FileDescriptorProto
) -> list[str]:
    """What was there and is not, or is something else."""
    now = contents(after)
    return [name for name, what in contents(before).items() if now.get(name) != what]


def frozen() -> descriptor_pb2.FileDescriptorProto:
    [file] = descriptor_pb2.FileDescriptorSet.FromString(FROZEN.read_bytes()).file
    return file


def current() -> descriptor_pb2.FileDescriptorProto:
    return api_file()


def test_chat_proto_only_grows() -> None:
    """No method, field or enum value is removed, renumbered or retyped, no option for a language changed."""
    assert broken_promises(frozen(), current()) == []


def test_everything_in_chat_proto_is_promised_from_now_on() -> None:
    """What is added stands in the committed copy too, so that it can't be taken away later."""
    assert broken_promises(current(), frozen()) == [], "run `make proto`"


Change = Callable[[descriptor_pb2.FileDescriptorProto], None]


def _message(file: descriptor_pb2.FileDescriptorProto, name: str) -> descriptor_pb2.DescriptorProto:
    return next(message for message in file.message_type if message.name == name)


def _enum(file: descriptor_pb2.FileDescriptorProto, name: str) -> descriptor_pb2.EnumDescriptorProto:
    return next(enum for enum in file.enum_type if enum.name == name)


def _service(file: descriptor_pb2.FileDescriptorProto, name: str) -> descriptor_pb2.ServiceDescriptorProto:
    return next(service for service in file.service if service.name == name)


def _method(
    file: descriptor_pb2.FileDescriptorProto, service: str, name: str
) -> descriptor_pb2.MethodDescriptorProto:
    return next(method for method in _service(file, service).method if method.name == name)


def _set(target: object, **values: object) -> None:
    for name, value in values.items():
        setattr(target, name, value)


def _drop(items: Any, at: int) -> None:
    del items[at]


BREAKING: dict[str, Change] = {
    "option go_package": lambda file: _set(file.options, go_package="chat"),
    "option java_multiple_files": lambda file: file.options.ClearField("java_multiple_files"),
    "field chat.v1.Event.seq": lambda file: _drop(_message(file, "Event").field, 1),
    "field chat.v1.Event.user_id": lambda file: _set(_message(file, "Event").field[3], number=99),
    "field chat.v1.Message.text": lambda file: _set(_message(file, "Message").field[1], type=12),
    "field chat.v1.Cursor.room_id": lambda file: _set(_message(file, "Cursor").field[0], label=3),
    "field chat.v1.Room.name": lambda file: _set(_message(file, "Room").field[1], name="title"),
    "field chat.v1.Event.message": lambda file: _message(file, "Event").field[4].ClearField("oneof_index"),
    "field chat.v1.Room.create_time": lambda file: _set(
        _message(file, "Room").field[5], type_name=".google.protobuf.Duration"
    ),
    "message chat.v1.Heartbeat": lambda file: _set(_message(file, "Heartbeat"), name="Beat"),
    "enum value chat.v1.Role.ROLE_ADMIN": lambda file: _set(_enum(file, "Role").value[3], number=9),
    "enum value chat.v1.Start.START_LATEST": lambda file: _drop(_enum(file, "Start").value, 2),
    "enum chat.v1.Start": lambda file: _set(_enum(file, "Start"), name="Begin"),
    "service chat.v1.AuthService": lambda file: _drop(file.service, 0),
    "method chat.v1.RoomService.GetRoom": lambda file: _service(file, "RoomService").method.remove(
        _method(file, "RoomService", "GetRoom")
    ),
    "method chat.v1.SubscribeService.Subscribe": lambda file: _set(
        _method(file, "SubscribeService", "Subscribe"), server_streaming=False
    ),
    "method chat.v1.MessageService.SendMessages": lambda file: _set(
        _method(file, "MessageService", "SendMessages"), input_type=".chat.v1.SendMessageRequest"
    ),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_broken_promise_is_found(name: str) -> None:
    """The comparison names what was removed, renumbered, renamed or retyped."""
    changed = frozen()
    BREAKING[name](changed)

    assert name in broken_promises(frozen(), changed)


def test_an_addition_breaks_no_promise() -> None:
    """New fields, values, messages and methods are what a proto grows by."""
    changed = frozen()
    _message(changed, "Event").field.add(name="reply_to", number=5, label=1, type=3)
    changed.message_type.add(name="Reaction")
    _enum(changed, "Role").value.add(name="ROLE_GUEST", number=5)
    changed.service[0].method.add(name="SignIn", input_type=".chat.v1.Event", output_type=".chat.v1.Event")

    assert broken_promises(frozen(), changed) == []


def test_the_bot_in_the_docs_is_the_one_that_is_run() -> None:
    """What the page shows is the example file, which tests/scenarios/test_examples.py runs."""
    shown = (ROOT / "docs" / "how-to" / "python.md").read_text()

    assert (ROOT / "examples" / "dice_bot.py").read_text() in shown
