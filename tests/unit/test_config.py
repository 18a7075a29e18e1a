from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from functools import reduce
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from grpc_chat.cli.serve import load_config
from grpc_chat.config import Config
from grpc_chat.oidc_settings import Oidc
from grpc_chat.ops.reference import settings_toml
from tests.looped import each


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the environment of the one who tests is none of the tests' business."""
    for name in os.environ:
        if name.upper().startswith("GRPC_CHAT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "chat.toml"


def refusal(file: Path | None = None, **flags: object) -> dict[str, str]:
    """What is wrong with the settings, by their names."""
    with pytest.raises(ValidationError) as caught:
        Config.load(file, **flags)
    return {".".join(map(str, error["loc"])): error["type"] for error in caught.value.errors()}


# Where settings come from


def test_defaults_are_those_of_a_first_try() -> None:
    """Nothing has to be set: this machine alone, the port of the quick start, data where one is."""
    config = Config.load()

    assert (config.host, config.port, config.data) == ("127.0.0.1", 50051, Path("data"))
    assert config.trusted_ids == ()
    assert config.metrics_port is None
    assert not config.accept_loss


def test_file_sets_what_it_says(toml: Path) -> None:
    """In groups, times as seconds or in words of ISO 8601; all else stays as it was."""
    toml.write_text(
        'port = 1\ntrusted_ids = ["a", "b,c"]\nstop_grace = 2.5\n'
        '[limits]\npage = 7\n[subscribe]\nheartbeat = "PT1M"\n'
    )

    config = Config.load(toml)

    assert (config.port, config.trusted_ids, config.limits.page) == (1, ("a", "b,c"), 7)
    assert (config.stop_grace, config.subscribe.heartbeat) == (timedelta(seconds=2.5), timedelta(minutes=1))
    assert config.limits.max_page == Config.load().limits.max_page


def test_environment_sets_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """With two underscores between a group and its setting; a list is separated by commas."""
    monkeypatch.setenv("GRPC_CHAT_PORT", "1")
    monkeypatch.setenv("GRPC_CHAT_TRUSTED_IDS", "a, b,,c ,")
    monkeypatch.setenv("GRPC_CHAT_LIMITS__TEXT_BYTES", "100")
    monkeypatch.setenv("GRPC_CHAT_SUBSCRIBE__HEARTBEAT", "PT1M")

    config = Config.load()

    assert (config.port, config.trusted_ids, config.limits.text_bytes) == (1, ("a", "b", "c"), 100)
    assert config.subscribe.heartbeat == timedelta(minutes=1)


def test_later_sources_win(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags over the environment over the file over the defaults, each setting by itself."""
    toml.write_text('port = 1\nhost = "file"\nlog_level = "error"\n[limits]\npage = 1\nmessages = 1\n')
    monkeypatch.setenv("GRPC_CHAT_PORT", "2")
    monkeypatch.setenv("GRPC_CHAT_HOST", "environment")
    monkeypatch.setenv("GRPC_CHAT_LIMITS__PAGE", "2")

    config = Config.load(toml, port=3, host=None, log_level=None)

    assert (config.port, config.host, config.log_level) == (3, "environment", "error")
    assert (config.limits.page, config.limits.messages, config.limits.cursors) == (2, 1, 4096)


def test_flag_that_was_not_given_sets_nothing() -> None:
    """None stands for that; what is false or nothing is a value."""
    assert Config.load(port=None).port == 50051
    assert Config.load(port=0).port == 0


def test_trusted_ids_of_a_flag_are_separated_by_commas() -> None:
    """As the quick start writes them."""
    assert Config.load(trusted_ids="1, 2,3").trusted_ids == ("1", "2", "3")
    assert Config.load(trusted_ids=["1,2", "3"]).trusted_ids == ("1,2", "3")


def test_what_flags_and_the_environment_say_of_a_group_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a pair here and half of it there."""
    monkeypatch.setenv("GRPC_CHAT_TLS__KEY", "key.pem")
    monkeypatch.setenv("GRPC_CHAT_INSECURE", "true")

    config = Config.load(tls={"certificate": Path("cert.pem")})

    assert (config.tls.certificate, config.tls.key) == (Path("cert.pem"), Path("key.pem"))
    assert config.tls.enabled
    assert config.insecure


def waits(model: type[BaseModel], *path: str) -> Iterator[tuple[str, ...]]:
    """Where the settings are that are waits."""
    for name, field in model.model_fields.items():
        inner = type(field.default)
        if issubclass(inner, BaseModel):
            yield from waits(inner, *path, name)
        elif "timedelta" in str(field.annotation):
            yield (*path, name)


def test_waits_are_seconds_or_iso_8601_wherever_they_stand(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As numbers and as text, in a file and in the environment; every one of them."""
    paths = list(waits(Config))
    assert len(paths) >= 13
    for text, seconds in [("5", 5.0), (" 2.5\n", 2.5), ("PT25S", 25.0), ("P1DT1M", 86_460.0)]:
        for path in paths:
            monkeypatch.setenv("GRPC_CHAT_" + "__".join(path), text)
        config = Config.load()
        found = {reduce(getattr, path, config) for path in paths}
        assert found == {timedelta(seconds=seconds)}, text
    for path in paths:
        monkeypatch.delenv("GRPC_CHAT_" + "__".join(path))
    toml.write_text('stop_grace = "5"\n')
    assert Config.load(toml).stop_grace == timedelta(seconds=5)


@pytest.mark.parametrize(
    "text", ["25s", "", "1:30", "2 days", "P", "-PT5S", "-5", "5e3", "²", "9" * 40, "P9999999Y"]
)
def test_what_is_no_wait_is_refused_with_an_example(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """By the name of the variable."""
    monkeypatch.setenv("GRPC_CHAT_SUBSCRIBE__HEARTBEAT", text)

    with pytest.raises(ValueError, match=r"^GRPC_CHAT_SUBSCRIBE__HEARTBEAT: .*(PT25S|more than 0)"):
        load_config(None)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("10.0.0.0/8,fd00::/8", ("10.0.0.0/8", "fd00::/8")),
        (" 10.0.0.0/8 , \n", ("10.0.0.0/8",)),
        ('["10.0.0.0/8", "fd00::/8"]', ("10.0.0.0/8", "fd00::/8")),
        ("", ()),
        ("[]", ()),
    ],
)
def test_lists_stand_in_the_environment_as_people_write_them(
    toml: Path, monkeypatch: pytest.MonkeyPatch, text: str, parts: tuple[str, ...]
) -> None:
    """With commas, as JSON, or empty; in a file, where TOML has lists, text will do."""
    monkeypatch.setenv("GRPC_CHAT_GRPC__TRUSTED_PROXIES", text)
    monkeypatch.setenv("GRPC_CHAT_TRUSTED_IDS", text)
    assert (Config.load().grpc.trusted_proxies, Config.load().trusted_ids) == (parts, parts)

    monkeypatch.delenv("GRPC_CHAT_GRPC__TRUSTED_PROXIES")
    toml.write_text(f"[grpc]\ntrusted_proxies = {json.dumps(text)}\n")
    assert Config.load(toml).grpc.trusted_proxies == parts


def test_mistakes_in_the_environment_are_told_by_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an example where there is one; those of a flag or a file by the name of the setting."""
    for name, value, told in [
        ("PORT", "", "GRPC_CHAT_PORT: Input should be a valid integer.*, as 50051"),
        ("port", "x", "GRPC_CHAT_PORT: "),
        ("PORTS", "1", "GRPC_CHAT_PORTS: Extra inputs"),
        ("STOP_GRACE", "P2000D", "GRPC_CHAT_STOP_GRACE: must be more than 0 and at most 365 days"),
        ("INSECURE", "perhaps", "GRPC_CHAT_INSECURE: .*boolean.*, as false"),
        ("LIMITS__PAGE", "many", "GRPC_CHAT_LIMITS__PAGE: .*, as 50"),
        ("LIMITS", "{", "GRPC_CHAT_LIMITS: must be JSON"),
        ("LIMITS", '{"page": 0}', "GRPC_CHAT_LIMITS.page: "),
        (
            "GRPC__TRUSTED_PROXIES",
            "10.0.0.0/8,there",
            "GRPC_CHAT_GRPC__TRUSTED_PROXIES: must be networks, .*'there'",
        ),
        ("GRPC__TRUSTED_PROXIES", "[1]", "GRPC_CHAT_GRPC__TRUSTED_PROXIES"),
        ("OIDC", json.dumps([EXAMPLE | {"name": "A"}]), "GRPC_CHAT_OIDC.0.name: "),
        ("OIDC", "{}", "GRPC_CHAT_OIDC: must be a list in JSON"),
    ]:
        monkeypatch.setenv(f"GRPC_CHAT_{name}", value)
        with pytest.raises(ValueError, match=f"^{told}") as caught:
            load_config(None)
        monkeypatch.delenv(f"GRPC_CHAT_{name}")
        assert ";" not in str(caught.value)

    monkeypatch.setenv("GRPC_CHAT_PORT", "1")
    with pytest.raises(ValueError, match=r"^port: "):
        load_config(None, port=-1)
    assert load_config(None, port=2, oidc="").port == 2


# What is refused


def test_unknown_key_in_a_file_is_refused(toml: Path) -> None:
    """On the top and in a group, by its name."""
    toml.write_text("prot = 1\n[limits]\npages = 1\n[limit]\npage = 1\n")

    assert refusal(toml) == dict.fromkeys(["prot", "limits.pages", "limit"], "extra_forbidden")


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("GRPC_CHAT_PROT", "grpc_chat_prot"),
        ("grpc_chat_prot", "grpc_chat_prot"),
        ("GRPC_CHAT_LIMITS__PAGES", "limits.pages"),
        ("GRPC_CHAT_LIMITS_PAGE", "grpc_chat_limits_page"),
        ("GRPC_CHAT_LIMIT__PAGE", "grpc_chat_limit__page"),
        ("GRPC_CHAT_PORT__PAGE", "grpc_chat_port__page"),
        ("GRPC_CHAT_", "grpc_chat_"),
    ],
)
def test_unknown_name_in_the_environment_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, where: str
) -> None:
    """A name that begins like ours and is none was meant to set something."""
    monkeypatch.setenv(name, "1")

    assert refusal() == {where: "extra_forbidden"}


def test_other_names_in_the_environment_are_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they look like."""
    for name in ("PORT", "LIMITS__PAGE", "GRPC_CHATTER", "GRPC_VERBOSITY", "XGRPC_CHAT_PORT"):
        monkeypatch.setenv(name, "99")

    assert Config.load() == Config()
    assert Config.load().port == 50051


def test_unknown_flag_is_refused() -> None:
    """A mistake of ours is found as well."""
    assert refusal(prot=1) == {"prot": "extra_forbidden"}


@each(
    ("flags", "where"),
    [
        ({"port": -1}, "port"),
        ({"port": 65_536}, "port"),
        ({"port": "http"}, "port"),
        *(
            ({"public_address": wrong}, "public_address")
            for wrong in (
                "https://chat.example.org",
                "a b",
                "chat:",
                "chat:0",
                "chat:65536",
                "::1",
                "chat/x",
                "\n",
            )
        ),
        ({"readers": 0}, "readers"),
        ({"readers": 65}, "readers"),
        ({"log_level": "verbose"}, "log_level"),
        ({"stop_grace": 0}, "stop_grace"),
        ({"stop_grace": -1}, "stop_grace"),
        ({"stop_grace": timedelta(days=366)}, "stop_grace"),
        ({"tls": {"reload": 0}}, "tls.reload"),
        ({"tls": {"certificate": "cert.pem"}}, "tls"),
        ({"tls": {"key": "key.pem"}}, "tls"),
        ({"tls": {"client_ca": "ca.pem"}}, "tls"),
        ({"tls": {"certificate": "cert.pem", "key": "key.pem", "dev_certificate": True}}, "tls"),
        ({"limits": {"calls_per_second": -1}}, "limits.calls_per_second"),
        ({"limits": {"page_bytes": 3 * 1024 * 1024}}, "limits.page_bytes"),
        ({"subscribe": {"response_bytes": 2 * 1024 * 1024}}, "subscribe.response_bytes"),
    ],
)
def test_value_out_of_its_bounds_is_refused(flags: dict[str, object], where: str) -> None:
    """By the name of the setting."""
    assert refusal(None, **flags).keys() == {where}


def all_settings(model: type[BaseModel], prefix: str = "") -> dict[str, object]:
    """Each setting's name and type."""
    found: dict[str, object] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= all_settings(field.annotation, f"{prefix}{name}.")
        else:
            found[prefix + name] = field.annotation
    return found


def test_every_count_and_wait_is_more_than_nothing() -> None:
    """Nobody turns a bound off by accident, with 0, or around, with less."""
    rates = ("calls", "guest_calls", "adds", "work", "signals")
    may_be_0 = {"port", "metrics_port", *(f"limits.{rate}_per_second" for rate in rates)}
    may_be_0 |= {"limits.people_per_minute", "limits.reports_per_hour"}
    may_be_0 |= {"files.free_bytes", "files.download_bytes_per_second"}
    numbers = {name for name, type_ in all_settings(Config).items() if type_ in (int, float, timedelta)}
    assert len(numbers) > 20

    for name in numbers - may_be_0:
        *group, setting = name.split(".")
        for value in (0, -1):
            given: dict[str, object] = {setting: value}
            assert refusal(None, **({group[0]: given} if group else given)).keys() == {name}


def test_every_setting_says_what_it_means() -> None:
    """It is what the documentation is made of."""
    for name in all_settings(Config):
        *group, setting = name.split(".")
        model: type[BaseModel] = Config
        if group:
            annotation = Config.model_fields[group[0]].annotation
            assert isinstance(annotation, type)
            model = annotation
        description = model.model_fields[setting].description
        assert description, name
        assert description.endswith("."), name
        # A number of bytes says so.
        assert "bytes" not in setting or "bytes" in description, name


def test_file_that_is_no_toml_is_refused(toml: Path) -> None:
    """With the line."""
    toml.write_text("port = 1\n[limits\n")

    with pytest.raises(tomllib.TOMLDecodeError, match="line 2"):
        Config.load(toml)


# Issuers

EXAMPLE = {"name": "example", "issuer": "https://id.example.com/realms/chat", "client_id": "chat"}


def test_issuers_are_a_list_of_groups(toml: Path) -> None:
    """None at first; each a table of its own, of which three settings suffice."""
    assert Config.load().oidc == ()
    toml.write_text(
        '[[oidc]]\nname = "a"\nissuer = "https://a.example.com"\nclient_id = "1"\n'
        '[[oidc]]\nname = "b"\nissuer = "http://127.0.0.1:8080/b"\nclient_id = "2"\n'
        'client_secret = "s"\nscopes = ["openid", "groups"]\nsign_up = true\nclock_skew = 5\n'
    )

    a, b = Config.load(toml).oidc

    assert (a.name, a.issuer, a.client_id) == ("a", "https://a.example.com", "1")
    assert (a.client_secret, a.label, a.scopes) == (None, "", ("openid", "profile", "email"))
    assert (a.sign_up, a.user_id_claim, a.clock_skew) == (False, "preferred_username", timedelta(minutes=1))
    assert b.client_secret == SecretStr("s")
    assert (b.scopes, b.sign_up, b.clock_skew) == (("openid", "groups"), True, timedelta(seconds=5))


def test_issuers_of_the_environment_are_json_and_replace_those_of_the_file(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All in one variable; a setting of one issuer has no name there."""
    toml.write_text('[[oidc]]\nname = "a"\nissuer = "https://a.example.com"\nclient_id = "1"\n')
    monkeypatch.setenv("GRPC_CHAT_OIDC", json.dumps([EXAMPLE]))
    assert [oidc.name for oidc in Config.load(toml).oidc] == ["example"]

    monkeypatch.setenv("GRPC_CHAT_OIDC__NAME", "x")
    assert refusal(toml) == {"grpc_chat_oidc__name": "extra_forbidden"}


def test_issuers_that_are_no_json_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the name of the setting, and without what it holds."""
    monkeypatch.setenv("GRPC_CHAT_OIDC", '[{"client_secret": "geheim"')

    with pytest.raises(ValueError, match=r"^GRPC_CHAT_OIDC: must be a list in JSON") as caught:
        load_config(None)

    assert "geheim" not in str(caught.value)


def test_secret_of_an_issuer_can_stand_in_a_file(tmp_path: Path) -> None:
    """Without the line end that editors put there."""
    file = tmp_path / "secret"
    file.write_text(" geheim \r\n")

    [oidc] = Config.load(oidc=[EXAMPLE | {"client_secret_file": str(file)}]).oidc

    assert oidc.client_secret == SecretStr(" geheim ")


def test_secret_of_an_issuer_is_shown_nowhere(tmp_path: Path) -> None:
    """Not with the settings, and not with what is wrong with them, beside it or in it."""
    config = Config.load(oidc=[EXAMPLE | {"client_secret": "geheim"}])
    assert "geheim" not in repr(config) + str(config) + config.model_dump_json()

    mistakes: list[object] = [
        [EXAMPLE | {"client_secret": "geheim"}] * 2,
        [EXAMPLE | {"client_secret": "geheim", "client_secret_file": tmp_path}],
        [EXAMPLE | {"client_secret": ["geheim"]}],
        [{"client_secret": "geheim"}],
        {"client_secret": "geheim"},
    ]
    for mistake in mistakes:
        with pytest.raises(ValidationError) as caught:
            Config.load(oidc=mistake)
        assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": ""}, "oidc.0.name"),
        ({"name": "Example"}, "oidc.0.name"),
        ({"name": "a" * 33}, "oidc.0.name"),
        ({"name": "a\n"}, "oidc.0.name"),
        ({"client_id": ""}, "oidc.0.client_id"),
        ({"client_secret": ""}, "oidc.0.client_secret"),
        ({"client_secret_file": "/nowhere/at/all"}, "oidc.0"),
        ({"client_secret_file": "/"}, "oidc.0"),
        ({"client_secret_file": "/dev/null"}, "oidc.0"),
        ({"client_secret_file": 3}, "oidc.0"),
        ({"client_secret": "a", "client_secret_file": "/dev/null"}, "oidc.0"),
        ({"scopes": ["profile"]}, "oidc.0.scopes"),
        ({"scopes": ["openid", "a b"]}, "oidc.0.scopes"),
        ({"scopes": ["openid", ""]}, "oidc.0.scopes"),
        ({"user_id_claim": ""}, "oidc.0.user_id_claim"),
        ({"clock_skew": -1}, "oidc.0.clock_skew"),
        ({"clock_skew": 301}, "oidc.0.clock_skew"),
        ({"sign_ups": True}, "oidc.0.sign_ups"),
    ],
)
def test_issuer_with_a_mistake_is_refused(change: dict[str, object], where: str) -> None:
    """By the name of the setting, where it is one setting's mistake."""
    assert refusal(None, oidc=[EXAMPLE | change]).keys() == {where}


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "id.example.com",
        "http://id.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
        "ftp://id.example.com",
        "https://",
        "https://:443",
        "https://id.example.com:0",
        "https://id.example.com:99999",
        "https://[::1",
        "https://user:password@id.example.com",
        "https://id.example.com/?a=b",
        "https://id.example.com/#a",
        "https://id.example.com/a b",
        "https://id.example.com\n",
        "https://id.example.com\\@example.org",
        "https://ïd.example.com",
    ],
)
def test_issuer_at_an_unsafe_address_is_refused(issuer: str) -> None:
    """What is not https, or means different things to different readers."""
    assert refusal(None, oidc=[EXAMPLE | {"issuer": issuer}]) == {"oidc.0.issuer": "value_error"}


@pytest.mark.parametrize("host", ["127.0.0.1:9000", "[::1]:9000", "localhost"])
def test_issuer_on_this_machine_needs_no_tls(host: str) -> None:
    """For trying things out."""
    [oidc] = Config.load(oidc=[EXAMPLE | {"issuer": f"http://{host}/"}]).oidc

    assert oidc.issuer == f"http://{host}/"


def test_two_issuers_of_one_name_are_refused() -> None:
    """Clients could not tell them apart."""
    with pytest.raises(ValidationError, match="names must differ; used more than once: example"):
        Config.load(oidc=[EXAMPLE, EXAMPLE])


def test_default_settings_show_how_an_issuer_is_set(toml: Path) -> None:
    """As a comment, which holds every setting; taken out of it, it is right."""
    text = settings_toml(Config)
    toml.write_text(text)
    assert Config.load(toml).model_dump() == Config.load().model_dump()

    at = text.index("# [[oidc]]")
    shown = re.sub(r"^# ", "", text[at:], flags=re.M)
    for name, value in EXAMPLE.items():
        shown = shown.replace(f"{name} =\n", f'{name} = "{value}"\n')
    toml.write_text(text[:at] + re.sub(r"^\w+ =\n", "", shown, flags=re.M))

    assert Config.load(toml).oidc == (Oidc.model_validate(EXAMPLE),)
    assert set(re.findall(r"^(\w+) =", shown, re.M)) == set(Oidc.model_fields)


def test_settings_do_not_change() -> None:
    """Anyone who has been told a setting may rely on it."""
    config = Config.load()

    with pytest.raises(ValidationError):
        config.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        config.limits.page = 1  # type: ignore[misc]
