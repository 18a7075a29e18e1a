"""Accounts, logins and tokens, over the real API: who gets in, who does not, and what is left of secrets."""

from __future__ import annotations

import asyncio
import gc
import logging
import statistics
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import argon2
import grpc
import pytest
from google.protobuf.message import Message

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.api.pipeline import Pipeline
from grpc_chat.core.sessions import Sessions
from grpc_chat.errors import ChatError
from grpc_chat.testing import PASSWORD, RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import Calls, Reply
from tests.memory import Mostly, pipeline_of
from tests.scale import times
from tests.support import PeerAt, until

NEW_PASSWORD = "another one, just as long"
WRONG = "not the password of anybody"
# Of servers in tests, passwords are hashed in next to no time.
REAL_HASHES = {"password_memory_kib": 8192}
FREE: dict[str, Any] = {"limits": {"calls_per_second": 0, "guest_calls_per_second": 0}}


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[tuple[RunningNode, Calls]]:
    """A server with accounts, whose callers are not slowed down, and a connection to it."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(
            running_node(**({"accounts": {"adding": "anyone"}} | FREE | settings))
        )
        yield node, await stack.enter_async_context(Mostly(node))


def register(user_id: str, code: str = "", password: str = PASSWORD) -> tuple[str, Message]:
    request = pb.RegisterRequest(user_id=user_id, password=password, invite_code=code)
    return "AuthService/Register", request


def log_in(user_id: str, password: str = PASSWORD) -> tuple[str, Message]:
    return "AuthService/LogIn", pb.LogInRequest(user_id=user_id, password=password)


GET_ME = ("AuthService/GetMe", pb.GetMeRequest())


@contextmanager
def verifications() -> Iterator[list[float]]:
    """Each password that is compared with a hash meanwhile, by when that began."""
    began: list[float] = []
    original = argon2.PasswordHasher.verify

    def verify(self: Any, hash: Any, password: Any) -> Any:
        began.append(time.monotonic())
        return original(self, hash, password)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argon2.PasswordHasher, "verify", verify)
        yield began


# ---------------------------------------------------------------------------------------------------------
# Registering.


@pytest.mark.parametrize(
    ("policy", "without", "wrong", "invited"),
    [
        ("open", "OK", "INVITE_NOT_VALID", "OK"),
        ("invite", "REGISTRATION_CLOSED", "INVITE_NOT_VALID", "OK"),
        ("closed", "REGISTRATION_CLOSED", "REGISTRATION_CLOSED", "REGISTRATION_CLOSED"),
    ],
)
async def test_who_may_register(policy: str, without: str, wrong: str, invited: str) -> None:
    """A server makes accounts for everybody, for those with an invite, or for nobody, and says which."""
    async with serving(accounts={"registration": policy}) as (node, calls):
        _, code = await node.node.invites.create_for_server(None)
        answers = [
            (await calls(*register("ann"))).reason,
            (await calls(*register("ben", "gci_" + "a" * 25))).reason,
            (await calls(*register("cat", code))).reason,
        ]
        assert answers == [without, wrong, invited]
        info = (await calls("AuthService/GetServerInfo", pb.GetServerInfoRequest())).read(
            pb.GetServerInfoResponse
        )
        assert pb.Registration.Name(info.registration) == f"REGISTRATION_{policy.upper()}"
        for user, answer in zip(("ann", "ben", "cat"), answers, strict=True):
            assert (await calls(*log_in(user))).reason == ("OK" if answer == "OK" else "LOGIN_FAILED")


async def test_invites_to_register() -> None:
    """An invite registers as many as it is for, while it is valid; all others are answered alike."""
    async with serving() as (node, calls):
        admin = await node.register("admin", admin=True)
        room = await admin.create_room("room")
        used = await admin.admin.create_invite(max_uses=1)
        assert (await calls(*register("first", used.code))).reason == "OK"
        revoked = await admin.admin.create_invite()
        await admin.admin.revoke_invite(revoked.invite_id)
        expired = await admin.admin.create_invite(lifetime=timedelta(milliseconds=1))
        only_a_room = await admin.create_invite(room.room_id)
        assert expired.expire_time
        await until(lambda: datetime.now(UTC) > expired.expire_time)  # type: ignore[operator]
        refused = {
            # Whether a name is taken is told to those alone who may register.
            (await calls(*register(user_id, code))).status
            for code in (used.code, revoked.code, expired.code, only_a_room.code, "gci_" + "a" * 25, "x")
            for user_id in ("free", "first", "admin")
        }
        assert len(refused) == 1
        assert refused.pop()[0] == "NOT_FOUND"

        # Many at once do not use it more often.
        three = await admin.admin.create_invite(max_uses=3)
        replies = await asyncio.gather(*[calls(*register(f"user{at}", three.code)) for at in range(8)])
        reasons = sorted(reply.reason for reply in replies)
        assert reasons == ["INVITE_NOT_VALID"] * 5 + ["OK"] * 3
        assert (await calls(*register("late", three.code))).reason == "INVITE_NOT_VALID"

        # A name that is taken uses none up; an invite to a room leads there.
        both = await admin.create_invite(room.room_id, max_uses=1, allows_registration=True)
        assert (await calls(*register("first", both.code))).reason == "USER_EXISTS"
        made = (await calls(*register("second", both.code))).read(pb.RegisterResponse)
        assert made.room_id == room.room_id
        assert [member.user.user_id async for member in admin.members(room.room_id)] == ["admin", "second"]

        # Only who the policy names makes invites that register; others' lead to the room alone.
        await admin.set_role(room.room_id, "second", "owner")
        asked = pb.CreateInviteRequest(room_id=room.room_id, allows_registration=True)
        assert (await calls("RoomService/CreateInvite", asked, made.token)).reason == "PERMISSION_DENIED"


@pytest.mark.parametrize(
    ("taken", "alike"),
    [
        ("alice", "a1ice"),
        ("modern", "modem"),
        ("bob", "b0b"),
        ("carl.smith", "carl-smith"),
        ("carl_jones", "carl.jones"),
        ("wendy", "vvendy"),
        ("ham", "harn"),
    ],
)
async def test_no_two_names_look_alike(taken: str, alike: str) -> None:
    """A name that looks like one that there is, is taken: for people and bots, and by administrators."""
    async with serving(accounts={"registration": "open"}) as (node, calls):
        admin = await node.register("admin", admin=True)
        assert (await calls(*register(taken))).reason == "OK"
        for name in (taken, alike):
            assert (await calls(*register(name))).reason == "USER_EXISTS"
            with pytest.raises(errors.UserExists):
                await admin.create_bot(name)
            with pytest.raises(errors.UserExists):
                await admin.admin.create_user(name, PASSWORD)


async def test_what_a_name_is() -> None:
    """Names are of few characters, and written in one way; logging in takes them in either case."""
    async with serving(accounts={"registration": "open"}) as (_, calls):
        wrong = (
            *(
                "a",
                "a" * 33,
                "Alice",
                "al ice",
                "al..ice",
                ".alice",
                "alice-",
                "\u00e4lice",
                "\u0430lice",
                "al\u200bice",
            ),
            *("alice\n", "al/ice", "al@ice", "\uff41lice", "alice\u202e", "_x", "-", ""),
        )
        for name in wrong:
            assert (await calls(*register(name))).reason == "INVALID_REQUEST", name
        for password in ("short", "x" * 1025, "alice", "alicealice", "aaaaaaaaaaaa", ""):
            assert (await calls(*register("alice", password=password))).reason == "INVALID_REQUEST", password
        assert (await calls(*register("alice"))).reason == "OK"
        for name in ("alice", "Alice", "ALICE"):
            assert (await calls(*log_in(name))).read(pb.LogInResponse).user.user_id == "alice"


# ---------------------------------------------------------------------------------------------------------
# Logging in.


async def test_a_wrong_name_is_as_a_wrong_password() -> None:
    """Whether there is an account shows neither in an answer, nor in what it costs."""
    async with serving(
        accounts=REAL_HASHES | {"attempts_per_address": 10**6, "attempts_per_account_and_address": 10**6}
    ) as (node, calls):
        admin = await node.register("admin", admin=True)
        for user in ("there", "blocked"):
            await node.register(user)
        await admin.create_bot("machine")
        await admin.admin.block_user("blocked")
        users = ("there", "nobody", "machine", "blocked", "THERE", "no such name!")

        answers = set()
        for user in users:
            with verifications() as compared:
                answers.add((await calls(*log_in(user, WRONG))).status)
            assert len(compared) == 1, user
        assert len(answers) == 1
        assert answers.pop()[0] == "UNAUTHENTICATED"
        # That it is blocked is told to who knows the password.
        assert (await calls(*log_in("blocked"))).reason == "ACCOUNT_BLOCKED"

        durations: dict[str, list[float]] = {user: [] for user in ("there", "nobody", "machine")}
        for _ in range(20):
            for user, taken in durations.items():
                began = time.perf_counter()
                await calls(*log_in(user, WRONG))
                taken.append(time.perf_counter() - began)
        medians = [statistics.median(taken) for taken in durations.values()]
        # One verification more or less would be a factor of two at the least.
        assert max(medians) < 1.7 * min(medians)


async def guess(pipeline: Pipeline, user_id: str, password: str, address: str) -> ChatError | None:
    """Try a password from an address; what came of it."""
    [method] = [method for method in pipeline.methods if method.path.endswith("/LogIn")]
    request = pb.LogInRequest(user_id=user_id, password=password).SerializeToString()
    try:
        await pipeline.call(method, (), request, PeerAt(f"ipv4:{address}:4711"))
    except ChatError as error:
        return error
    return None


async def test_guessing_is_bounded() -> None:
    """Of thousands of guesses at a password a few are looked at; the others are told when to come back."""
    async with serving(grpc={"trusted_proxies": ["127.0.0.0/8"]}) as (node, calls):
        await node.register("alice")
        await node.register("bob")
        with verifications() as compared:
            replies: list[Reply] = []
            for start in range(0, 200, 50):
                replies = await asyncio.gather(
                    *[
                        calls(*log_in("alice", f"guess {start + at}"), x_forwarded_for="203.0.113.5")
                        for at in range(50)
                    ]
                )
            pipeline = pipeline_of(node)
            for start in range(0, times(2_000, 10_000), 500):
                outcomes = await asyncio.gather(
                    *[guess(pipeline, "alice", f"guess {start + at}", "203.0.113.5") for at in range(500)]
                )
                assert all(isinstance(error, errors.RateLimited) and error.retry_after for error in outcomes)
        assert len(compared) <= 20
        for reply in replies:
            assert reply.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert reply.retry_after
            assert 0 < reply.retry_after <= 900

        # Who guesses does not lock out the one whose account it is; nor is the right password let through.
        here = await calls(*log_in("alice"), x_forwarded_for="203.0.113.5")
        assert here.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        there = await calls(*log_in("alice"), x_forwarded_for="203.0.113.6")
        assert there.reason == "OK"
        # Only the last address that is no proxy's counts, whatever is made up before it.
        made_up = await calls(*log_in("alice"), x_forwarded_for="198.51.100.7, 203.0.113.5")
        assert made_up.code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_guessing_from_many_addresses_is_bounded() -> None:
    """From 500 addresses thirty guesses go through, and anyone who was in before still gets in."""
    async with serving(accounts={"attempts_per_account": 30}) as (node, _):
        await node.register("alice")
        pipeline = pipeline_of(node)
        assert await guess(pipeline, "alice", PASSWORD, "192.0.2.1") is None
        with verifications() as compared:
            for start in range(0, 500, 50):
                addresses = [f"10.0.{at // 250}.{at % 250}" for at in range(start, start + 50)]
                await asyncio.gather(*[guess(pipeline, "alice", WRONG, address) for address in addresses])
        assert 20 < len(compared) <= 31
        assert await guess(pipeline, "alice", PASSWORD, "192.0.2.1") is None
        assert isinstance(await guess(pipeline, "alice", PASSWORD, "192.0.2.2"), errors.RateLimited)


async def test_guessing_at_many_accounts_is_bounded() -> None:
    """One address tries so many passwords, whosever they are, and however many names there are."""
    async with serving(accounts={"attempts_per_address": 30}) as (node, _):
        pipeline = pipeline_of(node)
        with verifications() as compared:
            for start in range(0, 500, 50):
                users = [f"user{at}" for at in range(start, start + 50)]
                await asyncio.gather(*[guess(pipeline, user, WRONG, "192.0.2.1") for user in users])
        assert 20 < len(compared) <= 31


async def test_guessing_at_a_shared_address_keeps_nobody_out_who_is_known_there() -> None:
    """Nor do registrations and wrong codes; a stranger's guesses are bounded as before."""
    settings = {"registration": "open", "attempts_per_address": 12}
    async with serving(accounts=settings) as (node, calls):
        await node.register("alice")
        await calls(*log_in("alice"))
        # Anyone who registers from an address is known there.
        registered = [(await calls(*register(f"new-{at}"))).reason for at in range(13)]
        assert registered[-1] == "RATE_LIMITED"
        known = registered.count("OK")
        coded = [(await calls(*register(f"coder-{at}", code=f"gci_{at}"))).reason for at in range(13)]
        assert coded == ["INVITE_NOT_VALID"] * 12 + ["RATE_LIMITED"]
        with verifications() as compared:
            outcomes = [(await calls(*log_in(f"nobody-{at}", WRONG))).reason for at in range(40)]
            assert len(compared) == 12
        assert outcomes[-1] == "RATE_LIMITED"

        for user in ("alice", *[f"new-{at}" for at in range(known)]):
            assert (await calls(*log_in(user))).reason == "OK", user
        with verifications() as compared:
            outcomes = [(await calls(*log_in("alice", f"guess {at}"))).reason for at in range(40)]
            assert len(compared) == 10
        assert outcomes[-1] == "RATE_LIMITED"
        assert (await calls(*log_in("nobody", WRONG))).reason == "RATE_LIMITED"


async def test_failed_logins_with_an_issuer_keep_nobody_from_logging_in_with_a_password() -> None:
    """Nor do wrong invites that are checked before the way to the issuer: each kind has its own budget."""
    nowhere = {"name": "corp", "issuer": "http://127.0.0.1:9", "client_id": "chat"}
    async with serving(accounts={"attempts_per_address": 5}, oidc=[nowhere]) as (node, calls):
        admin = await node.register("admin", admin=True)
        # Made by somebody else, and so never entered from here.
        await admin.admin.create_user("carol", PASSWORD)
        finish = pb.FinishLogInRequest(handle="nothing")
        wrong = pb.BeginLogInRequest(provider="corp", redirect_uri="http://127.0.0.1:1/", invite_code="gci_x")
        for method, request in (("FinishLogIn", finish), ("BeginLogIn", wrong)):
            outcomes = [(await calls(f"AuthService/{method}", request)).reason for _ in range(6)]
            assert "RATE_LIMITED" not in outcomes[:5]
            assert outcomes[5] == "RATE_LIMITED"

        assert (await calls(*log_in("carol"))).reason == "OK"


async def test_an_address_is_not_made_up() -> None:
    """Where no proxy is trusted, x-forwarded-for gives nobody another address."""
    async with serving() as (node, calls):
        await node.register("alice")
        with verifications() as compared:
            for at in range(40):
                await calls(*log_in("alice", WRONG), x_forwarded_for=f"203.0.113.{at}")
        assert len(compared) == 10


async def test_many_logins_do_not_hold_up_the_server() -> None:
    """Of 200 logins at once a bounded number waits; everybody else is answered meanwhile."""
    running, most, lock = 0, 0, threading.Lock()
    original = argon2.PasswordHasher.verify

    def verify(self: Any, hash: Any, password: Any) -> Any:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            return original(self, hash, password)
        finally:
            with lock:
                running -= 1

    settings = REAL_HASHES | {"password_waiting": 40, "password_passes": 3, "attempts_per_address": 10**6}
    many = {"streams_per_connection": 1000}
    async with serving(accounts=settings, grpc=many) as (node, calls):
        alice = await node.register("alice")
        # By now the client knows how many calls the server takes at once; more would be sent back by HTTP/2.
        assert (await calls(*GET_ME, alice.token)).reason == "OK"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(argon2.PasswordHasher, "verify", verify)
            logins = asyncio.gather(*[calls(*log_in(f"user{at}", WRONG)) for at in range(200)])
            answered = 0
            while not logins.done():
                reply = await calls(*GET_ME, alice.token)
                assert reply.reason == "OK", reply
                answered += 1
            replies = await logins
        assert most == 1
        assert answered > 10
        reasons = [reply.reason for reply in replies]
        assert set(reasons) == {"LOGIN_FAILED", "LIMIT_EXCEEDED"}
        # Those that waited when the first were done made room for others.
        assert 41 <= reasons.count("LOGIN_FAILED") < 200
        assert all(reply.retry_after for reply in replies if reply.reason == "LIMIT_EXCEEDED")


# ---------------------------------------------------------------------------------------------------------
# Sessions and tokens.


async def test_a_new_password_ends_the_other_sessions() -> None:
    """After a change the old password and all other sessions are worth nothing; it is not guessed here."""
    async with serving() as (node, calls):
        alice = await node.register("alice")
        others = [await node.log_in("alice") for _ in range(2)]
        token = (await others[0].create_access_token("program")).token
        with verifications() as compared:
            for _ in range(30):
                with pytest.raises((errors.LoginFailed, errors.RateLimited)):
                    await others[1].change_password(WRONG, NEW_PASSWORD)
        assert len(compared) == 10

        assert (await alice.change_password(PASSWORD, NEW_PASSWORD)).revoked_sessions == 3

        assert (await alice.me()).user_id == "alice"
        for old in (*[other.token for other in others], token):
            assert (await calls(*GET_ME, old)).reason == "UNAUTHENTICATED"
        assert (await calls(*log_in("alice"))).reason == "LOGIN_FAILED"
        assert (await calls(*log_in("alice", NEW_PASSWORD))).reason == "OK"


async def test_sessions_are_listed_and_revoked() -> None:
    """One sees one's own sessions alone, newest first, and ends those that one names."""
    async with serving() as (node, calls):
        alice = await node.register("alice")
        bob = await node.register("bob")
        phone = await node.log_in("alice")
        token = await alice.create_access_token("program", scopes=["read"], lifetime=timedelta(days=1))
        listed = [session async for session in alice.sessions()]
        assert [(s.device_name, s.access_token) for s in listed] == [
            ("program", True),
            ("test", False),
            ("test", False),
        ]
        assert listed[0].scopes == ("read",)
        ids = [session.session_id for session in listed]

        # Another's are as none.
        assert await bob.revoke_sessions(*ids) == 0
        assert await alice.revoke_sessions(ids[0], ids[1], "no such session") == 2
        assert await alice.revoke_sessions(ids[0], ids[1]) == 0
        for ended in (token.token, phone.token):
            assert (await calls(*GET_ME, ended)).reason == "UNAUTHENTICATED"
        assert [session.session_id async for session in alice.sessions()] == [ids[2]]
        assert [s.session_id async for s in bob.sessions()] == [(await bob.session()).session_id]
        with pytest.raises(errors.UserNotFound):
            await bob.revoke_sessions(all_others=True, bot_id="alice")
        with pytest.raises(errors.UserNotFound):
            _ = [session async for session in bob.sessions(bot_id="alice")]


async def test_what_tokens_are_good_for() -> None:
    """A token does what its scopes say, nothing to accounts, and no more than its account may."""
    async with serving() as (node, _):
        alice = await node.register("alice")
        admin = await node.register("admin", admin=True)
        room = await alice.create_room("room")
        with pytest.raises(errors.PermissionDenied):
            await alice.create_access_token("too much", scopes=["read", "admin"])
        clients: dict[str, chat.Client] = {}
        for scope in ("read", "write"):
            token = (await alice.create_access_token(scope, scopes=[scope])).token
            clients[scope] = chat.Client(node.address, token=token)
        full = (await admin.create_access_token("all", scopes=["read", "write", "admin"])).token
        clients["all"] = chat.Client(node.address, token=full)
        try:
            assert (await clients["read"].room(room.room_id)).name == "room"
            sent = await clients["write"].send(room.room_id, "hello")
            assert [message.seq async for message in clients["read"].history(room.room_id)] == [sent.seq]
            assert [record async for record in clients["all"].admin.users()]
            for refused in (
                clients["read"].send(room.room_id, "hello"),
                clients["read"].create_room("another"),
                clients["read"].leave_room(room.room_id),
                clients["write"].room(room.room_id),
                clients["write"].subscribe(room.room_id).next(),
                *[client.change_password(PASSWORD, NEW_PASSWORD) for client in clients.values()],
                *[client.create_access_token("more") for client in clients.values()],
                *[client.revoke_sessions(all_others=True) for client in clients.values()],
                *[client.create_bot("machine") for client in clients.values()],
                *[client.update_profile(display_name="x") for client in clients.values()],
            ):
                with pytest.raises(errors.PermissionDenied):
                    await refused
            # They are no longer an administrator, and neither is their token one.
            await node.register("other-admin", admin=True)
            await admin.admin.set_admin("admin", admin=False)
            with pytest.raises(errors.PermissionDenied):
                _ = [record async for record in clients["all"].admin.users()]
        finally:
            await asyncio.gather(*[client.aclose() for client in clients.values()])


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What sessions take for the time."""
    made = Clock()
    monkeypatch.setattr(
        "grpc_chat.core.system.Sessions",
        lambda *given, **named: Sessions(*given, **named | {"clock": made}),
    )
    return made


def sessions_of(node: RunningNode) -> Sessions:
    return cast("Sessions", pipeline_of(node)._authenticator)


async def test_a_login_that_is_not_used_ends(clock: Clock) -> None:
    """Unused for as long as the server says, a login ends; each use, an open stream too, begins that anew."""
    idle = timedelta(hours=1)
    async with serving(accounts={"session_idle": idle}) as (node, calls):
        alice, unused = await node.register("alice"), await node.log_in("alice")
        follower = await node.log_in("alice")
        program = (await alice.create_access_token("program")).token
        room = await alice.create_room("room")
        stream = calls.subscribe(follower.token, all_rooms=True)
        await stream.until_caught_up()
        for _ in range(4):
            clock.now += 0.6 * idle.total_seconds()
            assert (await calls(*GET_ME, alice.token)).reason == "OK"
            await sessions_of(node).save()
        assert (await calls(*GET_ME, unused.token)).reason in ("SESSION_ENDED", "UNAUTHENTICATED")
        # Tokens for programs may lie unused, and who listens is there.
        assert (await calls(*GET_ME, program)).reason == "OK"
        assert (await calls(*GET_ME, follower.token)).reason == "OK"
        sent = await alice.send(room.room_id, "still there?")
        await stream.until_got(room.room_id, sent.seq)
        listed = {session.session_id async for session in alice.sessions()}
        assert len(listed) == 3

        clock.now += 1.1 * idle.total_seconds()
        assert (await calls(*GET_ME, alice.token)).reason == "SESSION_ENDED"
        await sessions_of(node).save()
        assert (await calls(*GET_ME, alice.token)).reason == "SESSION_ENDED"
        assert (await calls(*GET_ME, follower.token)).reason == "OK"
        clock.now += timedelta(days=366).total_seconds()
        await sessions_of(node).save()
        assert (await calls(*GET_ME, alice.token)).reason == "UNAUTHENTICATED"
        assert (await calls(*GET_ME, follower.token)).reason == "OK"
        await stream.aclose()


async def test_a_clock_that_was_ahead_takes_no_login(clock: Clock) -> None:
    """While it is, logins have expired; once it is set right they are back, also after a restart."""
    ahead = timedelta(days=100).total_seconds()
    async with serving() as (node, _):
        alice, other = await node.register("alice"), await node.log_in("alice")
        program = (await alice.create_access_token("program", lifetime=timedelta(days=7))).token

        async def answers(*tokens: str) -> list[str]:
            async with Mostly(node) as calls:
                return [(await calls(*GET_ME, token)).reason for token in tokens]

        async def listed() -> int:
            read = node.node.readers.run
            return len(await read(lambda snapshot: snapshot.sessions("alice", after=None, limit=9)))

        tokens = (alice.token, other.token, program)
        assert await answers(*tokens) == ["OK"] * 3
        clock.now += ahead
        assert await answers(*tokens) == ["SESSION_ENDED"] * 3
        await sessions_of(node).save()
        assert (await answers(*tokens), await listed()) == (["SESSION_ENDED"] * 3, 0)
        await node.restart()
        clock.now -= ahead
        assert (await answers(*tokens), await listed()) == (["OK"] * 3, 3)

        # What is ended meanwhile does not come back.
        clock.now += ahead
        await sessions_of(node).save()
        clock.now -= ahead
        assert await answers(alice.token) == ["OK"]
        await alice.revoke_sessions(all_others=True)
        assert await answers(*tokens) == ["OK", "UNAUTHENTICATED", "UNAUTHENTICATED"]


async def test_a_clock_that_was_behind_takes_no_login(clock: Clock) -> None:
    """As of a machine that starts without the time: what is used then is not used long ago."""
    behind = timedelta(days=400).total_seconds()
    async with serving() as (node, calls):
        alice = await node.register("alice")
        clock.now -= behind
        assert (await calls(*GET_ME, alice.token)).reason == "OK"
        await sessions_of(node).save()
        clock.now += behind
        assert (await calls(*GET_ME, alice.token)).reason == "OK"
        await sessions_of(node).save()
        assert (await calls(*GET_ME, alice.token)).reason == "OK"


async def test_a_login_lasts_no_longer_than_the_server_says() -> None:
    """However much it is used, a login ends after its lifetime, and its streams with it."""
    async with serving(accounts={"session_lifetime": timedelta(seconds=1)}) as (node, calls):
        alice = await node.register("alice")
        stream = await calls.subscribe(alice.token, all_rooms=True).until_started()
        assert (await stream.until_ended()).reason == "SESSION_ENDED"
        assert (await calls(*GET_ME, alice.token)).reason in ("SESSION_ENDED", "UNAUTHENTICATED")
        assert (await calls(*log_in("alice"))).reason == "OK"


async def test_one_login_too_many_ends_the_least_used(clock: Clock) -> None:
    """There are as many logins as the server allows: another one ends the one not used for longest."""
    async with serving(accounts={"sessions": 3, "access_tokens": 2}) as (node, calls):
        clients = [await node.register("alice"), await node.log_in("alice"), await node.log_in("alice")]
        stream = await calls.subscribe(clients[1].token, all_rooms=True).until_started()
        third = await clients[2].session()
        for used in (clients[2], clients[0]):
            clock.now += 60
            await used.me()
            await sessions_of(node).save()
        # By its open stream, the second one was used just now; the third was not.
        newest = chat.Client(node.address)
        login = await newest.log_in("alice", PASSWORD)
        assert login.ended_session
        assert login.ended_session.session_id == third.session_id
        answers = [(await calls(*GET_ME, client.token)).reason for client in [*clients, newest]]
        assert answers == ["OK", "OK", "UNAUTHENTICATED", "OK"]
        assert stream.ended is None
        await stream.aclose()
        # Tokens are not logins, and none of them goes by itself.
        for name in ("one", "two"):
            await newest.create_access_token(name)
        with pytest.raises(errors.LimitExceeded):
            await newest.create_access_token("three")
        await newest.aclose()


async def test_the_time_of_the_last_use_outlives_a_restart(clock: Clock) -> None:
    """When a session was used last is known after the server was stopped and started."""
    async with serving() as (node, calls):
        alice, bob = await node.register("alice"), await node.register("bob")
        clock.now += 3600
        await alice.me()
        await node.restart()
        async with Mostly(node) as calls:
            told = {}
            for client in (bob, alice):
                reply = await calls("AuthService/ListSessions", pb.ListSessionsRequest(), client.token)
                [session] = reply.read(pb.ListSessionsResponse).sessions
                told[client] = session.last_used_time.ToSeconds() - session.create_time.ToSeconds()
        assert abs(told[alice] - 3600) < 60
        admin_view = [s.last_used_time async for s in alice.sessions()]
        assert len(admin_view) == 1


# ---------------------------------------------------------------------------------------------------------
# Bots, administrators, blocked accounts.


async def test_bots_belong_to_their_owners() -> None:
    """A bot has tokens and no password; its owner alone, and nobody else, looks after it."""
    async with serving() as (node, calls):
        alice, bob = await node.register("alice"), await node.register("bob")
        made = await alice.create_bot("machine", display_name="A machine")
        assert (made.bot, made.owner_id) == (True, "alice")
        assert [bot.user_id async for bot in alice.bots()] == ["machine"]
        assert [bot async for bot in bob.bots()] == []
        token = (await alice.create_access_token("run", bot_id="machine")).token
        me = (await calls(*GET_ME, token)).read(pb.GetMeResponse)
        assert me.user.user_id == "machine"
        assert (await node.node.authenticator.authenticate(token)).charged_to == "alice"
        assert (await bob.user("machine")).owner_id == ""
        for password in (PASSWORD, "machine", "", "None"):
            reply = await calls("AuthService/LogIn", pb.LogInRequest(user_id="machine", password=password))
            assert reply.reason == ("LOGIN_FAILED" if password else "INVALID_REQUEST")
        for refused in (
            bob.create_access_token("mine", bot_id="machine"),
            bob.update_profile(display_name="Mine", bot_id="machine"),
            bob.revoke_sessions(all_others=True, bot_id="machine"),
            bob.create_access_token("mine", bot_id="alice"),
            bob.create_access_token("mine", bot_id="nobody"),
        ):
            with pytest.raises(errors.UserNotFound):
                await refused
        assert await alice.revoke_sessions(all_others=True, bot_id="machine") == 1
        assert (await calls(*GET_ME, token)).reason == "UNAUTHENTICATED"
        assert (await alice.me()).user_id == "alice"


async def test_a_blocked_account_and_its_bots_are_out() -> None:
    """Blocked, an account and its bots have no session and begin none, until they are let in again."""
    async with serving() as (node, calls):
        admin = await node.register("admin", admin=True)
        alice = await node.register("alice")
        await alice.create_bot("machine")
        bot = (await alice.create_access_token("run", bot_id="machine")).token
        program = (await alice.create_access_token("program")).token
        assert (await admin.admin.block_user("alice")).user.block_time
        for token in (alice.token, program):
            assert (await calls(*GET_ME, token)).reason == "UNAUTHENTICATED"
        assert (await calls(*GET_ME, bot)).reason == "OWNER_BLOCKED"
        assert (await calls(*log_in("alice"))).reason == "ACCOUNT_BLOCKED"
        assert (await calls(*log_in("alice", WRONG))).reason == "LOGIN_FAILED"
        with pytest.raises(errors.FailedPrecondition):
            await admin.admin.unblock_user("machine")
        await node.restart()
        assert (await calls(*log_in("alice"))).reason == "ACCOUNT_BLOCKED"

        await admin.admin.unblock_user("alice")
        for token in (alice.token, bot, program):
            assert (await calls(*GET_ME, token)).code is grpc.StatusCode.UNAUTHENTICATED
        assert (await calls(*log_in("alice"))).reason == "OK"


async def test_the_last_administrator_stays() -> None:
    """A server does not lose its last administrator, in whatever way."""
    async with serving() as (node, _):
        admin = await node.register("admin", admin=True)
        await node.register("alice")
        for refused in (admin.admin.set_admin("admin", admin=False), admin.admin.block_user("admin")):
            with pytest.raises(errors.LastAdmin):
                await refused
        await admin.admin.set_admin("alice", admin=True)
        alice = await node.log_in("alice")
        await admin.admin.block_user("admin")
        for refused in (alice.admin.set_admin("alice", admin=False), alice.admin.block_user("alice")):
            with pytest.raises(errors.LastAdmin):
                await refused
        records = {record.user.user_id: record async for record in alice.admin.users()}
        assert records["alice"].admin


async def test_the_first_account_administers() -> None:
    """On a server without accounts one code makes the administrator, once; a restart makes another code."""
    async with serving() as (node, calls):
        first = node.node.first_invite
        assert first
        await node.restart()
        second = node.node.first_invite
        assert second
        assert (await calls(*register("admin", first))).reason == "INVITE_NOT_VALID"
        made = (await calls(*register("admin", second))).read(pb.RegisterResponse)
        assert (await calls("AdminService/ListUsers", pb.ListUsersRequest(), made.token)).reason == "OK"
        assert (await calls(*register("another", second))).reason == "INVITE_NOT_VALID"
        await node.restart()
        assert node.node.first_invite is None


# ---------------------------------------------------------------------------------------------------------
# Finding people.


async def test_who_can_not_be_found_is_as_nobody() -> None:
    """Where people are found by shared rooms, one who shares none is answered as one who does not exist."""
    async with serving(accounts={"finding": "shared_room"}) as (node, calls):
        alice = await node.register("alice")
        for user in ("stranger-0", "friend"):
            await node.register(user)
        room = await alice.create_room("room")
        asks: list[Callable[[str], tuple[str, Message]]] = [
            lambda user: ("AuthService/GetUser", pb.GetUserRequest(user_id=user)),
            lambda user: ("RoomService/GetDirectRoom", pb.GetDirectRoomRequest(user_id=user)),
            lambda user: (
                "RoomService/AddMember",
                pb.AddMemberRequest(room_id=room.room_id, user_id=user, role=pb.ROLE_READER),
            ),
            lambda user: (
                "RoomService/BanMember",
                pb.BanMemberRequest(room_id=room.room_id, user_id=user),
            ),
            lambda user: (
                "RoomService/RemoveMember",
                pb.RemoveMemberRequest(room_id=room.room_id, user_id=user),
            ),
            lambda user: (
                "RoomService/UnbanMember",
                pb.UnbanMemberRequest(room_id=room.room_id, user_id=user),
            ),
            lambda user: (
                "RoomService/LeaveRoom",
                pb.LeaveRoomRequest(room_id=room.room_id, new_owner_user_id=user),
            ),
        ]
        for ask in asks:
            statuses = set()
            for user in ("stranger-0", "stranger-1"):
                code, text, details = (await calls(*ask(user), alice.token)).status
                statuses.add((code, text.replace(user, "*"), details.replace(user.encode(), b"*" * 10)))
            assert len(statuses) == 1
            assert statuses.pop()[0] == "NOT_FOUND"

        # Nor do names of bots tell who is there. Of one's own one is told, as of what looks like one of them.
        refused = set()
        for user in ("stranger-0", "stranger-1", "nobody"):
            reply = await calls("AuthService/CreateBot", pb.CreateBotRequest(user_id=user), alice.token)
            refused.add((reply.reason, reply.status[1].replace(user, "*")))
        assert refused == {
            (
                "INVALID_REQUEST",
                "user_id must begin with alice., as on this server the names of bots begin with their "
                "owner's; alice.* would do",
            )
        }
        longest = "alice." + 58 * "b"
        for name in ("alice.builds", longest):
            assert (await alice.create_bot(name)).user_id == name
        for name, error in (
            ("alice.builds", errors.UserExists),
            ("alice-builds", errors.InvalidRequest),
            ("alice.bui1ds", errors.UserExists),
            ("alice.", errors.InvalidRequest),
            (longest + "b", errors.InvalidRequest),
        ):
            with pytest.raises(error):
                await alice.create_bot(name)

        # By an invite they come to share a room, and are found from then on.
        invite = await alice.create_invite(room.room_id)
        friend = await node.log_in("friend")
        await friend.join_room(invite=invite.code)
        assert (await calls(*asks[0]("friend"), alice.token)).reason == "OK"
        assert (await calls(*asks[1]("friend"), alice.token)).reason == "OK"
        assert (await alice.user("alice")).user_id == "alice"

    async with serving(accounts={"finding": "user_id"}) as (node, calls):
        alice = await node.register("alice")
        await node.register("stranger-0")
        assert (await alice.user("stranger-0")).user_id == "stranger-0"
        with pytest.raises(errors.UserNotFound):
            await alice.user("stranger")


# ---------------------------------------------------------------------------------------------------------
# Secrets.


async def test_no_secret_is_left_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    """No token, password or code is in the database and its files, in the log, or in what objects say."""
    caplog.set_level(logging.DEBUG)
    secrets = [PASSWORD, NEW_PASSWORD, WRONG]
    async with serving() as (node, calls):
        admin = await node.register("admin", admin=True)
        _, code = await node.node.invites.create_for_server(None)
        alice = chat.Client(node.address)
        login = await alice.register("alice", PASSWORD, invite=code)
        kept: list[object] = [login]
        secrets += [code, admin.token, login.token]
        again = await node.log_in("alice")
        secrets.append(again.token)
        kept.append(await again.create_access_token("program", lifetime=timedelta(days=1)))
        await again.create_bot("machine")
        kept.append(await again.create_access_token("bot", bot_id="machine"))
        secrets += [cast("Any", made).token for made in kept[1:]]
        room = await again.create_room("room")
        kept += [await again.create_invite(room.room_id), await admin.admin.create_invite()]
        secrets += [cast("Any", made).code for made in kept[-2:]]
        await admin.join_room(invite=secrets[-2])
        for refused in (
            again.change_password(WRONG, NEW_PASSWORD),
            node.log_in("alice", password=WRONG),
            admin.join_room(invite=secrets[-1]),
            admin.join_room(invite="gci_" + "z" * 25),
        ):
            with suppress(ChatError):
                await refused
        assert (await calls(*GET_ME, "gc_" + "z" * 43)).reason == "UNAUTHENTICATED"
        secrets += ["gci_" + "z" * 25, "gc_" + "z" * 43]
        stream = await calls.subscribe(again.token, all_rooms=True).until_started()
        await again.change_password(PASSWORD, NEW_PASSWORD)
        await stream.aclose()
        await admin.admin.reset_password("alice", "a third one, for " + str(uuid4()))
        await sessions_of(node).save()

        assert all(len(secret) > 20 for secret in secrets)
        files = {path.name: path.read_bytes() for path in node.config.data.rglob("*") if path.is_file()}
        assert {"chat.db", "chat.db-wal", "chat.db-shm"} <= set(files)
        # What is in the database is found in these files, so that what is not found is not there.
        assert any(b"machine" in content for content in files.values())
        said = "\n".join(
            text
            for owned in gc.get_objects()
            if (module := str(type(owned).__module__)).startswith("grpc_chat.") and "_pb2" not in module
            for text in (repr(owned), str(owned))
        )
        assert "alice" in said
        await alice.aclose()
        await node.restart()
        files |= {
            f"{path.name} later": path.read_bytes() for path in node.config.data.rglob("*") if path.is_file()
        }
    logged = caplog.text + "".join(repr(record.__dict__) for record in caplog.records)
    assert "LogIn" in logged
    hits = [
        (secret, where)
        for secret in secrets
        for where, content in [*files.items(), ("log", logged.encode()), ("objects", said.encode())]
        if secret.encode() in content
    ]
    assert not hits


async def test_a_server_tells_how_large_requests_may_be() -> None:
    """Before anyone has logged in: its settings, and not the defaults."""
    settings: dict[str, Any] = {"limits": {"text_bytes": 300, "files": 2}, "files": {"file_bytes": 5000}}
    async with running_node("ann", network=False, **settings) as node:
        limits = (await node.client_within("ann").server_info()).limits
    assert (limits.text_bytes, limits.files, limits.file_bytes) == (300, 2, 5000)
    assert (limits.name_bytes, limits.poll_options) == (64, 20)
