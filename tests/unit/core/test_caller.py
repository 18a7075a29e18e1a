from __future__ import annotations

from grpc_chat.core.caller import Caller


def test_a_bot_uses_its_owners_share() -> None:
    """What a bot asks for is counted for its owner; what a person asks for, for that person."""
    assert Caller("machine", "s1", owner_id="alice").charged_to == "alice"
    assert Caller("alice", "s2").charged_to == "alice"
