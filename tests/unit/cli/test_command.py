from __future__ import annotations

import re
import sys
from datetime import timedelta
from pathlib import Path
from unittest import mock

import click
import pytest
from click.testing import CliRunner

from grpc_chat import errors
from grpc_chat.cli import tokens
from grpc_chat.cli.command import make_client
from grpc_chat.cli.failures import EXIT_CODES, Failure, from_error
from grpc_chat.cli.main import main
from grpc_chat.cli.options import Lifetime
from grpc_chat.cli.profiles import BadProfiles, Profile, Profiles
from grpc_chat.cli.target import Target, as_address, find_guest_target, find_target
from grpc_chat.cli.trust import Trust
from grpc_chat.sdk.network import nobody_there
from grpc_chat.store.writes import ahead_of_log
from tests.looped import each

LINK = "grpc-chat://chat.org:443/#gci_abc"


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profiles:
    """Three accounts on two servers; the last one is the default."""
    for name in ("SERVER", "TOKEN", "PASSWORD", "CA", "FINGERPRINT", "INSECURE"):
        monkeypatch.delenv(f"CHAT_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(tokens, "_keyring_keeps", lambda *_: False)
    profiles = Profiles()
    for name, address, user in [
        ("work", "chat.org:443", "alice"),
        ("home", "localhost:50051", "alice"),
        ("other", "localhost:50051", "bob"),
    ]:
        where = tokens.keep(profiles, f"{user}@{address}", f"gc_{name}", say=print)
        profiles.save(Profile(name, address, user, token_in=where))
    return profiles


def found(profiles: Profiles, server: str | None, invite: str = "") -> tuple[str, str]:
    target = find_target(profiles, server, invite)
    return target.address, target.token


def test_a_server_is_named_by_its_profile_its_address_or_not_at_all(profiles: Profiles) -> None:
    """Where an address has several accounts, the default is meant, if it is one of them."""
    assert found(profiles, None) == ("localhost:50051", "gc_other")
    assert found(profiles, "home") == ("localhost:50051", "gc_home")
    assert found(profiles, "chat.org:443") == ("chat.org:443", "gc_work")
    assert found(profiles, "localhost") == ("localhost:50051", "gc_other")

    profiles.set_default("work")
    assert found(profiles, None) == ("chat.org:443", "gc_work")
    with pytest.raises(
        Failure, match=r"several accounts at localhost:50051; choose one with --server: home, other"
    ):
        find_target(profiles, "localhost:50051")


def test_an_invite_brings_its_server_along(profiles: Profiles) -> None:
    """Unless the command line names another."""
    assert found(profiles, None, LINK) == ("chat.org:443", "gc_work")
    assert found(profiles, "home", LINK) == ("localhost:50051", "gc_home")
    assert find_guest_target(profiles, None, "grpc-chat://new.org/#gci_x") == Target("new.org:50051")
    with pytest.raises(Failure, match=r"you are not logged in to new\.org"):
        find_target(profiles, None, "grpc-chat://new.org/#gci_x")


def test_the_environment_says_where_and_who(profiles: Profiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """For scripts, which have no saved servers. A link of somebody's never gets their token."""
    monkeypatch.setenv("CHAT_SERVER", "chat.org:443")
    assert found(profiles, None) == ("chat.org:443", "gc_work")
    assert found(profiles, "home") == ("localhost:50051", "gc_home")

    monkeypatch.setenv("CHAT_TOKEN", "gc_script")
    assert found(profiles, None) == ("chat.org:443", "gc_script")
    assert found(profiles, "CHAT.org:443") == ("CHAT.org:443", "gc_script")
    monkeypatch.setenv("CHAT_SERVER", "work")
    assert found(profiles, None) == ("chat.org:443", "gc_script")

    monkeypatch.delenv("CHAT_SERVER")
    assert found(profiles, "new.org:1") == ("new.org:1", "gc_script")
    assert found(profiles, None) == ("localhost:50051", "gc_script")
    for name in ("work", "home", "other"):
        profiles.forget(name)
    with pytest.raises(Failure, match="say which server it is for"):
        find_target(profiles, None)


def test_a_token_of_the_environment_is_for_one_server(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that CHAT_SERVER names. To another goes the login that is saved there, or nothing."""
    monkeypatch.setenv("CHAT_SERVER", "chat.org:443")
    monkeypatch.setenv("CHAT_TOKEN", "gc_script")

    assert found(profiles, "home") == ("localhost:50051", "gc_home")
    assert found(profiles, None, "grpc-chat://localhost:50051/#gci_x") == ("localhost:50051", "gc_other")
    for server, invite in (
        ("evil.org", ""),
        ("grpc-chat://evil.org/#gci_secret", ""),
        (None, "grpc-chat://evil.org/#gci_secret"),
    ):
        with pytest.raises(Failure) as refused:
            find_target(profiles, server, invite)
        assert refused.value.message.startswith(
            "CHAT_TOKEN is for chat.org:443, and is not sent elsewhere; you are not logged in to evil.org"
        )
        assert "gci_secret" not in refused.value.message

    # Without CHAT_SERVER it is for the server that the command line names, and for no link's.
    monkeypatch.delenv("CHAT_SERVER")
    with pytest.raises(Failure, match="CHAT_TOKEN is for localhost:50051, and is not sent elsewhere"):
        find_target(profiles, None, "grpc-chat://evil.org/#gci_x")
    for name in ("work", "home", "other"):
        profiles.forget(name)
    with pytest.raises(Failure, match="CHAT_TOKEN is not for the server of a link"):
        find_target(profiles, None, "grpc-chat://evil.org/#gci_x")


def test_what_the_environment_trusts_is_one_server(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain text to a server in the laboratory is no plain text to another."""
    pin = "0" * 64
    monkeypatch.setenv("CHAT_INSECURE", "1\n")
    monkeypatch.setenv("CHAT_CA", "ca.pem\n")
    monkeypatch.setenv("CHAT_FINGERPRINT", f"{pin}\n")
    everything = Trust(fingerprint=pin, ca="ca.pem", insecure=True)
    assert find_guest_target(profiles, "new.org").trust == everything

    monkeypatch.setenv("CHAT_SERVER", "lab.example:50051\n")
    assert find_guest_target(profiles, None).trust == everything
    assert find_guest_target(profiles, "new.org").trust == Trust()
    assert find_guest_target(profiles, None, LINK).trust == Trust()
    assert find_target(profiles, "work").trust == Trust()
    monkeypatch.setenv("CHAT_TOKEN", "gc_script")
    assert find_target(profiles, None).trust == everything


def test_line_ends_in_the_environment_do_not_count(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As files have them that hold secrets. What no call could carry is refused, and not repeated."""
    monkeypatch.setenv("CHAT_SERVER", "new.org:1\r\n")
    monkeypatch.setenv("CHAT_TOKEN", " gc_script\r\n")
    assert found(profiles, None) == ("new.org:1", "gc_script")
    assert found(profiles, "new.org:1\n") == ("new.org:1", "gc_script")
    assert "gc_script" not in repr(find_target(profiles, None))

    for token in ("gc_scrípt", "gc_\nscript", "gc_\x7fscript", "gc_\udcffscript"):
        monkeypatch.setenv("CHAT_TOKEN", token)
        with pytest.raises(Failure, match="CHAT_TOKEN must be one line of ASCII") as refused:
            find_target(profiles, None)
        assert "gc_" not in refused.value.message

    # Of nothing but that there is none.
    monkeypatch.setenv("CHAT_TOKEN", "\n")
    assert found(profiles, "work") == ("chat.org:443", "gc_work")


@pytest.mark.parametrize("trouble", ["broken", "unreadable", "no home"])
def test_saved_servers_that_are_not_needed_may_be_broken(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trouble: str
) -> None:
    """A token and an address say it all; names, and what is to be saved, need them."""
    if trouble == "broken":
        profiles.path.write_text("{")
    elif trouble == "unreadable":
        # As one without rights would find it; tests may run as root.
        profiles.path.unlink()
        profiles.path.mkdir()
    else:
        monkeypatch.delenv("XDG_CONFIG_HOME")
        monkeypatch.setattr(Path, "home", mock.Mock(side_effect=RuntimeError("no home")))
        profiles = Profiles()
    monkeypatch.setenv("CHAT_TOKEN", "gc_script")
    monkeypatch.setenv("CHAT_SERVER", "chat.org:443")

    assert found(profiles, None) == ("chat.org:443", "gc_script")
    assert capsys.readouterr().err.startswith("note: ")
    for server in ("home", "home:1"):
        with pytest.raises(BadProfiles):
            find_target(profiles, server)
    monkeypatch.delenv("CHAT_SERVER")
    assert found(profiles, "chat.org:443") == ("chat.org:443", "gc_script")


def test_a_file_of_authorities_that_is_not_there_is_named() -> None:
    """In one sentence."""
    with pytest.raises(Failure, match=r"^can't read nope\.crt: No such file or directory$"):
        make_client(Target("localhost:1", trust=Trust(ca="nope.crt")))
    asked = CliRunner().invoke(main, ["health", "localhost:1", "--ca", "nope.crt"])
    assert (asked.exit_code, asked.stderr) == (2, "error: can't read nope.crt: No such file or directory\n")


def test_who_is_not_logged_in_is_told_the_command(profiles: Profiles) -> None:
    """Nowhere, no longer, and not there."""
    profiles.log_out(profiles.all()[0])
    with pytest.raises(Failure, match=r"you are not logged in to hone; did you mean home\?") as near:
        find_target(profiles, "hone")
    with pytest.raises(Failure, match="grpc-chat login alice -s home"):
        find_target(profiles, "home")
    profiles.forget("other")
    with pytest.raises(
        Failure, match="no server is chosen: grpc-chat server use NAME, where NAME is one of home"
    ):
        find_target(profiles, None)
    for name in ("home", "work"):
        profiles.forget(name)
    with pytest.raises(Failure, match="you are not logged in anywhere: grpc-chat login"):
        find_target(profiles, None)

    assert near.value.exit_code == 3
    assert find_guest_target(profiles, None) == Target("localhost:50051")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("chat.org", "chat.org:50051"),
        ("chat.org:443", "chat.org:443"),
        ("::1", "[::1]:50051"),
        ("[::1]", "[::1]:50051"),
        ("[::1]:443", "[::1]:443"),
        (LINK, "chat.org:443"),
        ("grpc-chat://chat.org/#x", "chat.org:50051"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    """With and without a port, and in a link."""
    assert as_address(text) == address


@pytest.mark.parametrize("text", ["", ":1", "a:", "a:x", "a:0", "a:65536", "a b", "http://a:1", "a/b", "a:²"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """As a mistake on the command line."""
    with pytest.raises(Failure, match="is neither a saved server nor HOST:PORT") as refused:
        as_address(text)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [("90m", timedelta(minutes=90)), ("12h", timedelta(hours=12)), ("2w", timedelta(weeks=2))],
)
def test_durations(text: str, lifetime: timedelta) -> None:
    """A number and a unit."""
    assert Lifetime().convert(text, None, None) == lifetime


@pytest.mark.parametrize("text", ["", "d", "7", "-1d", "1.5h", "7 d", "²d", "99999999d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """With an example of one."""
    with pytest.raises(click.BadParameter, match="12h, 7d"):
        Lifetime().convert(text, None, None)


def classes(cls: type[errors.ChatError]) -> list[type[errors.ChatError]]:
    return [cls, *(below for subclass in cls.__subclasses__() for below in classes(subclass))]


CODES = {
    # The server could be reached.
    errors.IssuerUnavailable: 1,
    errors.Unauthenticated: 3,
    errors.NotFound: 4,
    errors.NotAMember: 4,
    errors.NotAChatServer: 5,
    errors.Unavailable: 5,
}


@each("cls", classes(errors.ChatError))
def test_every_error_has_its_exit_code(cls: type[errors.ChatError]) -> None:
    """By its kind; what may have been done, and would be done twice, has its own."""
    expected = next((code for kind, code in CODES.items() if issubclass(cls, kind)), 1)

    assert from_error(cls("what"), address="a:1").exit_code == expected
    assert from_error(cls("what"), address="a:1", once=True).exit_code == (expected if cls.definite else 6)


def test_errors_say_what_to_do() -> None:
    """Where to log in, how long to wait, whether the server is there, whether to look first."""

    def words(error: errors.ChatError, **how: bool) -> str:
        return from_error(error, address="a:1", login="grpc-chat login me -s a", **how).message

    down = nobody_there("Connection refused", "refused", "")
    away = errors.Unreachable(
        "the proxy at a:1 can't reach the server (HTTP 502)", metadata={"reason": "proxy"}
    )
    assert words(errors.SessionEnded("it has expired; log in again")) == (
        "it has expired; log in again: grpc-chat login me -s a"
    )
    assert words(errors.Unauthenticated("no")) == "no; log in: grpc-chat login me -s a"
    assert words(errors.RateLimited("too many", retry_after=timedelta(seconds=40))) == "too many; wait 40 s"
    assert words(errors.RateLimited("too many", retry_after=timedelta(minutes=14))) == "too many; wait 14 min"
    assert words(down, once=True) == "can't reach a server at a:1: Connection refused"
    assert words(away) == "the proxy at a:1 can't reach the server (HTTP 502); try again"
    assert words(errors.NotAChatServer("what answers at a:1 is not a grpc-chat server")).endswith("server")
    assert words(errors.Unavailable("late")) == "no answer from a:1: late; try again"
    assert words(errors.Unavailable("late"), once=True) == (
        "it is not known whether this was done (late); check before trying again"
    )
    assert words(
        errors.ServerNotTrusted(
            "it does not speak TLS; to trust the network instead, use insecure=True",
            metadata={"reason": "no-tls", "found": "it does not speak TLS"},
        )
    ) == ("it does not speak TLS; to trust the network instead, use a login with --insecure")
    assert words(errors.IssuerUnavailable("it has trouble")) == "it has trouble; try again later"
    too_long = errors.MessageTooLong("messages[0].text is longer", field="messages[0].text")
    assert words(too_long) == "the message is longer"
    ahead = words(ahead_of_log(0, "plans", 500, 20))
    assert ahead == "--since must be at most 20, the room's newest event, and is 500"


@pytest.mark.parametrize("reason", ["tls", "no-tls"])
def test_tls_on_one_side_only_means_that_nothing_was_reached(reason: str) -> None:
    """What can't be spoken to is not a server that refuses something."""
    for cls in (errors.FailedPrecondition, errors.ServerNotTrusted):
        assert from_error(cls("what", metadata={"reason": reason}), address="a:1").exit_code == 5


def test_exit_codes_are_in_the_help() -> None:
    """All that there are."""
    shown = CliRunner().invoke(main, ["--help"]).output

    for line in EXIT_CODES.splitlines()[2:]:
        assert line in shown


@pytest.mark.usefixtures("profiles")
def test_what_a_command_line_holds_does_not_drive_the_terminal() -> None:
    """Not where it is wrong, either."""
    for arguments in (
        ["\x1b[31m"],
        ["room", "\x9b"],
        ["send", "--id", "\x1b]0;x\x07", "r", "t"],
        ["read", "--x\x1b"],
    ):
        result = CliRunner().invoke(main, arguments)

        assert result.exit_code == 2
        assert not set(result.stderr) & set(map(chr, [*range(10), *range(11, 32), *range(127, 160)]))


def test_help_imports_nothing_that_takes_time() -> None:
    """Commands load what they need when they run."""
    import subprocess

    slow = {"grpc", "asyncio", "pydantic", "sqlalchemy", "keyring"}
    code = f"import sys; import grpc_chat.cli.main; print(*sorted({slow} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


def test_a_saved_server_is_forgotten_by_its_address_where_that_says_which(profiles: Profiles) -> None:
    """As --server takes it; of several accounts at an address none is picked."""
    used = CliRunner().invoke(main, ["server", "use", "chat.org:443"])
    assert used.stdout == "from now on: alice at chat.org:443\n"

    refused = CliRunner().invoke(main, ["server", "forget", "localhost:50051"])
    assert refused.exit_code == 2
    assert "you have several accounts at localhost:50051; name one: home, other" in refused.stderr
    unknown = CliRunner().invoke(main, ["server", "forget", "nowhere:1"])
    assert unknown.exit_code == 4
    assert "there is no saved server 'nowhere:1'; saved are: home, other, work" in unknown.stderr


def test_what_is_saved_of_a_certificate_is_shown_in_words(profiles: Profiles) -> None:
    """Not as Python writes it."""
    profiles.save(Profile("tls", "chat.org:444", "alice", more={"tls": {"fingerprint": "ab12"}}))

    shown = CliRunner().invoke(main, ["server", "show", "tls"]).stdout

    assert re.search(r"^tls +fingerprint ab12$", shown, re.M), shown
