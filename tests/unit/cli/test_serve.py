from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from grpc_chat.cli.main import main
from tests.certificates import issue, with_rsa_pss_key


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
    assert refused.stderr.startswith(f"error: tls.key: {paths['key']}: the key must belong")


def test_authorities_of_clients_are_checked_beside_a_certificate_of_the_servers_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no certificate is made for that."""
    authorities = tmp_path / "clients.pem"
    authorities.write_bytes(with_rsa_pss_key().pem)
    for name, value in (("DEV_CERTIFICATE", "true"), ("CLIENT_CA", str(authorities))):
        monkeypatch.setenv(f"GRPC_CHAT_TLS__{name}", value)
    monkeypatch.setenv("GRPC_CHAT_DATA", str(tmp_path / "data"))

    refused = CliRunner().invoke(main, ["config", "check"])
    authorities.write_bytes(issue().pem)
    right = CliRunner().invoke(main, ["config", "check"])

    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"error: tls.client_ca: {authorities}: its key is of the type RSA-PSS")
    assert (right.exit_code, right.stderr) == (0, "")
    assert not (tmp_path / "data").exists()
