"""Receipts on the command line: `receipts` and `why`."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from grpc_chat.cli import receipts
from grpc_chat.cli.command import Cli
from grpc_chat.cli.output import Output
from grpc_chat.cli.target import Target
from grpc_chat.errors import PermissionDenied
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb


async def run(node: RunningNode, who: str, command: Any, *, as_json: bool = False, **given: Any) -> None:
    """Run a command as a user."""
    cli = Cli(node.client(who), Target("localhost:1"), cast("Any", None), Output(as_json=as_json))
    await command.callback.__wrapped__(cli, **given)


async def test_who_has_received_and_read_a_message_and_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    """In words for people, and as JSON for programs."""
    async with running_node("alice", "bob", "carol", network=False) as node:
        alice, bob, carol = [node.client(name) for name in ("alice", "bob", "carol")]
        await node.put_room("plans", {"alice": "owner", "bob": "member", "carol": "member"})
        await alice.update_room("plans", receipts="members")
        sent = await alice.send("plans", "hello")
        cursor = pb.Cursor(room_id="plans", seq=sent.seq, epoch=sent.epoch)
        await bob._acknowledge(pb.AcknowledgeRequest(consumer="phone", cursors=[cursor]))
        await carol.mark_read("plans", sent.seq)

        async def printed(who: str, command: Any, **given: Any) -> list[str]:
            await run(node, who, command, name="plans", seq=sent.seq, **given)
            return capsys.readouterr().out.splitlines()

        head, first, second = await printed("alice", receipts.receipts, only=None)
        assert head.split() == ["USER", "RECEIVED", "READ"]
        assert first.split()[:2] == ["bob", f"{sent.create_time.astimezone():%Y-%m-%d}"]
        assert second.split() == ["carol", "yes", "yes"]
        [line] = await printed("alice", receipts.receipts, only="read", as_json=True)
        assert json.loads(line) == {
            "user_id": "carol",
            "received": True,
            "receive_time": None,
            "read": True,
        }
        assert await printed("alice", receipts.receipts, only="missing") == []

        about_bob = await printed("alice", receipts.why, user="@bob")
        assert about_bob[1:] == [
            "bob is a member of plans from an earlier time",
            f"bob may read message {sent.seq}",
            f"a client of bob has acknowledged events up to {sent.seq}, {about_bob[3].split(', ')[1]}",
        ]
        assert about_bob[0].startswith(f"message {sent.seq} was stored 20")
        own = await printed("carol", receipts.why, user="")
        assert own[1:] == [
            "you are a member of plans from an earlier time",
            f"you may read message {sent.seq}",
            "the server keeps no position for you in this room",
            f"you have read up to event {sent.seq}",
        ]
        [line] = await printed("carol", receipts.why, user="", as_json=True)
        told = json.loads(line)
        assert (told["seq"], told["memberships"]) == (sent.seq, [{"from_seq": 0, "to_seq": 0}])
        with pytest.raises(PermissionDenied):
            await printed("carol", receipts.why, user="bob")
