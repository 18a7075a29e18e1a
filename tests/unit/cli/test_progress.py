from __future__ import annotations

import sys

import pytest

from grpc_chat.cli import progress as progress_module


def test_progress_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that is empty in the end; nothing in a pipe, and nothing of what is done at once."""
    monkeypatch.setattr(progress_module, "_SECONDS_BETWEEN", 0)
    for terminal, before in ((False, 0), (True, 60), (True, 0)):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        monkeypatch.setattr(progress_module, "_SECONDS_BEFORE", before)
        progress = progress_module.ProgressLine(silent=False)
        progress("copying", 0.0)
        progress("copying", 0.436)
        progress("checking", None)
        progress.end()
        said = capsys.readouterr().err
        if terminal and not before:
            assert said == "\r\x1b[Kcopying … 0 %\r\x1b[Kcopying … 43 %\r\x1b[Kchecking …\r\x1b[K"
        else:
            assert said == ""
