from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grpc_chat.cli import accounts, asking, questions
from grpc_chat.cli.failures import Failure
from grpc_chat.errors import InvalidRequest, LoginFailed, UserExists

GOOD = "correct horse"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Types answers, one for each question; the questions asked."""

    def give(*typed: str) -> list[str]:
        asked: list[str] = []
        left = iter(typed)

        def ask(question: str, **_how: Any) -> str:
            asked.append(question)
            return next(left)

        monkeypatch.setattr(questions, "ask", ask)
        monkeypatch.setattr(asking, "ask", ask)
        monkeypatch.setattr(accounts, "ask", ask)
        return asked

    return give


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a person at the standard input."""
    monkeypatch.delenv("CHAT_PASSWORD", raising=False)
    monkeypatch.delenv("CHAT_NEW_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda _self: True})())


def test_a_name_that_can_be_none_is_asked_for_again(
    answers: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the rule, until it can be one."""
    asked = answers("a", " alice ")

    assert questions.user_id("Alice", asks=True) == "alice"
    assert asked == ["Name", "Name"]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert all(line.startswith("the name must be 2 to 32 characters of a-z") for line in said)
    assert said[0].endswith("; alice would do")


def test_where_nobody_answers_a_name_is_an_error(answers: Callable[..., list[str]]) -> None:
    """A script ends, and has asked nothing."""
    asked = answers()

    with pytest.raises(InvalidRequest, match="user_id must be 2 to 32"):
        questions.user_id("Alice", asks=False)
    with pytest.raises(InvalidRequest, match="must have a visible character"):
        questions.display_name("\u00a0")
    assert questions.display_name("") == ""
    assert asked == []


@pytest.mark.usefixtures("terminal")
def test_a_password_is_checked_before_it_is_asked_for_a_second_time(
    answers: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody types twice what can't be one; two that differ are typed anew."""
    asked = answers("short", "alicealice", "x" * 9, GOOD, "correct hose", GOOD, GOOD)

    assert questions.new_password("Password", "alice") == GOOD
    assert asked == ["Password"] * 4 + ["The same again", "Password", "The same again"]
    said = capsys.readouterr().err
    assert said.splitlines() == [
        "the password must be at least 8 bytes",
        "the password must not be the user id",
        "the password must not be one character repeated",
        "the two are different",
    ]


def test_a_password_of_a_script_is_checked_and_not_asked_for(
    answers: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the environment; without it, and without a terminal, the error says how to give one."""
    asked = answers()
    monkeypatch.setenv("CHAT_PASSWORD", "short")
    with pytest.raises(InvalidRequest, match="password must be at least 8 bytes"):
        questions.new_password("Password", "alice")
    monkeypatch.setenv("CHAT_PASSWORD", GOOD)
    assert questions.new_password("Password", "alice") == GOOD
    with pytest.raises(Failure, match="not UTF-8"):
        questions.checked_password("\udcff" * 9, "", "alice", asks=False)
    monkeypatch.delenv("CHAT_PASSWORD")
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(Failure, match="--password-stdin, or set CHAT_PASSWORD"):
        questions.new_password("Password", "alice")
    assert asked == []


@pytest.mark.usefixtures("terminal")
def test_the_environment_answers_no_question_that_is_asked_again(
    answers: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives the current password, and somebody types the new one."""
    monkeypatch.setenv("CHAT_PASSWORD", "the current one")
    asked = answers("short", GOOD, GOOD)

    assert questions.new_password("New password", "alice", variable="CHAT_NEW_PASSWORD") == GOOD
    assert asked == ["New password", "New password", "The same again"]
    assert not questions.somebody_is_there()


@pytest.mark.parametrize(("asks", "attempts"), [(True, ["1", "2", "3"]), (False, ["1"])])
async def test_a_wrong_password_is_asked_for_again_a_few_times(
    answers: Callable[..., list[str]], asks: bool, attempts: list[str]
) -> None:
    """The last error is the command's; a script has one attempt."""
    answers("2", "3")
    tried = []

    async def attempt(password: str) -> str:
        tried.append(password)
        raise LoginFailed("the name or the password is wrong")

    with pytest.raises(LoginFailed):
        await questions.with_password("1", "Password", attempt, asks=asks)
    assert tried == attempts


async def test_a_password_that_is_right_the_second_time_is_enough(answers: Callable[..., list[str]]) -> None:
    """And is not asked for again."""
    asked = answers(GOOD)

    async def attempt(password: str) -> str:
        if password != GOOD:
            raise LoginFailed("the name or the password is wrong")
        return "logged in"

    assert await questions.with_password("bad", "Password", attempt, asks=True) == "logged in"
    assert asked == ["Password"]


async def test_a_name_that_is_taken_is_asked_for_again(answers: Callable[..., list[str]]) -> None:
    """With the password that was typed; a script ends."""
    asked = answers("Bob", "bob")
    tried = []

    async def register(user: str) -> Any:
        tried.append(user)
        if user == "alice":
            raise UserExists("there is an account named alice already, or one whose name looks like it")
        return user

    with pytest.raises(UserExists):
        await accounts._with_a_free_name(register, "alice", asks=False)
    made: Any = await accounts._with_a_free_name(register, "alice", asks=True)
    assert made == "bob"
    assert tried == ["alice", "alice", "bob"]
    assert asked == ["Another name", "Name"]
