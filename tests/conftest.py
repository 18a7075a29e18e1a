"""What holds for every test."""

from __future__ import annotations

import os

# Whoever runs the tests may have a keyring, which is none of theirs, nor of the programs that they start.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
