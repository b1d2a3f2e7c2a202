"""Two versions of a corpus compared: what came, what went, what changed, by country and outlet.

Documents are known by their `id`, which is made of address, headline and text; no text is read.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dateline.corpus.shards import shard_paths
from dateline.manifest import explain_change, require_manifest
from dateline.records import SPLITS

if TYPE_CHECKING:
    import pandas as pd

_READ = ["id", "url", "domain", "country"]


def diff_corpora(before: Path, after: Path) -> dict[str, Any]:
    """Compares two corpus folders.

    A document `came` or `went` if only the later or the earlier corpus has it; it is `changed` if the other corpus has
    another headline or text under its address. One that both have may have `moved` to another country or split.

    Args:
        before: folder of the earlier corpus.
        after: folder of the later one.

    Returns:
        Plain data: `documents` (`before`, `after`, `same`, `came`, `went`, `changed`), the same counts in `countries`
        and `outlets` (by code and by domain; without a country or domain under ""), `moved` (`country` and `split`:
        `"ng -> gb"` -> documents), and `why`: which recipe values and inputs differ, in one line. What changed is
        counted where the later corpus has it.

    Raises:
        UserError: where a folder is no finished corpus.

    Example:
        >>> found = diff_corpora(Path("runs/corpus"), Path("runs/newer"))
        >>> found["documents"]["came"], found["countries"]["ng"]["went"]
        (212, 3)
    """
    manifests = [
        require_manifest(folder, "corpus", f"dateline corpus RECIPE --out {folder}") for folder in (before, after)
    ]
    old, new = _documents(before), _documents(after)
    both = old.merge(new, on="id", suffixes=("_before", "_after"))
    gone, fresh = old[~old["id"].isin(both["id"])], new[~new["id"].isin(both["id"])]
    rewritten = set(gone["url"]) & set(fresh["url"]) - {""}
    groups = {
        "before": old,
        "after": new,
        "same": new[new["id"].isin(both["id"])],
        "came": fresh[~fresh["url"].isin(rewritten)],
        "went": gone[~gone["url"].isin(rewritten)],
        "changed": fresh[fresh["url"].isin(rewritten)],
    }
    return {
        "documents": {name: len(rows) for name, rows in groups.items()},
        "countries": _by("country", groups),
        "outlets": _by("domain", groups),
        "moved": {name: _moves(both, name) for name in ("country", "split")},
        "why": explain_change(before, manifests[1].recipe, manifests[1].parents, format=manifests[1].format),
    }


def _documents(folder: Path) -> pd.DataFrame:
    """Returns id, address, domain, country and split of every document, each id once."""
    import pandas as pd
    import pyarrow.parquet as pq

    tables = [
        pq.read_table(path, columns=_READ).to_pandas().assign(split=split)
        for split in SPLITS
        for path in shard_paths(folder, split)
    ]
    return pd.concat(tables, ignore_index=True).drop_duplicates("id")


def _by(column: str, groups: dict[str, pd.DataFrame]) -> dict[str, dict[str, int]]:
    counts = {name: Counter(rows[column]) for name, rows in groups.items()}
    names = sorted({value for found in counts.values() for value in found})
    return {value: {name: counts[name][value] for name in groups} for value in names}


def _moves(both: pd.DataFrame, column: str) -> dict[str, int]:
    before, after = both[f"{column}_before"], both[f"{column}_after"]
    apart = before != after
    pairs = Counter(zip(before[apart], after[apart], strict=True))
    return {f"{one or 'none'} -> {other or 'none'}": number for (one, other), number in pairs.most_common()}
