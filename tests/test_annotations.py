"""What chat.proto must say of fields and methods, and what is said where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from grpc_chat.api import table
from grpc_chat.api.limits import Limits
from grpc_chat.api.rules import OUTPUT_ONLY, Rules
from tools.annotations import AnnotationError, Annotations
from tools.annotations import read as read_folder

PROTO = """\
// A small API.
//
// - an id: 1 to `limits.id_bytes` bytes of UTF-8, which
//   all show.
syntax = "proto3";
package chat.v1;

// Things.
service ThingService {
  // Returns a thing.
  // Needs the scope read.
  rpc GetThing(GetThingRequest) returns (GetThingResponse);
%s}

// Which thing.
message GetThingRequest {
  // Its id.
  // Must be an id.
  string thing_id = 1;
  // The thing itself.
  Thing thing = 2;
%s}

// The thing.
message GetThingResponse {
  // It.
  Thing thing = 1;
}

// A thing.
message Thing {
  // What it weighs.
  // Output only.
  int32 weight = 1;
  // Whether it is there.
  bool there = 2;
}
"""


def read(folder: Path, methods: str = "", fields: str = "") -> Annotations:
    (folder / "chat.proto").write_text(PROTO % (methods, fields))
    return read_folder(folder)


def refusal(folder: Path, methods: str = "", fields: str = "") -> str:
    with pytest.raises(AnnotationError) as refused:
        read(folder, methods, fields)
    return str(refused.value)


def test_annotations_are_read_and_taken_off_the_comments(tmp_path: Path) -> None:
    """Also those of messages in requests; a truth value needs none."""
    said = read(tmp_path)

    assert said.needs == {"ThingService/GetThing": "the scope read"}
    assert said.rules == {"GetThingRequest.thing_id": "be an id", "Thing.weight": OUTPUT_ONLY}
    assert said.terms == {"an id": "1 to `limits.id_bytes` bytes of UTF-8, which all show."}
    assert said.comments[6, 0, 2, 0] == "Returns a thing."
    assert said.comments[4, 0, 2, 0] == "Its id."


def test_what_says_nothing_is_told_what_to_write(tmp_path: Path) -> None:
    """With its place in chat.proto, and all of it at once."""
    method = "  // Makes a thing.\n  rpc MakeThing(MakeThingRequest) returns (GetThingResponse);\n"
    request = "}\n\n// A new one.\nmessage MakeThingRequest {\n  // How many.\n  int32 count = 1;\n"
    entries = "  // Its names.\n  repeated string names = 2;\n"

    lines = refusal(tmp_path, method, request + entries).splitlines()

    assert [line.partition(" does not say ")[0] for line in lines] == [
        "chat.proto:14: ThingService/MakeThing",
        "chat.proto:29: MakeThingRequest.count",
        "chat.proto:31: MakeThingRequest.names",
    ]
    assert "end its comment with a line such as `Needs the scope write.`" in lines[0]
    assert "end its comment with a line such as `Must be an id.`" in lines[1]


@pytest.mark.parametrize(
    ("methods", "fields", "said"),
    [
        ("", "  // More.\n  // Must be an ide.\n  string more = 3;\n", "`Must be an ide.` is not understood"),
        ("", "  // More.\n  // Must be a name.\n  string more = 3;\n", "'a name' is not explained"),
        ("", "  // Must be an id.\n  // More.\n  bool more = 3;\n", "stands where nothing reads it"),
        (
            "  // Needs luck.\n  rpc A(GetThingRequest) returns (GetThingResponse);\n",
            "",
            "must say one of `Needs",
        ),
        (
            "",
            "}\n\n// Other.\nmessage Other {\n  // One.\n  // Must be an id.\n  string one = 1;\n",
            "nothing reads",
        ),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, methods: str, fields: str, said: str) -> None:
    """A word that is misspelt or not explained, or an annotation where it would check nothing."""
    assert said in refusal(tmp_path, methods, fields)


def test_the_table_is_what_chat_proto_says() -> None:
    """As `make proto` writes it; and the settings that it names are there."""
    said = read_folder()

    assert (said.terms, said.rules, said.needs) == (table.TERMS, table.RULES, table.NEEDS)
    rules = Rules(table.TERMS, Limits().setting)
    for sentence in {*table.RULES.values()} - {OUTPUT_ONLY}:
        rules.rule(sentence)


def test_methods_and_messages_say_what_they_are() -> None:
    """A method's comment begins with what the method does ("Returns"); a message's never with a request."""
    said = read_folder()
    first = {path: comment.partition(" ")[0] for path, comment in said.comments.items()}
    methods = {
        f"{service.name}/{method.name}": first[6, at, 2, number]
        for at, service in enumerate(said.file.service)
        for number, method in enumerate(service.method)
    }
    messages = {message.name: first[4, at] for at, message in enumerate(said.file.message_type)}

    assert {name: word for name, word in methods.items() if not word.endswith("s")} == {}
    assert {name: word for name, word in messages.items() if word in ("Ask", "Asks", "It", "They")} == {}
