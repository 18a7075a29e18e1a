"""Sessions of browsers: tokens that no page sees, and that no other site's page can use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from grpc_chat.testing import PASSWORD, RunningNode, running_node
from grpc_chat.transport.browser_sessions import BEGINNING
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.names import method_path
from tests.certificates import issue
from tests.issuer import browse, running_issuer
from tests.web import WEB, bearer, browser, enveloped, post, reason, url

COOKIE = {"X-Chat-Session": "cookie"}
ELSEWHERE = "https://elsewhere.example"


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(accounts=True, web=WEB | {"origin": [ELSEWHERE]}) as running:
        yield running


@pytest.fixture
async def page() -> AsyncIterator[httpx.AsyncClient]:
    async with browser() as client:
        yield client


async def signed_in(page: httpx.AsyncClient, node: RunningNode, name: str = "alice") -> httpx.Response:
    """Make an account with an invite, as somebody who has opened its link does."""
    _, invite = await node.node.invites.create_for_server(None, makes_admin=False)
    request = {"userId": name, "password": PASSWORD, "inviteCode": invite, "deviceName": "Firefox"}
    return await post(page, node, "AuthService/Register", request, COOKIE)


async def test_token_is_in_a_cookie_and_nowhere_else(node: RunningNode, page: httpx.AsyncClient) -> None:
    """By an invite or a password, in each of the protocols; and calls are the user's then."""
    answers = [await signed_in(page, node)]
    log_in = pb.LogInRequest(user_id="alice", password=PASSWORD)
    answers.append(
        await post(page, node, "AuthService/LogIn", {"userId": "alice", "password": PASSWORD}, COOKIE)
    )
    answers.append(await post(page, node, "AuthService/LogIn", log_in, COOKIE))
    kind = {"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"}
    answers.append(
        await page.post(
            url(node, "/chat.v1.AuthService/LogIn"),
            content=enveloped(log_in.SerializeToString()),
            headers=kind | COOKIE,
        )
    )
    me = await post(page, node, "AuthService/GetMe", {}, COOKIE)

    assert [answer.status_code for answer in answers] == [200] * 4
    for answer in answers:
        (cookie,) = answer.headers.get_list("set-cookie")
        token = cookie.partition("=")[2].partition(";")[0]
        assert token.startswith("gc_")
        assert token.encode() not in answer.content
        assert (
            cookie
            == f"chat-{node.node.web_port}={token}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Strict"
        )
    assert answers[0].json()["session"]["deviceName"] == "Firefox"
    assert (me.status_code, me.json()["user"]["userId"]) == (200, "alice")


def test_all_methods_that_begin_a_session_are_known() -> None:
    """One more would show pages its token. Access tokens are for programs, so people need to see them."""
    with_token = {
        method_path(method)
        for service in pb.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if "token" in method.output_type.fields_by_name
    }
    assert with_token - BEGINNING.keys() == {"/chat.v1.AuthService/CreateAccessToken"}


async def test_cookie_counts_only_for_those_who_ask(node: RunningNode, page: httpx.AsyncClient) -> None:
    """Without the header, which pages of other sites can't send; beside a token; or twice: it does not."""
    await signed_in(page, node)
    (name,) = page.cookies
    own = {"Origin": url(node), "Sec-Fetch-Site": "same-origin"}

    async def get_me(**headers: str) -> tuple[int, str]:
        answer = await post(
            page, node, "AuthService/GetMe", {}, {k.replace("_", "-"): v for k, v in headers.items()}
        )
        return answer.status_code, answer.json().get("code", "")

    assert (await get_me(**COOKIE, **own))[0] == 200
    assert await get_me() == (401, "unauthenticated")
    assert await get_me(**own) == (401, "unauthenticated")
    assert await get_me(**{"X-Chat-Session": "yes"}) == (400, "invalid_argument")
    assert await get_me(**COOKIE, Authorization="Bearer gc_x") == (401, "unauthenticated")
    twice = f"{name}={page.cookies[name]}; {name}=gc_other"
    assert await get_me(**COOKIE, Cookie=twice) == (401, "unauthenticated")
    assert await get_me(**COOKIE, Origin="https://evil.example") == (403, "permission_denied")
    assert await get_me(**COOKIE, Origin=url(node).replace("http:", "https:")) == (403, "permission_denied")
    assert await get_me(**COOKIE, Origin="null") == (403, "permission_denied")
    assert await get_me(**COOKIE, Origin=ELSEWHERE) == (401, "unauthenticated")
    for site in ("cross-site", "same-site"):
        assert await get_me(**COOKIE, Sec_Fetch_Site=site) == (403, "permission_denied")
        assert await get_me(**COOKIE, Origin=url(node), Sec_Fetch_Site=site) == (403, "permission_denied")
    assert (await get_me(**COOKIE))[0] == 200


async def test_sessions_of_browsers_are_listed_and_ended(node: RunningNode, page: httpx.AsyncClient) -> None:
    """As all others are. Who logs out has no cookie any longer, also if the session had ended by itself."""
    await signed_in(page, node)
    async with browser() as other:
        await post(other, node, "AuthService/LogIn", {"userId": "alice", "password": PASSWORD}, COOKIE)
        sessions = (await post(page, node, "AuthService/ListSessions", {}, COOKIE)).json()["sessions"]
        own = [session["sessionId"] for session in sessions if session.get("deviceName") == "Firefox"]
        await post(other, node, "AuthService/RevokeSessions", {"sessionIds": own}, COOKIE)
        ended = await post(page, node, "AuthService/GetMe", {}, COOKIE)
        out = [await post(client, node, "AuthService/LogOut", {}, COOKIE) for client in (page, other)]
        after = await post(other, node, "AuthService/GetMe", {}, COOKIE)

        assert len(sessions) == 2
        assert (ended.status_code, reason(ended)) == (401, "UNAUTHENTICATED")
        assert [answer.status_code for answer in out] == [401, 200]
        for answer in out:
            assert f"chat-{node.node.web_port}=; Path=/; Max-Age=0;" in answer.headers["set-cookie"]
        assert not [*page.cookies, *other.cookies]
        assert after.status_code == 401


async def test_cookie_of_an_encrypted_connection_is_bound_to_its_host(tmp_path: Path) -> None:
    """No other host, and nothing without encryption, can set one of that name."""
    tls = issue().write(tmp_path)
    async with running_node(accounts=True, web=WEB, tls=tls) as node, browser(verify=False) as page:
        answer = await signed_in(page, node)
        me = await post(page, node, "AuthService/GetMe", {}, COOKIE | {"Origin": url(node)})

        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-chat=gc_")
        assert cookie.endswith("; HttpOnly; SameSite=Strict; Secure")
        assert "Domain" not in cookie
        assert me.status_code == 200


async def test_proxy_says_whether_browsers_are_encrypted() -> None:
    """One that is trusted. Anyone else is not asked."""
    forwarded = {"X-Forwarded-Proto": "https", "Host": "chat.example.org"}
    settings: dict[str, Any] = {"grpc": {"trusted_proxies": ["127.0.0.1"]}}
    async with running_node(accounts=True, web=WEB, **settings) as node, browser() as page:
        await node.register("alice")
        request = {"userId": "alice", "password": PASSWORD}
        by_proxy = await post(page, node, "AuthService/LogIn", request, COOKIE | forwarded)
        origin = await post(
            page, node, "AuthService/GetMe", {}, forwarded | {"Origin": "https://chat.example.org"}
        )
        plain = await post(page, node, "AuthService/LogIn", request, COOKIE | {"X-Forwarded-Proto": "http"})
        other = await post(
            page, node, "AuthService/GetMe", {}, forwarded | {"Origin": "http://chat.example.org"}
        )
    async with running_node(accounts=True, web=WEB) as node, browser() as page:
        await node.register("alice")
        stranger = await post(
            page, node, "AuthService/LogIn", request, COOKIE | {"X-Forwarded-Proto": "https"}
        )

    assert by_proxy.headers["set-cookie"].startswith("__Host-chat=")
    assert (origin.status_code, other.status_code) == (401, 403)
    for answer in (plain, stranger):
        assert answer.headers["set-cookie"].startswith("chat-")
        assert "Secure" not in answer.headers["set-cookie"]


async def test_pages_of_other_sites_call_with_tokens(node: RunningNode, page: httpx.AsyncClient) -> None:
    """Those that the server was told of, and never with its cookies."""
    alice = await node.register("alice")
    method = url(node, "/chat.v1.AuthService/GetMe")

    async def preflight(origin: str) -> httpx.Response:
        asked = {"Access-Control-Request-Method": "POST", "Origin": origin}
        return await page.options(method, headers=asked | {"Access-Control-Request-Headers": "authorization"})

    allowed, refused = await preflight(ELSEWHERE), await preflight("https://evil.example")
    called = await post(
        page,
        node,
        "AuthService/GetMe",
        {},
        bearer(alice.token) | {"Origin": ELSEWHERE, "Sec-Fetch-Site": "cross-site"},
    )
    failed = await post(page, node, "AuthService/GetMe", {}, {"Origin": ELSEWHERE})
    evil = await post(
        page, node, "AuthService/GetMe", {}, bearer(alice.token) | {"Origin": "https://evil.example"}
    )

    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == ELSEWHERE
    assert allowed.headers["access-control-allow-methods"] == "POST"
    assert "x-chat-session" not in allowed.headers["access-control-allow-headers"].lower()
    assert called.status_code == 200
    for answer in (called, failed):
        assert answer.headers["access-control-allow-origin"] == ELSEWHERE
        assert answer.headers["vary"].lower().endswith("origin")
    for answer in (refused, evil):
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]
    for answer in (allowed, called, failed):
        assert "access-control-allow-credentials" not in answer.headers


async def test_names_that_lead_to_this_machine_are_not_its_own(
    node: RunningNode, page: httpx.AsyncClient
) -> None:
    """A page can have its own name lead here, and is then of the same origin for its browser."""
    answers = [
        await post(
            page,
            node,
            "AuthService/GetServerInfo",
            {},
            {"Host": "evil.example", "Origin": "http://evil.example"},
        ),
        await post(
            page, node, "AuthService/GetServerInfo", {}, {"Host": f"evil.example:{node.node.web_port}"}
        ),
        await page.get(url(node), headers={"Host": "evil.example"}),
    ]
    own = [
        await page.get(url(node), headers={"Host": f"{name}:{node.node.web_port}"})
        for name in ("localhost", "127.0.0.1", "[::1]", "192.0.2.1")
    ]
    wrong = await page.get(url(node), headers={"Host": "a<b>"})

    assert [answer.status_code for answer in answers] == [421] * 3
    assert "web.public_url" in answers[0].json()["message"]
    assert [answer.status_code for answer in own] == [200] * 4
    assert wrong.status_code == 400


@pytest.mark.parametrize("public_url", ["", "https://chat.example.org"])
async def test_login_with_an_issuer_comes_back_to_a_page(public_url: str) -> None:
    """The page sees the address to go to, and what the browser brings back; never the handle or the token."""
    with running_issuer() as issuer:
        issuer.user = {"sub": "248289761001", "preferred_username": "alice"}
        oidc = {
            "name": "example",
            "issuer": issuer.url,
            "client_id": issuer.client_id,
            "client_secret": issuer.client_secret,
            "sign_up": True,
        }
        settings: dict[str, Any] = {"oidc": [oidc], "web": WEB | {"public_url": public_url}}
        async with running_node(accounts=True, **settings) as node, browser() as page, browser() as other:
            back = f"{public_url or url(node)}/log-in/back"
            issuer.pages.append(back)
            begin = {"provider": "example", "redirectUri": back}
            begun = await post(page, node, "AuthService/BeginLogIn", begin, COOKIE)
            elsewhere = await post(
                page,
                node,
                "AuthService/BeginLogIn",
                begin | {"redirectUri": "https://evil.example/log-in/back"},
                COOKIE,
            )
            came_back = browse(begun.json()["authorizationUrl"])
            landed = await page.get(url(node, f"/log-in/back?{urlencode(came_back)}"))
            stolen = await post(other, node, "AuthService/FinishLogIn", came_back, COOKIE)
            finished = await post(page, node, "AuthService/FinishLogIn", came_back, COOKIE)
            me = await post(page, node, "AuthService/GetMe", {}, COOKIE)

    assert "handle" not in begun.json()
    assert "-login=" in begun.headers["set-cookie"]
    assert "Max-Age=600; HttpOnly; SameSite=Strict" in begun.headers["set-cookie"]
    assert elsewhere.status_code == 400
    assert landed.status_code == 200
    assert landed.headers["referrer-policy"] == "no-referrer"
    assert stolen.status_code == 400
    assert (finished.status_code, finished.json()["registered"]) == (200, True)
    assert "token" not in finished.json()
    assert len(finished.headers.get_list("set-cookie")) == 2
    assert [*page.cookies] == [f"chat-{node.node.web_port}"]
    assert me.json()["user"]["userId"] == "alice"
