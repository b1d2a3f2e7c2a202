"""The corpus folder's README.md: a dataset card in the form that the Hugging Face hub reads.

It claims no licence: only the user knows what may be published.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from dateline.manifest import Manifest
from dateline.places import country
from dateline.records import SPLITS

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
         (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"))  # fmt: skip
COLUMNS = {
    "id": "16 hex digits, from address, headline and text",
    "url": "address of the article",
    "domain": "registered domain, lower case",
    "country": "ISO 3166 alpha-2, lower case; the publisher's home, not the subject",
    "continent": "Africa, America, Asia, Europe or Oceania",
    "date": "YYYY-MM-DD",
    "title": "headline",
    "text": "body as plain text",
    "source": "file and line or row that the article was read from",
    "split": "train, validation or test",
    "also_at": "addresses of copies that were removed as duplicates of this article",
}


def dataset_card(title: str, audit: Mapping[str, Any], manifest: Manifest) -> str:
    """Returns the text of README.md."""
    documents = audit["documents"]
    language = manifest.recipe.get("language")
    header: dict[str, Any] = {
        **({"language": [language]} if language else {}),
        "task_categories": ["text-generation"],
        "tags": ["news", "localization", "dateline"],
        "size_categories": [next((label for bound, label in SIZES if documents < bound), "n>1T")],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": split, "path": f"data/{split}-*.parquet"}
                    for split in SPLITS
                    if audit["splits"][split]["documents"]
                ],
            }
        ],
    }
    lines = ["---", yaml.safe_dump(header, sort_keys=False, allow_unicode=True).rstrip(), "---", "", f"# {title}", ""]
    counts = manifest.counts
    lines += [
        f"{documents:,} news articles with the place that they come from, of {counts['in']:,} read.",
        f"Made with dateline {manifest.versions['dateline']}, fingerprint `{manifest.fingerprint}`; "
        "`manifest.json` has the recipe, `audit.json` every count.",
        "",
        "The texts belong to their publishers. Whoever publishes this folder must know that they may.",
        "",
        "## Columns",
        "",
        "Unknown parts are empty.",
        "",
        "| Column | What |",
        "|---|---|",
        *(f"| `{column}` | {what} |" for column, what in COLUMNS.items()),
        "",
        "## By country",
        "",
        "| Continent | Country | Code | Train | Validation | Test | Outlets |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for code, found in sorted(audit["countries"].items(), key=lambda item: (item[1]["continent"], item[0])):
        known = country(code)
        cells = " | ".join(f"{found[split]['documents']:,}" for split in SPLITS)
        lines.append(
            f"| {found['continent']} | {known.name if known else code} | {code} | {cells} | {found['outlets']:,} |"
        )
    if sum(audit["no_country"][split]["documents"] for split in SPLITS):
        cells = " | ".join(f"{audit['no_country'][split]['documents']:,}" for split in SPLITS)
        lines.append(f"| | none found | | {cells} | |")
    lines += ["", "## What was left out", ""]
    if audit["drops"]:
        lines += ["| Reason | Documents |", "|---|--:|"]
        lines += [f"| {reason} | {count:,} |" for reason, count in sorted(audit["drops"].items(), key=lambda d: -d[1])]
    else:
        lines.append("Nothing.")
    lines += ["", "## Known limits", ""]
    lines += [f"- {markdown_text(problem)}" for problem in audit["problems"]] or ["None found by the audit."]
    return "\n".join(lines) + "\n"


def markdown_text(text: str) -> str:
    """Returns a sentence that Markdown leaves alone: file names may hold anything."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|" else letter for letter in text)
