"""Countries: how many items each has, against quotas, and whether labels of places agree with themselves.

Enters: questions, quotas. Leaves: findings, and the items with a label that is rare or contradicts.
Deliberately not done: no reading of questions for the place they are really about.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from dateline.errors import UserError
from dateline.evaluate.mcq.audit.finding import Finding, Suspect, judge_share, share_words, suspect
from dateline.evaluate.mcq.questions import QuestionSet
from dateline.places import PAPER_COUNTRIES, continent, country

PAPER_QUOTA = {
    **{"us": 34, "ca": 33, "jm": 33},
    **dict.fromkeys(("in", "pk", "bd", "lk", "hk", "my"), 15),
    "ph": 10,
    **dict.fromkeys(("ng", "za", "ke", "gh", "tz"), 20),
    **{"gb": 50, "ie": 50},
}
"""Of arXiv 2601.15236, for each of its two generators; Singapore has none."""
EVEN = "even"
FEW = 30
"""Items in a country below which its accuracy has an interval of more than 18 points either way."""
LOOK_OFF, UNFIT_OFF = 0.01, 0.10
"""Bounds for the share of items that would have to change their country to meet the quotas."""
UNFIT_CONTRADICTING = 0.01


def parse_quota(text: str) -> Mapping[str, int] | str:
    """Returns quotas by country from `us=34,ca=33`, from the name `paper`, or `even` as it is.

    Raises:
        UserError: where a part is no `COUNTRY=NUMBER`, a country is unknown or named twice.
    """
    if text == EVEN:
        return EVEN
    if text == "paper":
        return PAPER_QUOTA
    quota: dict[str, int] = {}
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.partition("="))
        place = country(name)
        if place is None or not number.isdecimal() or place.alpha2 in quota:
            raise UserError(f"--quota '{part.strip()}': write {EVEN}, paper, or each country once, like us=34,ca=33")
        quota[place.alpha2] = int(number)
    if not sum(quota.values()):
        raise UserError(f"--quota {text}: adds up to nothing; give some country a number above 0")
    return quota


def balance(found: QuestionSet, quota: Mapping[str, int] | str = "") -> Finding:
    """Returns how many items each country has, and how many stand in the wrong one.

    Quotas are proportions: they are scaled to the number of items, so that those of one generator serve for two.

    Args:
        found: with at least one question.
        quota: by country; `even` for the same number in every country of the set; empty where none is set.
    """
    counts = Counter(item.country or "unknown" for item in found.questions)
    total = len(found.questions)
    known = {code: number for code, number in counts.items() if code != "unknown"} or dict(counts)
    least, most = min(known, key=lambda code: known[code]), max(known, key=lambda code: known[code])
    facts = {
        "counts": dict(sorted(counts.items())),
        "of_the_paper": sorted(set(known) & set(PAPER_COUNTRIES)),
        "largest_over_smallest": known[most] / known[least],
    }
    said = f"{len(known)} countries have from {known[least]:,} ({least}) to {known[most]:,} ({most}) items"
    if known[most] == known[least]:
        said = f"{len(known)} countries have {known[least]:,} items each"
    if not quota:
        few = {code: number for code, number in known.items() if number < FEW}
        return judge_share(
            "countries",
            f"share of items in countries with fewer than {FEW}",
            sum(few.values()),
            total,
            look=0,
            unfit=1,
            sentence=f"{said}. "
            + (f"Fewer than {FEW} have: {', '.join(sorted(few))}; their intervals are wide. " if few else "")
            + "No quotas were given (--quota even, --quota paper, or --quota us=34,...).",
            facts=facts,
        )
    wanted = dict.fromkeys(known, 1) if isinstance(quota, str) else quota
    scale = total / sum(wanted.values())
    off = {
        code: counts[code] - wanted.get(code, 0) * scale
        for code in sorted({*counts, *wanted})
        if abs(counts[code] - wanted.get(code, 0) * scale) >= 1
    }
    moved = round(sum(abs(difference) for difference in off.values()) / 2)
    listed = ", ".join(f"{code} {difference:+.0f}" for code, difference in list(off.items())[:8])
    return judge_share(
        "countries",
        "share of items that would have to change their country to meet the quotas",
        moved,
        total,
        look=LOOK_OFF,
        unfit=UNFIT_OFF,
        sentence=f"{said}; {share_words(moved, total)} stand in the wrong one"
        + (f": {listed}{', ...' if len(off) > 8 else ''}." if off else ": the quotas are met."),
        facts=facts | {"quota": dict(wanted), "scale": scale, "off": off},
    )


def labels(found: QuestionSet) -> tuple[list[Finding], list[Suspect]]:
    """Returns items whose country or continent is written in another way than for most, or contradicts."""
    ways: defaultdict[str, Counter[str]] = defaultdict(Counter)
    regions: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item, region in zip(found.questions, found.continent_labels, strict=True):
        if item.country:
            ways[item.country][item.label] += 1
        if region:
            regions[item.continent][region] += 1
    usual = {place: _usual(names) for place, names in (*ways.items(), *regions.items())}
    rare: dict[int, str] = {}
    contrary: dict[int, str] = {}
    for place, (item, region) in enumerate(zip(found.questions, found.continent_labels, strict=True)):
        if item.country and item.label != usual[item.country]:
            rare[place] = f"country is written '{item.label}', elsewhere '{usual[item.country]}'"
        elif region and item.continent and region != usual[item.continent]:
            rare[place] = f"continent is written '{region}', elsewhere '{usual[item.continent]}'"
        if region and item.continent and continent(region) != item.continent:
            contrary[place] = (
                f"continent '{region}' contradicts the country {item.country}, which is in {item.continent}"
            )
    several = {place: dict(names.most_common()) for place, names in (*ways.items(), *regions.items()) if len(names) > 1}
    shown = "; ".join(
        ", ".join(f"'{name}' {number:,}" for name, number in names.items()) for names in list(several.values())[:4]
    )
    total = len(found.questions)
    findings = [
        judge_share(
            "labels",
            "share of items whose place is written otherwise than for most",
            len(rare),
            total,
            look=0,
            unfit=1,
            sentence=f"{share_words(len(rare), total)} items have a country or continent written otherwise than most"
            + (f" ({shown})" if shown else "")
            + ": grouping by the label as it stands splits a place. Dateline groups by code.",
            facts={"several": several},
        ),
        judge_share(
            "contrary continents",
            "share of items whose continent contradicts the country",
            len(contrary),
            total,
            look=0,
            unfit=UNFIT_CONTRADICTING,
            sentence=f"{share_words(len(contrary), total)} items name a continent that the country does not lie in "
            "(both Americas are one); tables by continent that use it are wrong.",
        ),
    ]
    suspects = [suspect("labels", found, place, why) for place, why in rare.items()]
    return findings, suspects + [suspect("contrary continents", found, place, why) for place, why in contrary.items()]


def _usual(names: Counter[str]) -> str:
    """Returns the commonest way of writing; of equally common ones the longer, which abbreviates less."""
    return max(names, key=lambda name: (names[name], len(name), name))
