from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from grpc_chat.cli.main import main
from tests.certificates import issue


def test_the_check_of_settings_tries_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps a server from starting is an error, what clients may refuse a warning."""
    expired = timedelta(days=-1)
    paths = issue(ends=expired).write(tmp_path)
    monkeypatch.setenv("GRPC_CHAT_TLS__CERTIFICATE", str(paths["certificate"]))
    monkeypatch.setenv("GRPC_CHAT_TLS__KEY", str(paths["key"]))

    warned = CliRunner().invoke(main, ["config", "check"])
    paths["key"].write_bytes(issue().key)
    refused = CliRunner().invoke(main, ["config", "check"])

    assert (warned.exit_code, warned.stdout) == (0, "the settings are right\n")
    assert warned.stderr.startswith("warning: the certificate expired on ")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"error: tls.key: {paths['key']}: the key does not belong")
