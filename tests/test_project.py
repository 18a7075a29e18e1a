"""What holds for the checkout as a whole."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from grpc_chat._version import __version__
from tools import locks

ROOT = Path(__file__).resolve().parent.parent

# In pieces, so that this file does not name what no file may name.
REGISTRIES = [
    ".".join(labels)
    for labels in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("npm", "pkg", "github", "com"),
        ("proxy", "golang", "org"),
        ("index", "crates", "io"),
        ("static", "crates", "io"),
        ("rubygems", "org"),
        ("anaconda", "org"),
    )
]
# A mirror can have any host, but few paths are usual.
MIRROR = re.compile(r"://[^\s\"'<>]+/(\+?simple|artifactory|api/(npm|pypi)|repository/(npm|pypi)[^/]*)/")


def names_a_registry(text: str) -> bool:
    return any(host in text for host in REGISTRIES) or bool(MIRROR.search(text))


def names_a_path_of_this_machine(text: str, root: Path = ROOT) -> bool:
    """Whether there is an absolute path to the checkout, or to something that does exist beside it."""
    # At the top it may well be called like a folder of the image: /app.
    if root.parent == Path("/"):
        return False
    if re.search(rf"(?<![\w.~-]){re.escape(str(root))}(?![\w-])", text):
        return True
    beside = re.findall(rf"(?<![\w.~-]){re.escape(str(root.parent))}/[\w.-]*\w", text)
    # Every machine has a folder for temporary files, and tests may have another.
    temporary = (Path("/tmp"), Path(tempfile.gettempdir()))
    return root.parent not in temporary and any(Path(path).exists() for path in beside)


def tracked_texts() -> dict[str, str]:
    """Every file that git tracks, by its path; what is not text as far as it can be read."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    paths = [path for path in listing.stdout.split("\0") if (ROOT / path).is_file()]
    return {path: (ROOT / path).read_text(errors="replace") for path in paths}


def test_locks_name_no_host() -> None:
    """A lock works with every registry and mirror, because it names none."""
    assert locks.hosts() == []


def test_what_runs_is_what_was_tested() -> None:
    """Users and images get the versions that the tests run with."""
    runs, tested = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))
        for lock in ("requirements.lock", "requirements-dev.lock")
    )
    assert {name: tested.get(name) for name in runs} == runs


def test_no_file_names_a_registry() -> None:
    """Where packages come from is each machine's own setting."""
    assert [path for path, text in tracked_texts().items() if names_a_registry(text)] == []


@pytest.mark.parametrize("host", REGISTRIES)
def test_registries_are_found(host: str) -> None:
    """The pattern finds what it is there to find."""
    assert names_a_registry(f"index-url = https://{host}/somewhere")


@pytest.mark.parametrize(
    "path", ["simple", "root/dev/+simple", "artifactory/api/npm/all", "repository/npm-all"]
)
def test_mirrors_are_found(path: str) -> None:
    """A mirror is recognised by its paths, whatever its host."""
    assert names_a_registry(f"https://packages.example.com:8080/{path}/grpcio/")
    assert not names_a_registry("https://www.example.com/simple-things/ and a/simple/path")


def test_no_file_names_a_path_of_this_machine() -> None:
    """What works only where it was written does not get into the repository."""
    assert [path for path, text in tracked_texts().items() if names_a_path_of_this_machine(text)] == []


def test_paths_of_this_machine_are_found(tmp_path: Path) -> None:
    """The pattern finds the checkout and what is beside it, and is not misled by paths that look like it."""
    root = tmp_path / "checkout"
    (tmp_path / "notes").mkdir()

    assert names_a_path_of_this_machine(f"see {root}/README.md", root)
    assert names_a_path_of_this_machine(f'"{root}"', root)
    assert names_a_path_of_this_machine(f"see {tmp_path}/notes.", root)
    assert not names_a_path_of_this_machine(f"{root}-other and https://example.com{root}", root)
    assert not names_a_path_of_this_machine("WORKDIR /app", Path("/app"))


def test_changelog_knows_this_version() -> None:
    """The version has its section in CHANGELOG.md, or one that becomes it."""
    sections = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert {__version__, "Unreleased"} & set(sections)


def test_every_make_target_is_documented() -> None:
    """Plain `make` shows every target with what it does; none is mistaken for a file or folder."""
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z][\w-]*):(?!=)(.*)", makefile, re.MULTILINE)
    phony = re.findall(r"^\.PHONY:(.*)", makefile, re.MULTILINE)

    assert [name for name, rest in targets if not re.search(r"## \S", rest)] == []
    assert {name for name, _ in targets} <= set(" ".join(phony).split())


# Made of bytes that are stored, or of a stream's parts; or not yet moved to api/.
RESPONSES_OF_CORE = {
    "BeginLogInResponse",
    "ListMessagesResponse",
    "SubscribeResponse",
}


def test_core_returns_what_it_is_about_and_api_makes_the_response() -> None:
    """One rule for who makes it: the list of exceptions gets shorter, never longer."""
    made = {
        name
        for path in (ROOT / "grpc_chat" / "core").glob("*.py")
        for name in re.findall(r"\bpb\.(\w+Response)\b", path.read_text())
    }

    assert made == RESPONSES_OF_CORE


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """The unit that docs/how-to/install.md has people copy; its program is installed elsewhere here."""
    unit = (ROOT / "deploy" / "grpc-chat.service").read_text()
    program = Path(sys.executable).with_name("grpc-chat")
    assert "/opt/grpc-chat/bin/grpc-chat" in unit
    (tmp_path / "grpc-chat.service").write_text(unit.replace("/opt/grpc-chat/bin/grpc-chat", str(program)))

    checked = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "grpc-chat.service"], capture_output=True, text=True
    )

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
