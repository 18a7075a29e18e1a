from __future__ import annotations

import re
from hashlib import sha256

from grpc_chat.api.limits import Limits
from grpc_chat.api.rules import check_id
from grpc_chat.core.tokens import new_code, new_id, new_token, secret_hash


def test_token_is_a_secret_of_256_bits() -> None:
    """Of characters that metadata carries, and with a beginning by which leaked ones are found."""
    tokens = {new_token() for _ in range(1000)}

    assert len(tokens) == 1000
    assert all(re.fullmatch(r"gc_[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_code_can_be_read_out() -> None:
    """Small letters and digits alone, none of which looks like another; 125 bits of them."""
    codes = {new_code() for _ in range(1000)}

    assert len(codes) == 1000
    assert all(re.fullmatch(r"gci_[a-z2-7]{25}", code) for code in codes)
    for code in codes:
        check_id(code, "invite_code", Limits().id_bytes)


def test_id_is_short_and_its_own() -> None:
    """It is told to everybody, so it need not be long."""
    ids = {new_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(re.fullmatch(r"[a-z2-7]{16}", id_) for id_ in ids)


def test_all_of_a_secret_is_random() -> None:
    """No place of it is always, or nearly always, the same."""
    for make, start in ((new_token, 3), (new_code, 4), (new_id, 0)):
        columns = list(zip(*(make()[start:] for _ in range(300)), strict=True))
        assert min(len(set(column)) for column in columns) > 3


def test_what_is_stored_of_a_secret_is_its_hash() -> None:
    """Of whatever a caller gives for one."""
    assert secret_hash("gc_abc") == sha256(b"gc_abc").digest()
    assert len({secret_hash(text) for text in ("", "a", "A", "a ", "\udcff", "é")}) == 6
