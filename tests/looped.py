"""One test of many values, where a test of each would say no more and cost a millisecond or three."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Ids = Callable[[Any], object] | Sequence[object] | None


def each(
    names: str | tuple[str, ...], values: Iterable[Any], *, ids: Ids = None
) -> Callable[[Callable[..., Any]], Any]:
    """Call a test with each value in turn, as ``pytest.mark.parametrize`` does, but as a single test.

    What fails names its value. Fixtures are made once for all of them: a test that leaves something in its
    fixtures, or needs them untouched, takes ``parametrize``.

    Args:
        names: The argument that the values are for, or the arguments.
        values: At least one: a test of nothing would pass.
        ids: How a value is named: a function of it, or the names; without, by its ``repr()``.
    """
    arguments = [names] if isinstance(names, str) else [*names]
    cases = [*values]
    assert cases, "there is nothing to test"
    named = [*map(ids if callable(ids) else repr, cases)] if not isinstance(ids, Sequence) else [*ids]
    assert len(named) == len(cases)

    def given(case: Any) -> dict[str, Any]:
        return dict(zip(arguments, [case] if isinstance(names, str) else case, strict=True))

    def decorate(test: Callable[..., Any]) -> Any:
        @functools.wraps(test)
        def together(**fixtures: Any) -> None:
            for name, case in zip(named, cases, strict=True):
                try:
                    test(**fixtures, **given(case))
                except BaseException as error:
                    error.add_note(f"{', '.join(arguments)}: {name}")
                    raise

        @functools.wraps(test)
        async def together_async(**fixtures: Any) -> None:
            for name, case in zip(named, cases, strict=True):
                try:
                    await test(**fixtures, **given(case))
                except BaseException as error:
                    error.add_note(f"{', '.join(arguments)}: {name}")
                    raise

        made: Any = together_async if inspect.iscoroutinefunction(test) else together
        signature = inspect.signature(test)
        left = [each for name, each in signature.parameters.items() if name not in arguments]
        made.__signature__ = signature.replace(parameters=left)
        return made

    return decorate
