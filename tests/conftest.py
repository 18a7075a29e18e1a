"""What holds for every test."""

from __future__ import annotations

import gc
import os

# Anyone who runs the tests may have a keyring, which is none of theirs, nor of the programs that they start.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"


def pytest_collection_finish() -> None:
    """Spare garbage collections the tests themselves.

    Each worker holds thousands of tests and their modules. A full collection went through all of them, which
    took a quarter of a second each time: a tenth of the whole.
    """
    gc.collect()
    gc.freeze()
