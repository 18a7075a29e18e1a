from __future__ import annotations

import pytest

from grpc_chat.api import table
from grpc_chat.api.methods import Needs, require
from grpc_chat.core.caller import ALL_SCOPES, Caller, scope_bits, scopes_of
from grpc_chat.errors import PermissionDenied
from grpc_chat.wire import chat_pb2 as pb

NEEDS = {method: Needs(needs) for method, needs in table.NEEDS.items()}
READ, WRITE, ADMIN = pb.SCOPE_READ, pb.SCOPE_WRITE, pb.SCOPE_ADMIN


def test_every_method_says_what_it_needs() -> None:
    """Each of chat.proto is in the table, and nothing else is."""
    methods = {
        f"{service.name}/{method.name}"
        for service in pb.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }

    assert NEEDS.keys() == methods


def test_five_methods_need_nobody() -> None:
    """What one calls before one has a token; a further one is a decision, and stands here."""
    assert {method for method, needs in NEEDS.items() if needs is Needs.NOBODY} == {
        "AuthService/BeginLogIn",
        "AuthService/FinishLogIn",
        "AuthService/GetServerInfo",
        "AuthService/LogIn",
        "AuthService/Register",
    }


def test_administering_the_server_needs_an_administrator() -> None:
    """Every method of the service that is there for it, and no other."""
    of_service = {method for method in NEEDS if method.startswith("AdminService/")}

    assert {method for method, needs in NEEDS.items() if needs is Needs.ADMIN} == of_service


def test_what_changes_nothing_needs_no_more_than_reading() -> None:
    """chat.proto says which those are; who writes may do what is not among them."""
    for service in pb.DESCRIPTOR.services_by_name.values():
        for method in service.methods:
            needs = NEEDS[f"{service.name}/{method.name}"]
            changes = method.GetOptions().idempotency_level != 1
            if needs is Needs.READ and changes:
                # Where one has read to is part of reading, and so is what to be notified of and to follow.
                reading = ("Subscribe", "Acknowledge", "DeleteConsumer", "MarkRead", "UpdateNotifications")
                assert method.name in (*reading, "UpdateThread")
            if needs is Needs.WRITE:
                assert changes, method.full_name


def callers() -> dict[str, Caller]:
    """Of every kind, by what is special about them."""
    return {
        "login": Caller("alice", "s"),
        "login of an administrator": Caller("alice", "s", admin=True),
        "nothing": Caller("alice", "s", scopes=frozenset(), interactive=False),
        "reading": Caller("alice", "s", scopes=frozenset({READ}), interactive=False),
        "writing": Caller("alice", "s", scopes=frozenset({WRITE}), interactive=False),
        "token": Caller("alice", "s", scopes=ALL_SCOPES, interactive=False),
        "token of an administrator": Caller("alice", "s", interactive=False, admin=True),
        "reading administrator": Caller(
            "alice", "s", scopes=frozenset({READ}), interactive=False, admin=True
        ),
    }


MAY = {
    Needs.ANYBODY: set(callers()),
    Needs.READ: set(callers()) - {"nothing", "writing"},
    Needs.WRITE: set(callers()) - {"nothing", "reading", "reading administrator"},
    Needs.READ_OR_WRITE: set(callers()) - {"nothing"},
    Needs.LOGIN: {"login", "login of an administrator"},
    Needs.ADMIN: {"login of an administrator", "token of an administrator"},
}


@pytest.mark.parametrize("needs", MAY)
def test_callers_may_what_their_tokens_are_good_for(needs: Needs) -> None:
    """And nothing else; the refusal is one of permission, because who they are is known."""
    may = set()
    for name, caller in callers().items():
        try:
            require(needs, caller)
        except PermissionDenied:
            continue
        may.add(name)

    assert may == MAY[needs]
    assert MAY.keys() | {Needs.NOBODY} == set(Needs)


def test_refusal_names_the_scope_that_is_missing() -> None:
    """For the person, and for the program."""
    with pytest.raises(PermissionDenied, match="'write'") as refused:
        require(Needs.WRITE, callers()["reading"])

    assert refused.value.metadata == {"scope": "write"}


def test_scopes_are_kept_as_bits() -> None:
    """Each its own; a bit that stands for none is nothing."""
    for scopes in ([], [READ], [WRITE, ADMIN], [READ, WRITE, ADMIN]):
        assert scopes_of(scope_bits(scopes)) == frozenset(scopes)
    assert scope_bits([READ, READ]) == scope_bits([READ])
    assert scopes_of(0b1111_0001) == frozenset()
    assert pb.Scope.values() == [0, *sorted(ALL_SCOPES)]
