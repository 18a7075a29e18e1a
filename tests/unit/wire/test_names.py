"""The package's messages stand beside whatever other generated code a program has."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.timestamp_pb2 import Timestamp

from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.names import api_file, api_name, method_path, services, with_json_names


def test_the_api_has_names_of_its_own() -> None:
    """Everybody but this process's pool of descriptors knows it as chat.v1."""
    get_room = pb.DESCRIPTOR.services_by_name["RoomService"].methods_by_name["GetRoom"]

    assert api_name(pb.Event.DESCRIPTOR.full_name) == "chat.v1.Event"
    assert api_name(Timestamp.DESCRIPTOR.full_name) == "google.protobuf.Timestamp"
    assert api_name(get_room.full_name) == "chat.v1.RoomService.GetRoom"
    assert method_path(get_room) == "/chat.v1.RoomService/GetRoom"
    assert "chat.v1.MessageService" in services()


def test_the_api_s_file_is_whole() -> None:
    """Under its own names, every type that it refers to is there."""
    pool = DescriptorPool()
    for name in api_file().dependency:
        [imported] = [each for each in pb.DESCRIPTOR.dependencies if each.name == name]
        pool.AddSerializedFile(imported.serialized_pb)

    file = pool.AddSerializedFile(api_file().SerializeToString())

    assert (file.name, file.package) == ("chat.proto", "chat.v1")
    assert file.message_types_by_name.keys() == pb.DESCRIPTOR.message_types_by_name.keys()
    assert "grpc_chat" not in str(api_file())


def test_json_names_are_protobuf_s() -> None:
    """What reflection says is what protobuf does."""
    messages = with_json_names(api_file()).message_type
    found = {(message.name, field.name): field.json_name for message in messages for field in message.field}

    assert found["GetRoomRequest", "room_id"] == "roomId"
    assert found == {
        (message.name, field.name): field.json_name
        for message in pb.DESCRIPTOR.message_types_by_name.values()
        for field in message.fields
    }


def test_well_known_types_are_everybody_s() -> None:
    """A Timestamp that a program has goes into a message of the package, and the other way round."""
    event = pb.Event(seq=1, create_time=Timestamp(seconds=5))

    assert type(event.create_time) is Timestamp
    event.create_time.CopyFrom(Timestamp(seconds=6))
    assert pickle.loads(pickle.dumps(event)) == event


def other(kind: str) -> FileDescriptorProto:
    """A file chat.proto that somebody else may have loaded."""
    file = api_file()
    match kind:
        case "older":
            del file.message_type[0].field[-1:]
            del file.message_type[-1].field[:]
        case "newer":
            optional, int64 = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.TYPE_INT64
            file.message_type[0].field.add(name="new", number=999, label=optional, type=int64)
        case "unrelated":
            hello = DescriptorProto(name="Hello")
            file = FileDescriptorProto(name="chat.proto", package="my.chat", message_type=[hello])
    return file


@pytest.mark.parametrize(
    ("kind", "theirs_first"), [("unrelated", True), ("unrelated", False), ("older", True), ("newer", False)]
)
def test_a_program_may_have_another_chat_proto(kind: str, theirs_first: bool) -> None:
    """One of its own, or another version of ours, before or after: it was a "duplicate file name"."""
    theirs = (
        "import sys\n"
        "from google.protobuf import any_pb2, descriptor_pool, duration_pb2, field_mask_pb2, timestamp_pb2\n"
        "descriptor_pool.Default().AddSerializedFile(sys.stdin.buffer.read())\n"
    )
    ours = (
        "from grpc_chat.wire import chat_pb2 as pb\n"
        "assert pb.Event.FromString(pb.Event(seq=7).SerializeToString()).seq == 7\n"
    )
    script = theirs + ours if theirs_first else ours + theirs

    done = subprocess.run(
        [sys.executable, "-c", script], input=other(kind).SerializeToString(), capture_output=True
    )

    assert (done.returncode, done.stderr) == (0, b"")
