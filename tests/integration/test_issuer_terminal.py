"""Logging in with an issuer from a terminal."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from click.testing import CliRunner, Result

from grpc_chat.cli import tokens
from grpc_chat.cli.failures import Failure
from grpc_chat.cli.issuer import IssuerOptions, log_in
from grpc_chat.cli.main import main
from grpc_chat.errors import ChatError, FailedPrecondition, Unauthenticated
from grpc_chat.sdk.client import Client
from grpc_chat.testing import PASSWORD, RunningNode, running_node
from tests.issuer import TOKEN, Issuer, Reply, Request, browse, running_issuer


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer at which alice is."""
    with running_issuer() as running:
        running.user = {"sub": "1", "preferred_username": "alice"}
        running.interval = 0
        yield running


@pytest.fixture
async def node(issuer: Issuer) -> AsyncIterator[RunningNode]:
    """A server that knows the issuer."""
    settings = {
        "name": "example",
        "issuer": issuer.url,
        "client_id": issuer.client_id,
        "client_secret": issuer.client_secret,
        "sign_up": True,
    }
    async with running_node(accounts=True, oidc=[settings]) as running:
        yield running


@pytest.fixture
async def client(node: RunningNode) -> AsyncIterator[Client]:
    """A client of that server."""
    async with Client(node.address) as guest:
        yield guest


def visit(authorization_url: str, **changes: str) -> tuple[int, str]:
    """Be the browser: log in at the issuer, and come back to the terminal, perhaps with something else."""
    came_back = browse(authorization_url) | changes
    home = parse_qs(urlsplit(authorization_url).query)["redirect_uri"][0]
    connection = HTTPConnection(urlsplit(home).netloc, timeout=20)
    connection.request("GET", "/?" + urlencode(came_back))
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


HERE = IssuerOptions(open_browser=False)
ELSEWHERE = IssuerOptions(elsewhere=True)


class Person:
    """Somebody at the terminal, who opens in the browser what they are told to.

    Attributes:
        said: What they were told.
        visits: What the browser showed, when it is done.
    """

    def __init__(self, *comebacks: dict[str, str]) -> None:
        self.said: list[str] = []
        self.visits: list[asyncio.Task[tuple[int, str]]] = []
        self._comebacks = comebacks or ({},)

    def __call__(self, words: str) -> None:
        self.said.append(words)
        if words.startswith("open this in a browser"):
            self.visits.append(asyncio.create_task(asyncio.to_thread(self._visit, words.split()[-1])))

    def _visit(self, url: str) -> tuple[int, str]:
        statuses = [visit(url, **changes) for changes in self._comebacks]
        return statuses[-1][0], "\n".join(f"{status} {page}" for status, page in statuses)

    async def saw(self) -> str:
        """What the browser showed."""
        [shown] = [await visit for visit in self.visits]
        return shown[1]


async def test_browser_comes_back_and_the_terminal_is_logged_in(client: Client) -> None:
    """The address is printed, and what to do where its page shows an error; the browser is told that it
    worked when it has."""
    person = Person()

    login = await log_in(client, "example", HERE, say=person)
    me = await client.me()

    assert login.user.user_id == me.user_id == "alice"
    uri = parse_qs(urlsplit(person.said[0].split()[-1]).query)["redirect_uri"][0]
    assert person.said[1] == (
        "if the page shows an error, press Ctrl-C, and tell the administrator this redirect URI: " + uri
    )
    assert "You are logged in." in await person.saw()


async def test_what_another_page_sends_is_not_taken_for_the_answer(client: Client) -> None:
    """A page that calls at the port with a state of its own is not heard; the right one is, afterwards."""
    person = Person({"state": "made-up"}, {})

    login = await log_in(client, "example", HERE, say=person)

    assert login.user.user_id == "alice"
    assert [line[:3] for line in (await person.saw()).splitlines()] == ["404", "200"]


@pytest.mark.parametrize(
    ("error", "cls", "words"),
    [
        ("access_denied", Unauthenticated, "refused the login (access_denied: <b>no</b>)"),
        (
            "unauthorized_client",
            FailedPrecondition,
            "secret or registration (unauthorized_client: <b>no</b>)",
        ),
    ],
)
async def test_error_at_the_issuer_is_told_on_both_sides(
    client: Client, issuer: Issuer, error: str, cls: type[ChatError], words: str
) -> None:
    """In the terminal and in the browser, where it is no markup."""
    issuer.refuses_with = {"error": error, "error_description": "<b>no</b>"}
    person = Person()

    with pytest.raises(cls, match=re.escape(words)):
        await log_in(client, "example", HERE, say=person)
    page = await person.saw()

    assert "You are not logged in: example " in page
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert "You are logged in." not in page


async def test_browser_does_not_say_that_it_worked_where_it_did_not(client: Client, issuer: Issuer) -> None:
    """Whatever fails at the end: here the issuer knows another secret."""
    issuer.client_secret = "another"
    person = Person()

    with pytest.raises(FailedPrecondition):
        await log_in(client, "example", HERE, say=person)

    assert "You are not logged in: example does not accept" in await person.saw()


async def test_port_can_be_chosen(client: Client) -> None:
    """For issuers that compare the redirect URI; one that is in use is an error that says so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Failure, match=f"port {port} .* another program uses it"):
            await log_in(client, "example", IssuerOptions(open_browser=False, port=port), say=Person())
    person = Person()
    await log_in(client, "example", IssuerOptions(open_browser=False, port=port), say=person)

    assert person.said[1].endswith(f" http://127.0.0.1:{port}/")


async def test_login_is_tried_again_where_the_issuer_does_not_answer_once(
    client: Client, issuer: Issuer
) -> None:
    """The server keeps it."""

    def once(request: Request) -> Reply:
        del issuer.replies[TOKEN]
        return Reply(503)

    issuer.replies[TOKEN] = once
    person = Person()

    login = await log_in(client, "example", HERE, say=person)

    assert login.user.user_id == "alice"
    assert person.said[2:] == ["example has trouble (HTTP status 503); still trying"]


async def test_nameless_person_is_asked(client: Client, issuer: Issuer, node: RunningNode) -> None:
    """Until the name can be had. Where there is nobody to ask, the account is called something."""
    await node.register("taken")
    issuer.user = {"sub": "1", "preferred_username": "李小龍"}
    answers, asked = ["taken", "Not A Name", "bruce"], list[str]()

    def ask(question: str) -> str:
        asked.append(question)
        return answers.pop(0)

    login = await log_in(client, "example", HERE, say=Person(), ask=ask)
    issuer.user = {"sub": "2", "preferred_username": "李小龍"}
    async with Client(node.address) as other:
        nobody = await log_in(other, "example", HERE, say=Person())

    assert (login.user.user_id, nobody.user.user_id) == ("bruce", "user")
    assert [question.splitlines()[-1] for question in asked] == ["User id"] * 3
    assert "there is an account named taken already" in asked[1]
    assert issuer.asked(TOKEN) == 2


async def test_code_that_is_typed_in_elsewhere_logs_the_terminal_in(client: Client, issuer: Issuer) -> None:
    """The terminal says where to go and what to type in, and waits."""
    said: list[str] = []

    def say(words: str) -> None:
        said.append(words)
        if "enter this code" in words:
            issuer.approve(words.split()[-1])

    login = await log_in(client, "example", ELSEWHERE, say=say, device_name="server room")
    sessions = [session.device_name async for session in client.sessions()]

    assert login.user.user_id == "alice"
    assert sessions == ["server room"]
    assert said[0].startswith(f"open {issuer.url}/device ")


@pytest.mark.parametrize("gone", [True, False])
async def test_code_ends_when_it_expires(node: RunningNode, issuer: Issuer, gone: bool) -> None:
    """Also where the server is gone, which is said once."""
    issuer.device_answer = {"expires_in": 2.2}
    said: list[str] = []
    async with Client(node.address) as client:
        begun = asyncio.Event()

        def say(words: str) -> None:
            said.append(words)
            begun.set()

        waiting = asyncio.create_task(log_in(client, "example", ELSEWHERE, say=say))
        await begun.wait()
        if gone:
            await node.stop()
        with pytest.raises(ChatError) as caught:
            await waiting

    if gone:
        assert [words for words in said if "still trying" in words] == [
            f"can't reach {node.address}; still trying"
        ]
    else:
        assert isinstance(caught.value, Unauthenticated)


# The commands


async def run(*arguments: str, input: str | None = None) -> Result:
    """A command, as from a shell."""
    return await asyncio.to_thread(CliRunner().invoke, main, arguments, input=input)


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person with no saved servers and no keyring."""
    for name in ("SERVER", "TOKEN", "CA", "FINGERPRINT", "INSECURE"):
        monkeypatch.delenv(f"CHAT_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(tokens, "_keyring_keeps", lambda *_: False)


@pytest.mark.usefixtures("profiles")
async def test_links_from_the_command_line(
    node: RunningNode, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account with a password gets a link, is logged in to with it, and loses it again."""
    opened: list[Thread] = []

    def open_browser(url: str) -> None:
        opened.append(Thread(target=visit, args=[url]))
        opened[-1].start()

    monkeypatch.setattr("webbrowser.open", open_browser)
    admin = await node.register("admin", admin=True)
    await node.register("bob")
    monkeypatch.setenv("CHAT_PASSWORD", PASSWORD)
    where = ("-s", node.address)
    assert (await run("login", "bob", *where)).exit_code == 0

    none = await run("link", "list", *where)
    unknown = await run("link", "add", "nobody", *where)
    added = await run("link", "add", "example", *where)
    listed = await run("link", "list", *where, "--json")
    monkeypatch.delenv("CHAT_PASSWORD", raising=False)
    other = await run("login", "somebody", *where, "--with", "example")
    gone = await run("link", "remove", "example", *where)

    assert "no links" in none.output + none.stderr
    assert (unknown.exit_code, "has no issuer 'nobody'; it has example" in unknown.stderr) == (4, True)
    assert added.exit_code == 0, added.output
    assert '"subject": "1"' in listed.output
    assert other.exit_code == 0, other.output
    assert "bob is logged in to" in other.output
    assert "which is your account with example; somebody is not" in other.output
    assert "1 of example no longer logs in to this account" in gone.output
    assert await admin.admin.identities("bob") == []
    for browser in opened:
        browser.join()
