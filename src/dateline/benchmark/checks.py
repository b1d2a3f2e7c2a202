"""The checks of a set of multiple-choice questions: each counts something, and says whether that is fit for use.

A check takes a `QuestionSet` and returns findings: a number with its 95% interval, a verdict (fit, look, unfit), one
sentence, and the items that a person should read. No check understands language: options are compared by their words,
and a cue is what a line of code can use.

Guessers, which answer without reading the question as a whole, are judged by how far the lower end of their 95%
interval lies above chance: more than 5 points is a reason to look, more than 10 makes a set unfit, because differences
between models and conditions are of that size. Shares of bad items are judged as they are, each check by two bounds.
"""

from __future__ import annotations

import itertools
import math
import re
import string
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dateline.benchmark.questions import Question, QuestionSet
from dateline.corpus.duplicates.candidates import candidate_pairs, verify
from dateline.corpus.duplicates.clusters import Clusters
from dateline.corpus.duplicates.shingles import Bands
from dateline.corpus.text.words import plain_words
from dateline.errors import UserError
from dateline.places import PAPER_COUNTRIES, continent, country
from dateline.statistics import Estimate, chi_square_uniform, paired_difference, wilson

Verdict = Literal["fit", "look", "unfit"]

LOOK_ABOVE, UNFIT_ABOVE = 0.05, 0.10
"""How far above chance the lower end of a guesser's interval may lie."""
GUESSER_RULE = "look if the lower end of the interval is 5 points above chance, unfit if 10"
WIDE = 0.10
"""Half an interval above which a set is too small to tell models apart."""

MUCH_LONGER = 2.0
"""A gold option that is so many times as long as the longest other one is listed for reading."""
_SMALL = (
    "a an and are as at be by for from had has have in is it its of on or s than that the their this to was were what "
    "when where which who whom whose why with how"
)
SMALL_WORDS = frozenset(_SMALL.split())
"""Words that questions and options share without meaning anything."""

ALIKE = 0.6
"""Jaccard similarity of words and word pairs from which on questions are worded alike: of ten words one may differ."""
LOOK_SAME, UNFIT_SAME = 0.01, 0.05
"""Bounds for the share of items that repeat an earlier one word for word."""
LOOK_ALIKE, UNFIT_ALIKE = 0.02, 0.20
"""For near-duplicates; with a fifth of the items repeated, intervals are 12% too narrow."""
UNFIT_CONTRARY = 0.01
"""For items whose question is asked before, of the same country, with another answer."""

UNFIT_EQUAL = 0.01
LOOK_CONTAINED = 0.05
LOOK_IN_QUESTION, UNFIT_IN_QUESTION = 0.01, 0.05
UNFIT_ABOVE_OPTIONS = 0.05
_ABOVE = re.compile(
    r"(all|none|neither|both|any|most) (of )?(the )?(above|these|those|them|options|answers|choices)( options)?"
    r"|(both )?[a-d] and [a-d]|(all|none) of the other(s| options| answers)"
)

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


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: a number with its 95% interval, a verdict, and one sentence for people."""

    check: str
    measure: str
    """What the number is, such as `accuracy of picking the longest option`."""
    value: float
    low: float
    high: float
    """95% interval (Wilson's); NaN where the number is a count of what is there and not a share."""
    chance: float | None
    """What guessing at random would give; None where that has no meaning."""
    verdict: Verdict
    rule: str
    """When the verdict is look, when it is unfit."""
    sentence: str
    facts: dict[str, Any] = field(default_factory=dict)
    """Further numbers, for machines."""
    items: dict[int, str] = field(default_factory=dict)
    """Questions that a person should read, by their position in the set -> why."""


def judge_guesser(
    check: str,
    measure: str,
    credits: Sequence[float],
    chance: float,
    *,
    sentence: str,
    facts: Mapping[str, Any] | None = None,
    items: Mapping[int, str] | None = None,
) -> Finding:
    """Returns the finding of a guesser.

    Args:
        check: name of the check.
        measure: what the number is.
        credits: probability that the guesser is right, for each item: 1 over the number of tied options.
        chance: mean over items of 1 over the number of options.
        sentence: of the finding.
        facts: of the finding.
        items: of the finding.
    """
    found = credit_share(credits)
    excess = found.low - chance
    verdict: Verdict = "unfit" if excess > UNFIT_ABOVE else "look" if excess > LOOK_ABOVE else "fit"
    numbers = (found.value, found.low, found.high, chance)
    return Finding(check, measure, *numbers, verdict, GUESSER_RULE, sentence, dict(facts or {}), dict(items or {}))


def judge_share(
    check: str,
    measure: str,
    bad: int | Mapping[int, str],
    total: int,
    words: str,
    *,
    look: float,
    unfit: float,
    facts: Mapping[str, Any] | None = None,
    items: Mapping[int, str] | None = None,
) -> Finding:
    """Returns the finding of a check that counts bad items: fit up to `look`, look up to `unfit` (1 for never).

    Args:
        check: name of the check.
        measure: what the number is.
        bad: how many items are bad; or which, and why, where all of them should be read.
        total: all items.
        words: the sentence of the finding, behind `5 of 100 (5.0%) `.
        look: share up to which a set is fit.
        unfit: share above which it is unfit.
        facts: of the finding.
        items: of the finding; None for those of `bad`.
    """
    number = bad if isinstance(bad, int) else len(bad)
    items = items if isinstance(bad, int) else bad
    found = wilson(number, total)
    verdict: Verdict = "unfit" if found.value > unfit else "look" if found.value > look else "fit"
    bounds = [("look", look)] * (look < unfit) + [("unfit", unfit)] * (unfit < 1)
    rule = ", ".join(f"{name} if {f'more than {bound:.0%}' if bound else 'any'}" for name, bound in bounds)
    sentence = f"{share_words(number, total)} {words}"
    return Finding(check, measure, *found[:3], None, verdict, rule, sentence, dict(facts or {}), dict(items or {}))


def credit_share(credits: Sequence[float]) -> Estimate:
    """Returns the expected share of right guesses, with Wilson's interval for the nearest whole number of items.

    The interval is a little too wide where ties are many, never too narrow: a credit between 0 and 1 varies less than
    a guess that is right or wrong.
    """
    total = math.fsum(credits)
    around = wilson(round(total), len(credits))
    return Estimate(total / len(credits), around.low, around.high)


def credit(scores: Sequence[float], answer: int) -> float:
    """Returns the probability that the gold option is picked by its score, ties being broken at random."""
    best = max(scores)
    return 1 / scores.count(best) if scores[answer] == best else 0.0


def chance_of(questions: Sequence[Question]) -> float:
    """Returns the accuracy of guessing at random."""
    return math.fsum(1 / len(question.options) for question in questions) / len(questions)


def share_words(part: int, whole: int) -> str:
    """Returns `780 of 800 (97.5%)`."""
    return f"{part:,} of {whole:,} ({part / whole:.1%})" if whole else "none of none"


def defects(found: QuestionSet) -> Finding:
    """Returns how many items cannot be used as they are; scoring refuses a set that has one."""
    bad = len({problem.where for problem in found.problems})
    first = f", the first at {found.problems[0].where}: {found.problems[0].message}" if bad else ""
    words = f"items cannot be scored as they are{first}."
    return judge_share("defects", "share of items that cannot be scored", bad, found.num_items, words, look=0, unfit=0)


def size(found: QuestionSet) -> Finding:
    """Returns the widest 95% interval that an accuracy on this set can have."""
    number = len(found.questions)
    half = 1.96 * 0.5 / math.sqrt(number)
    return Finding(
        "size",
        "half the 95% interval around an accuracy of 50%",
        half,
        math.nan,
        math.nan,
        None,
        "look" if half > WIDE else "fit",
        f"look if more than {100 * WIDE:.0f} points",
        f"{number:,} questions: an accuracy near 50% is known to within {100 * half:.1f} points either way.",
        {"questions": number},
    )


def position(found: QuestionSet, *, rotated: bool = False) -> Finding:
    """Returns how often the gold answer stands where it stands most often.

    The chi-square test takes the items with the commonest number of options, because only these have the same places.

    Args:
        found: with at least one question.
        rotated: the set is only scored by averaging over all rotations of the options: then `unfit` becomes `look`.
    """
    questions = found.questions
    counts = Counter(question.answer for question in questions)
    best, most = max(counts.items(), key=lambda pair: (pair[1], -pair[0]))
    commonest = Counter(len(question.options) for question in questions).most_common(1)[0][0]
    same = [question.answer for question in questions if len(question.options) == commonest]
    groups: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for question in questions:
        groups[question.group][letter(question.answer)] += 1
    chance = chance_of(questions)
    p_value = chi_square_uniform([same.count(place) for place in range(commonest)])
    p_words = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
    where = f"The gold answer is option {letter(best)} in {share_words(most, len(questions))}"
    finding = judge_guesser(
        "position",
        "accuracy of always picking the commonest place",
        [float(question.answer == best) for question in questions],
        chance,
        sentence=f"{where}; chance is {chance:.1%} (chi-square {p_words}).",
        facts={
            "counts": {letter(place): counts[place] for place in sorted(counts)},
            "commonest": letter(best),
            "chi_square_items": len(same),
            "chi_square_options": commonest,
            "p_value": p_value,
            "by_group": {name: dict(sorted(group.items())) for name, group in sorted(groups.items())},
        },
    )
    if finding.verdict != "fit":
        words = (
            f"{where} where chance is {chance:.1%} (chi-square {p_words}): who always answers {letter(best)} is right "
            "that often. Averaging over all rotations of the options repairs this; scoring in the given order, and "
            "answers that a model writes as a letter, are worthless."
        )
        finding = replace(finding, sentence=words)
    if rotated:
        verdict: Verdict = "look" if finding.verdict == "unfit" else finding.verdict
        finding = replace(finding, verdict=verdict, rule=f"{finding.rule}; with rotation never worse than look")
    return finding


def letter(place: int) -> str:
    """Returns the letter of an option: A for the first."""
    return string.ascii_uppercase[place] if place < len(string.ascii_uppercase) else str(place + 1)


def lengths(found: QuestionSet) -> list[Finding]:
    """Returns how far picking the longest, and the shortest, option gets. Length is in characters."""
    long: dict[int, str] = {}
    for place, item in enumerate(found.questions):
        gold, *others = sorted(range(len(item.options)), key=lambda option: option != item.answer)
        longest = max(len(item.options[option]) for option in others)
        if longest and len(item.options[gold]) >= MUCH_LONGER * longest:
            long[place] = f"the answer has {len(item.options[gold])} characters, the longest other option {longest}"
    return [_extreme(found.questions, "longest", 1, long), _extreme(found.questions, "shortest", -1, {})]


def _extreme(questions: Sequence[Question], name: str, sign: int, items: Mapping[int, str]) -> Finding:
    credits, chances = [], []
    hits = alone = 0
    for item in questions:
        scores = [sign * len(option) for option in item.options]
        credits.append(credit(scores, item.answer))
        if scores.count(max(scores)) == 1:
            alone += 1
            chances.append(1 / len(scores))
            hits += scores[item.answer] == max(scores)
    strict = wilson(hits, alone)
    expected = sum(chances) / alone if alone else 0.0
    chance = chance_of(questions)
    accuracy = sum(credits) / len(credits)
    return judge_guesser(
        name,
        f"accuracy of picking the {name} option",
        credits,
        chance,
        sentence=(
            f"Picking the {name} option is right in {accuracy:.1%} (chance {chance:.1%}); the answer is strictly the "
            f"{name} in {share_words(hits, alone)} of the items that have one, where chance is {expected:.1%}. "
            "Rotating the options does not change this."
        ),
        facts={
            "strict": {"share": strict.value, "low": strict.low, "high": strict.high, "chance": expected},
            "strict_items": alone,
            "strict_hits": hits,
        },
        items=items,
    )


def overlap(found: QuestionSet) -> Finding:
    """Returns how far picking the option with most words of the question gets, small words left out."""
    credits, gold, distractors = [], [], []
    for item in found.questions:
        asked = _content_words(item.question)
        words = [_content_words(option) for option in item.options]
        shares = [len(own & asked) / len(own) if own else 0.0 for own in words]
        credits.append(credit(shares, item.answer))
        gold.append(shares[item.answer])
        distractors.append((sum(shares) - shares[item.answer]) / (len(shares) - 1))
    chance = chance_of(found.questions)
    accuracy = sum(credits) / len(credits)
    more = paired_difference(gold, distractors, [1.0] * len(gold), resamples=1000)
    mean_gold, mean_other = sum(gold) / len(gold), sum(distractors) / len(distractors)
    return judge_guesser(
        "overlap",
        "accuracy of picking the option with most words of the question",
        credits,
        chance,
        sentence=(
            f"Of an answer's words {mean_gold:.1%} stand in the question, of a wrong option's {mean_other:.1%}; "
            f"picking the option that shares most is right in {accuracy:.1%} (chance {chance:.1%}). "
            "Rotating the options does not change this."
        ),
        facts={
            "gold": mean_gold,
            "distractors": mean_other,
            "difference": {"value": more.value, "low": more.low, "high": more.high},
        },
    )


def _content_words(text: str) -> frozenset[str]:
    return frozenset(plain_words(text).split()) - SMALL_WORDS


def repeats(found: QuestionSet) -> list[Finding]:
    """Returns what is asked twice: word for word, nearly, and with contrary answers.

    Near-duplicates are about the same country and have the same answer besides, so that the same question about another
    year, club or office is none. The same fact asked in quite other words is counted and not judged: an answer may
    rightly answer several questions.
    """
    questions = found.questions
    asked = [(item.country or item.label, plain_words(item.question) or item.question) for item in questions]
    gold = [plain_words(item.options[item.answer]) or item.options[item.answer] for item in questions]
    first: dict[tuple[str, str, str], int] = {}
    answered: dict[tuple[str, str], int] = {}
    same: dict[int, str] = {}
    contrary: dict[int, str] = {}
    for place, (key, answer) in enumerate(zip(asked, gold, strict=True)):
        if (earlier := first.setdefault((*key, answer), place)) != place:
            same[place] = f"repeats {_name(found, earlier)}"
        elif (earlier := answered.setdefault(key, place)) != place:
            contrary[place] = f"another answer than {_name(found, earlier)}"
    facts = list(zip((country for country, _ in asked), gold, strict=True))
    codes = np.unique(np.array([f"{country}\n{answer}" for country, answer in facts]), return_inverse=True)[1]
    labels = alike(questions, lambda pairs: pairs[codes[pairs[:, 0]] == codes[pairs[:, 1]]])
    near = {
        place: f"nearly repeats {_name(found, int(label))}"
        for place, label in enumerate(labels)
        if label != place and place not in same
    }
    shared = sum(times - 1 for times in Counter(facts).values())
    total = len(questions)
    return [
        judge_share(
            "duplicates",
            "share of items that repeat an earlier one word for word",
            same,
            total,
            "items repeat question and answer of an earlier one about the same country (case and punctuation aside). "
            "Repeats count twice, and intervals come out too narrow.",
            look=LOOK_SAME,
            unfit=UNFIT_SAME,
        ),
        judge_share(
            "near-duplicates",
            "share of items that nearly repeat an earlier one",
            len(near) + len(same),
            total,
            "items ask nearly or exactly what an earlier one about the same country asks, with the same answer; "
            f"{share_words(shared, total)} have country and answer of an earlier one, however worded. Repeats count "
            "twice, and intervals come out too narrow.",
            look=LOOK_ALIKE,
            unfit=UNFIT_ALIKE,
            facts={"same_country_and_answer": shared, "similarity": ALIKE},
            items=near,
        ),
        judge_share(
            "contrary answers",
            "share of items that ask what an earlier one asks and answer otherwise",
            contrary,
            total,
            "items ask what an earlier one about the same country asks, and have another answer: no model can be right "
            "both times.",
            look=0,
            unfit=UNFIT_CONTRARY,
        ),
    ]


def _name(found: QuestionSet, place: int) -> str:
    return f"{found.questions[place].id} ({found.places[place]})"


def alike(
    questions: Sequence[Question],
    admitted: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]] = lambda pairs: pairs,
) -> npt.NDArray[np.int64]:
    """Returns for each question the first one of its cluster: questions connected by pairs that are worded alike.

    Args:
        questions: any number.
        admitted: returns those of some candidate pairs, [pairs, 2], that may be connected at all.
    """
    shingles = [_shingles(item.question) for item in questions]
    clusters = Clusters(len(questions))
    bands = Bands(ALIKE)
    hashes = bands.band_hashes(shingles)

    def candidates() -> Iterator[npt.NDArray[np.int64]]:
        for pairs in candidate_pairs(lambda band: hashes[:, band], bands.count):
            yield admitted(pairs)

    verify(candidates(), shingles.__getitem__, ALIKE, clusters)
    return clusters.labels()


def _shingles(question: str) -> npt.NDArray[np.uint32]:
    """Returns the sorted different hashes of a question's words and word pairs."""
    words = plain_words(question).split()
    parts = {*words, *(f"{one} {other}" for one, other in itertools.pairwise(words))}
    return np.unique(np.array([zlib.crc32(part.encode()) for part in parts], dtype=np.uint32))


def options(found: QuestionSet) -> list[Finding]:
    """Returns options that are equal, contain one another, stand in the question, or speak of the others.

    Options are compared by their words, not by meaning: `UK` and `Britain` differ.
    """
    equal: dict[int, str] = {}
    contained: dict[int, str] = {}
    in_question: dict[int, str] = {}
    above: dict[int, str] = {}
    wrong_in_question = wrong = with_gold = 0
    for place, item in enumerate(found.questions):
        words = [plain_words(option) or option for option in item.options]
        asked = f" {plain_words(item.question)} "
        if len(set(words)) < len(words):
            equal[place] = "two options have the same words"
        elif pair := containing(words):
            contained[place] = f"'{item.options[pair[0]]}' is part of '{item.options[pair[1]]}'"
            with_gold += item.answer in pair
        standing = [f" {option} " in asked for option in words]
        if standing[item.answer]:
            in_question[place] = f"the answer '{item.options[item.answer]}' stands in the question"
        wrong_in_question += sum(standing) - standing[item.answer]
        wrong += len(words) - 1
        if any(speaks_of_others(option) for option in words):
            above[place] = "an option speaks of the other options"
    total = len(found.questions)
    return [
        judge_share(
            "equal options",
            "share of items with two options of the same words",
            equal,
            total,
            "items have two options of the same words (case and punctuation aside): if one of them is the answer, the "
            "other is counted wrong.",
            look=0,
            unfit=UNFIT_EQUAL,
        ),
        judge_share(
            "options in options",
            "share of items with an option that is part of another",
            contained,
            total,
            f"items have an option whose words are part of another's, in {with_gold:,} of them the answer is one of "
            "the two: both may be defensible.",
            look=LOOK_CONTAINED,
            unfit=1,
            facts={"with_gold": with_gold},
        ),
        judge_share(
            "answer in question",
            "share of items whose question holds the answer",
            in_question,
            total,
            "questions hold their own answer word for word; of the wrong options "
            f"{share_words(wrong_in_question, wrong)} stand in the question.",
            look=LOOK_IN_QUESTION,
            unfit=UNFIT_IN_QUESTION,
            facts={"wrong_options_in_question": wrong_in_question, "wrong_options": wrong},
        ),
        judge_share(
            "all of the above",
            "share of items with an option that speaks of the others",
            above,
            total,
            "items have an option such as 'all of the above', which means something else when options are rotated or "
            "scored one by one.",
            look=0,
            unfit=UNFIT_ABOVE_OPTIONS,
        ),
    ]


def speaks_of_others(words: str) -> bool:
    """Says whether the words of an option are about the other options: `all of the above`, `both A and B`."""
    return bool(_ABOVE.fullmatch(words))


def containing(words: Sequence[str]) -> tuple[int, int] | None:
    """Returns the first pair of options of which one holds all words of the other in a row, the part first."""
    for part, small in enumerate(words):
        for whole, large in enumerate(words):
            if part != whole and f" {small} " in f" {large} ":
                return part, whole
    return None


def labels(found: QuestionSet) -> list[Finding]:
    """Returns items whose country or continent is written in another way than for most, or contradicts."""
    ways: defaultdict[str, Counter[str]] = defaultdict(Counter)
    regions: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item, region in zip(found.questions, found.continent_labels, strict=True):
        if item.country:
            ways[item.country][item.label] += 1
        if region:
            regions[item.continent][region] += 1
    ways |= regions
    # the commonest way of writing; of equally common ones the longer, which abbreviates less
    usual = {place: max(names, key=lambda name: (names[name], len(name), name)) for place, names in ways.items()}
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
    several = {place: dict(names.most_common()) for place, names in ways.items() if len(names) > 1}
    shown = "; ".join(
        ", ".join(f"'{name}' {number:,}" for name, number in names.items()) for names in list(several.values())[:4]
    )
    return [
        judge_share(
            "labels",
            "share of items whose place is written otherwise than for most",
            rare,
            len(found.questions),
            f"items have a country or continent written otherwise than most{f' ({shown})' if shown else ''}: grouping "
            "by the label as it stands splits a place. Dateline groups by code.",
            look=0,
            unfit=1,
            facts={"several": several},
        ),
        judge_share(
            "contrary continents",
            "share of items whose continent contradicts the country",
            contrary,
            len(found.questions),
            "items name a continent that the country does not lie in (both Americas are one); tables by continent that "
            "use it are wrong.",
            look=0,
            unfit=UNFIT_CONTRADICTING,
        ),
    ]


def parse_quota(text: str) -> Mapping[str, int] | str:
    """Returns quotas by country from `us=34,ca=33`, from the name `paper`, or `even` as it is.

    Raises:
        UserError: where a part is no `COUNTRY=NUMBER`, a country is unknown or named twice.

    Example:
        >>> parse_quota("us=34,ca=33")
        {'us': 34, 'ca': 33}
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
    facts: dict[str, Any] = {
        "counts": dict(sorted(counts.items())),
        "of_the_paper": sorted(set(known) & set(PAPER_COUNTRIES)),
        "largest_over_smallest": known[most] / known[least],
    }
    said = f"{len(known)} countries have from {known[least]:,} ({least}) to {known[most]:,} ({most}) items"
    if known[most] == known[least]:
        said = f"{len(known)} countries have {known[least]:,} items each"
    if not quota:
        few = {code: number for code, number in known.items() if number < FEW}
        measure = f"share of items in countries with fewer than {FEW}"
        finding = judge_share("countries", measure, sum(few.values()), total, "", look=0, unfit=1, facts=facts)
        wide = f"Fewer than {FEW} have: {', '.join(sorted(few))}; their intervals are wide. " if few else ""
        none_given = "No quotas were given (--quota even, --quota paper, or --quota us=34,...)."
        return replace(finding, sentence=f"{said}. {wide}{none_given}")
    wanted = dict.fromkeys(known, 1) if isinstance(quota, str) else quota
    scale = total / sum(wanted.values())
    off = {
        code: counts[code] - wanted.get(code, 0) * scale
        for code in sorted({*counts, *wanted})
        if abs(counts[code] - wanted.get(code, 0) * scale) >= 1
    }
    moved = round(sum(abs(difference) for difference in off.values()) / 2)
    listed = ", ".join(f"{code} {difference:+.0f}" for code, difference in list(off.items())[:8])
    ending = f": {listed}{', ...' if len(off) > 8 else ''}." if off else ": the quotas are met."
    finding = judge_share(
        "countries",
        "share of items that would have to change their country to meet the quotas",
        moved,
        total,
        f"stand in the wrong one{ending}",
        look=LOOK_OFF,
        unfit=UNFIT_OFF,
        facts=facts | {"quota": dict(wanted), "scale": scale, "off": off},
    )
    return replace(finding, sentence=f"{said}; {finding.sentence}")
