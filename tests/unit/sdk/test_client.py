"""The client as a whole: what it can do, and by which names."""

from __future__ import annotations

import inspect
import re

from grpc_chat import Client
from grpc_chat.sdk.accounts import AccountCalls
from grpc_chat.sdk.admin import AdminCalls, ShortAdminCalls
from grpc_chat.sdk.consumers import ConsumerCalls
from grpc_chat.sdk.rooms import RoomCalls

KINDS = (AccountCalls, AdminCalls, ConsumerCalls, RoomCalls)


def methods(kind: type) -> set[str]:
    return {name for name, value in vars(kind).items() if inspect.isfunction(value) and name[0] != "_"}


def test_each_method_is_on_the_client_and_hides_no_other() -> None:
    """Whatever it is about: one that had the name of another would be called in its place."""
    seen: dict[str, type] = {}

    for kind in KINDS:
        for name in methods(kind):
            assert getattr(Client, name) is getattr(kind, name), name
            assert name not in seen, f"{kind} and {seen.get(name)} both have {name}"
            seen[name] = kind


def test_calls_for_administrators_are_named_as_in_chat_proto() -> None:
    """Whole, so that none is taken for one about oneself; what is listed has the name of what it lists."""
    called = re.findall(r'"AdminService/(\w+)"', inspect.getsource(AdminCalls))
    names = {re.sub(r"(?<!^)([A-Z])", r"_\1", method).lower().removeprefix("list_") for method in called}

    assert names == methods(AdminCalls)


def test_calls_for_administrators_have_their_old_names() -> None:
    """As they were published: `client.admin.sessions(…)` is the same call as `client.user_sessions(…)`."""
    short = {
        "identities": "user_identities",
        "unlink_identity": "unlink_user_identity",
        "sessions": "user_sessions",
        "revoke_sessions": "revoke_user_sessions",
        "create_invite": "create_server_invite",
        "invites": "server_invites",
        "revoke_invite": "revoke_server_invite",
    }
    assert isinstance(Client("localhost:1").admin, ShortAdminCalls)

    for old, new in short.items():
        assert getattr(ShortAdminCalls, old) is getattr(Client, new)
    for name in methods(AdminCalls):
        assert getattr(ShortAdminCalls, name) is getattr(Client, name)
