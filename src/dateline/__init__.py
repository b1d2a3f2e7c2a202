"""Trains, evaluates and uses language models conditioned on where a text comes from.

`dateline.load` opens a model, `dateline.place` says what a place is. Names are imported when they are first used, so
that `import dateline` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dateline.api import (
        Comparison,
        Continuation,
        Generation,
        Leakage,
        Location,
        Model,
        PlaceLike,
        Score,
        Token,
        load,
    )
    from dateline.errors import UserError
    from dateline.places.lookup import place
    from dateline.records import Place

    __version__: str

__all__ = [
    "Comparison",
    "Continuation",
    "Generation",
    "Leakage",
    "Location",
    "Model",
    "Place",
    "PlaceLike",
    "Score",
    "Token",
    "UserError",
    "__version__",
    "load",
    "place",
]
_ELSEWHERE = {"Place": "records", "UserError": "errors", "place": "places.lookup"}
"""Modules of the names that are not in `api`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dateline' has no attribute '{name}'")
    value = (
        _installed_version()
        if name == "__version__"
        else getattr(import_module(f"dateline.{_ELSEWHERE.get(name, 'api')}"), name)
    )
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _installed_version() -> str:
    """Returns the version that the installation was made from; `0+unknown` where the source is only on the path."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("dateline")
    except PackageNotFoundError:
        return "0+unknown"
