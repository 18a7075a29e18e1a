"""What a mistake is that `make torture` must notice."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.mutants.planting import Edit


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake.

    Attributes:
        what: The mistake in words.
        edits: How it is made.
        faults: What is needed to make it show.
        settings: More of the server's environment.
    """

    what: str
    edits: tuple[Edit, ...]
    faults: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
