"""Requests that are nearly right, in thousands; ``python -m tests.fuzz`` tries millions."""

from __future__ import annotations

import hashlib
import random

import pytest
from google.protobuf.message import DecodeError

from grpc_chat.api.limits import RequestChecker
from grpc_chat.errors import InvalidRequest
from tests import fuzz

SEED = 20


async def test_no_request_breaks_the_parser() -> None:
    """Whatever the bytes, a call is carried out with a request by the rules, or refused for what is wrong."""
    answers = await fuzz.fuzz_parser(6000, SEED)

    assert answers["OK"] > 500
    assert answers["INVALID_REQUEST"] > 2000


async def test_no_request_breaks_a_server() -> None:
    """A live server answers each with a status of ours, and keeps no task, stream or descriptor of it."""
    answers = await fuzz.fuzz_live(1000, SEED)

    assert sum(answers.values()) == 1000
    assert {"OK", "INVALID_ARGUMENT", "NOT_FOUND"} <= set(answers)


def test_the_same_seed_gives_the_same_inputs() -> None:
    """What was found can be found again."""
    inputs = [[fuzz.Mutator(seed).next() for _ in range(3)] for seed in (1, 1, 2)]
    mutators = [fuzz.Mutator(seed) for seed in (1, 1)]
    digests = [
        hashlib.sha256(b"".join(mutator.next()[1] for _ in range(500))).digest() for mutator in mutators
    ]

    assert inputs[0] == inputs[1]
    assert inputs[0] != inputs[2]
    assert digests[0] == digests[1]


def test_seeds_are_valid() -> None:
    """Every method has requests to begin with that its message can hold."""
    methods = {method.path: method for method in fuzz.pipeline().methods}
    seeds = fuzz.seeds(random.Random(SEED))

    assert set(seeds) == set(methods)
    for path, requests in seeds.items():
        for data in requests:
            methods[path].request_class.FromString(data)


async def test_an_exception_in_the_parser_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser that lets an exception through does not pass."""

    def broken(self: object, request: object) -> None:
        raise DecodeError("of some kind")

    monkeypatch.setattr(RequestChecker, "check", broken)

    with pytest.raises(fuzz.Broken, match="INTERNAL"):
        await fuzz.fuzz_parser(100, SEED)


async def test_an_answer_that_says_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal with the text of an exception does not pass."""

    def talkative(self: object, request: object) -> None:
        raise InvalidRequest("google.protobuf.message.DecodeError: Error parsing message")

    monkeypatch.setattr(RequestChecker, "check", talkative)

    with pytest.raises(fuzz.Broken, match="says too much"):
        await fuzz.fuzz_parser(100, SEED)


async def test_a_rule_that_is_not_checked_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser that lets everything through does not pass."""
    monkeypatch.setattr(RequestChecker, "check", lambda self, request: None)

    with pytest.raises(fuzz.Broken, match="INTERNAL"):
        await fuzz.fuzz_parser(2000, SEED)
