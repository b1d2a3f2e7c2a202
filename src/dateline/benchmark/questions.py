"""Multiple-choice questions from JSON Lines, JSON (an array, or an object around one) or Parquet.

Whatever the columns are called, an item becomes a `Question` with the answer as an index, or a `Problem`: what is wrong
with which item. None is left out silently: `read_questions` refuses a file that has one bad item, `read_question_set`
returns the problems beside the questions, because an audit must look at broken sets. CSV is not read: it has no lists.

Columns, the first that the file has:

    question   question, question_stem, prompt_question, ctx, query; or an object with `stem` (and `choices`)
    options    options, choices, endings: a list of texts, or of objects with `text` and `label`, an object of letters
               and texts, or one with the lists `text` and `label` (ARC); or a column each: option_a, A,
               prompt_option_a, opa, option1, option_1
    answer     answer_text, answer_letter, answer_number, correct_answer, answer, gold, label, answer_index, answerKey,
               answer_key, cop: the option's text, its label, its letter (`B`, `(b)`, `b)`, `B. Accra`), its index from
               0, or its number from 1
    country    country, target_country: a code or a name
    optional   id, continent, topic, contrast_country, contrast_answer, ambiguous or ambiguity_flag;
               group, generated_by, split_name or split

How answers are written is what fits most items of a file. Where two readings fit as many and mean different options
(options that are letters themselves, `"1"` of three), the file is refused, unless the column's name says which it is:
answer_text, answer_letter, answer_index, answer_number.
"""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Literal, NamedTuple

from dateline.errors import UserError, one_line
from dateline.places import continent, country
from dateline.records import stable_hash

Row = Mapping[str, object]
Form = Literal["text", "label", "letter", "index", "number"]
Kind = Literal["unreadable", "question", "options", "equal options", "answer", "country"]

FORMATS = (".jsonl", ".ndjson", ".json", ".parquet")
COLUMNS = {
    "question": ("question", "question_stem", "prompt_question", "ctx", "query"),
    "options": ("options", "choices", "endings"),
    "answer": (
        *("answer_text", "answer_letter", "answer_number", "correct_answer", "answer", "gold", "label", "answer_index"),
        *("answerKey", "answer_key", "cop"),
    ),
    "country": ("country", "target_country"),
    "continent": ("continent",),
    "id": ("id", "question_id"),
    "topic": ("topic",),
    "group": ("group", "generated_by", "split_name", "split"),
    "contrast_country": ("contrast_country",),
    "contrast_answer": ("contrast_answer",),
    "ambiguous": ("ambiguity_flag", "ambiguous"),
}
"""What a column means -> names it goes by, the best first."""
LETTERED = (
    ("option_{}", string.ascii_lowercase),
    ("{}", string.ascii_uppercase),
    ("prompt_option_{}", string.ascii_lowercase),
    ("op{}", string.ascii_lowercase),
    ("option{}", string.digits[1:]),
    ("option_{}", string.digits[1:]),
)
"""Names of columns with one option each, and what stands for the braces."""
SAID: dict[str, Form] = {
    "answer_text": "text", "answer_letter": "letter", "answer_index": "index", "answer_number": "number",
}  # fmt: skip
"""Column -> how answers in it are written, where more than one reading would do."""
READINGS: dict[Form, str] = {
    "text": "text of an option", "label": "label of an option", "letter": "letter of an option",
    "index": "index of an option", "number": "number of an option",
}  # fmt: skip
_LETTER = re.compile(r"[(\[]?([A-Za-z])(?:[)\].:]{1,2})?(?:\s+(.+))?", re.DOTALL)
SHOWN = 60
"""Characters of a strange value that a message shows."""


@dataclass(frozen=True, slots=True)
class Question:
    """One item: a question about a country, its options, and which of them is right."""

    id: str
    question: str
    options: tuple[str, ...]
    answer: int
    """Index of the gold option."""
    country: str
    """ISO 3166 alpha-2, lower case; empty where unknown."""
    continent: str
    """Of the country; what the file says only where no country is known."""
    label: str
    """The country as the file writes it."""
    contrast_country: str = ""
    """Another country, about which the same question has another answer."""
    contrast_answer: int | None = None
    """Index of the option that is right for the contrast country; None if there is none among the options, or if the
    question is not ambiguous: one that names its place has one answer wherever it is asked."""
    topic: str = ""
    group: str = ""
    """Part of the set: a generator or a split."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an item cannot be used as it is."""

    where: str
    """File and line, or file and row."""
    kind: Kind
    message: str


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Everything that a file holds: what can be asked, and what is wrong with it."""

    path: Path
    num_items: int
    """Lines or rows, those included of which no question could be made."""
    questions: list[Question] = field(default_factory=list)
    """Items with at least two options and an answer among them; other problems they may have."""
    places: list[str] = field(default_factory=list)
    """File and line of each question."""
    continent_labels: list[str] = field(default_factory=list)
    """The continent of each question as the file writes it; empty where it does not."""
    problems: list[Problem] = field(default_factory=list)


class _Columns(NamedTuple):
    """Which columns of a file are read."""

    named: dict[str, str]
    lettered: list[str]
    """Columns with one option each; empty where there is a list of options."""


def read_questions(path: Path | str) -> list[Question]:
    """Returns the questions of a file in its order, every one of them usable.

    Raises:
        UserError: where the file cannot be read or has no such columns, and for the first item with an empty question,
            fewer than two options, equal options, an answer that is none of them, or no known country.

    Example:
        >>> question = read_questions("questions.jsonl")[0]
        >>> question.options, question.answer, question.country
        (('Abuja', 'Accra'), 0, 'ng')
    """
    found = read_question_set(path)
    if found.problems:
        first, more = found.problems[0], len({problem.where for problem in found.problems}) - 1
        others = f" ({more:,} more items have problems)" if more else ""
        raise UserError(f"{first.where}: {first.message}{others}; to see all: dateline audit mcq {found.path}")
    return found.questions


def read_question_set(path: Path | str) -> QuestionSet:
    """Returns what a file holds, problems of single items included.

    How answers are written is decided for the file as a whole, whichever reading fits most items.

    Raises:
        UserError: where the file cannot be read, is empty, has no column for questions, options or answers, or where
            its answers may be read in two ways.
    """
    path = Path(path)
    rows = list(read_rows(path))
    readable = [row for _, row in rows if not isinstance(row, str)]
    if not readable:
        raise UserError(
            f"{path}: holds no questions; give {', '.join(FORMATS)} with question, options, answer, country"
        )
    rows = [(where, row if isinstance(row, str) else _without_stem(row)) for where, row in rows]
    columns = _choose_columns(path, [row for _, row in rows if not isinstance(row, str)])
    form = _answer_form(path, rows, columns)
    result = QuestionSet(path, len(rows))
    taken: Counter[str] = Counter()
    for where, row in rows:
        if isinstance(row, str):
            result.problems.append(Problem(where, "unreadable", row))
            continue
        question, problems = _question(row, columns, form, taken)
        result.problems.extend(Problem(where, kind, message) for kind, message in problems)
        if question is not None:
            result.questions.append(question)
            result.places.append(where)
            result.continent_labels.append(_text(row.get(columns.named.get("continent", ""))))
    return result


def questions_fingerprint(questions: Sequence[Question]) -> str:
    """Returns 16 hex digits of everything that is asked, whatever the format of the file."""
    return f"{stable_hash(*(repr(question) for question in questions)):016x}"


def _without_stem(row: Row) -> Row:
    """Returns a row whose question is no object: `{"question": {"stem": ..., "choices": [...]}}` is laid out flat."""
    held = row.get("question")
    return {**row, **held, "question": held["stem"]} if isinstance(held, dict) and "stem" in held else row


def _choose_columns(path: Path, rows: Sequence[Row]) -> _Columns:
    present = {name: None for row in rows for name in row}
    named = {
        meaning: next(name for name in names if name in present)
        for meaning, names in COLUMNS.items()
        if any(name in present for name in names)
    }
    lettered = [] if "options" in named else _lettered(list(present))
    for meaning in ("question", "options", "answer"):
        if meaning not in named and not (meaning == "options" and len(lettered) > 1):
            raise UserError(
                f"{path}: has no column for the {meaning}; name it {' or '.join(COLUMNS[meaning])} "
                f"(it has: {one_line(', '.join(list(present)[:20]))})"
            )
    return _Columns(named, lettered)


def _lettered(names: Sequence[str]) -> list[str]:
    """Returns the columns `option_a`, `option_b`, ... or `A`, `B`, ..., as far as they go without a gap."""
    for pattern, letters in LETTERED:
        wanted = [pattern.format(letter) for letter in letters]
        length = next((place for place, name in enumerate(wanted) if name not in names), len(wanted))
        if length > 1:
            return wanted[:length]
    return []


def _options(row: Row, columns: _Columns) -> tuple[str, ...]:
    if columns.lettered:
        texts = [_text(row.get(name)) for name in columns.lettered]
        while texts and not texts[-1]:
            texts.pop()  # items of one file may have three options or four
        return tuple(texts)
    found = row.get(columns.named["options"])
    if isinstance(found, dict):
        found = found["text"] if isinstance(found.get("text"), list) else list(found.values())
    if not isinstance(found, list):
        return ()
    return tuple(_text(option.get("text") if isinstance(option, dict) else option) for option in found)


def _labels(row: Row, columns: _Columns) -> tuple[str, ...]:
    """Returns what an item calls its options, or nothing where it has no names for them."""
    found = None if columns.lettered else row.get(columns.named["options"])
    if isinstance(found, dict):
        return tuple(map(_text, found["label"] if isinstance(found.get("label"), list) else found))
    if isinstance(found, list) and found and all(isinstance(option, dict) and "label" in option for option in found):
        return tuple(_text(option["label"]) for option in found)
    return ()


def _answer_form(path: Path, rows: Sequence[tuple[str, Row | str]], columns: _Columns) -> Form:
    """Returns how the answers of a file are written: what fits most items.

    Raises:
        UserError: where two readings fit as many items and disagree on one.
    """
    column = columns.named["answer"]
    fits: Counter[Form] = Counter()
    apart: dict[tuple[Form, Form], str] = {}
    for where, row in rows:
        if isinstance(row, str):
            continue
        read = {form: place for form in READINGS if (place := _answer_index(row, columns, column, form)) is not None}
        fits.update(read.keys())
        for one, other in combinations(read, 2):
            if read[one] != read[other]:
                said = f"{where}: '{_short(_text(row.get(column)))}' as {READINGS[one]} is option {read[one] + 1}, as "
                apart.setdefault((one, other), f"{said}{READINGS[other]} option {read[other] + 1}")
    most = max(fits.values(), default=0)
    best = [form for form in READINGS if fits[form] == most]
    if (said_form := SAID.get(column)) in best:
        return said_form
    if "label" in best and most:
        return "label"
    whole = all(isinstance(row, str) or isinstance(row.get(column), int) for _, row in rows)
    if whole and "index" in best:
        best = [form for form in best if form != "number"]  # of whole numbers the count from 0 is usual
    for pair in combinations(best, 2):
        if pair in apart:
            ways = " or ".join(name for name, form in SAID.items() if form in pair)
            raise UserError(f"{apart[pair]}; rename the column '{column}' of {path} to {ways}")
    return best[0]


def _answer_index(row: Row, columns: _Columns, column: str, form: Form) -> int | None:
    """Returns which option the answer in a column names, or None."""
    answer, options = row.get(column), _options(row, columns)
    text = _text(answer)
    place = -1
    if form == "text":
        place = options.index(text) if text and text in options else -1
    elif form == "label":
        labels = _labels(row, columns)
        place = labels.index(text) if text in labels and len(labels) == len(options) else -1
    elif form == "letter":
        if found := _LETTER.fullmatch(text):
            place = string.ascii_uppercase.find(found[1].upper())
            if found[2] and place < len(options) and options[place] != found[2]:
                place = -1
    elif not isinstance(answer, bool | float) and text.isascii() and text.isdecimal() and len(text) < 4:
        place = int(text) - (form == "number")
    return place if 0 <= place < len(options) else None


def _question(
    row: Row, columns: _Columns, form: Form, taken: Counter[str]
) -> tuple[Question | None, list[tuple[Kind, str]]]:
    """Returns an item as a question (None where it cannot be asked) and what is wrong with it."""
    text = {meaning: _text(row.get(name)) for meaning, name in columns.named.items()}
    options = _options(row, columns)
    given = row.get(columns.named["answer"])
    answer = _answer_index(row, columns, columns.named["answer"], form)
    label = text.get("country", "")
    place = country(label)
    problems: list[tuple[Kind, str]] = []
    if not text["question"]:
        problems.append(("question", "the question is empty; write one"))
    if len(options) < 2:
        problems.append(("options", f"has {len(options)} options; an item needs two or more"))
    elif not all(options):
        problems.append(("options", "an option is empty; write it or leave it out"))
    elif twice := [option for option, times in Counter(options).items() if times > 1]:
        problems.append(("equal options", f"two options are equal, '{_short(twice[0])}'; make them differ"))
    if answer is None and len(options) > 1:
        what = "none of the options" if form == "text" else f"no {READINGS[form]}"
        problems.append(("answer", f"the answer '{_short(_text(given))}' is {what}; write one that is"))
    if place is None:
        what_is = f"'{_short(label)}' is no known country" if label else "has no country"
        problems.append(("country", f"{what_is}; write a code such as ng, or a name"))
    if answer is None or len(options) < 2:
        return None, problems
    contrast = country(text.get("contrast_country", ""))
    ambiguous = text.get("ambiguous", "true").lower() not in ("false", "0", "no", "")
    contrasted = columns.named.get("contrast_answer", "")
    other = _answer_index(row, columns, contrasted, form) if ambiguous and contrasted else None
    if contrast is None or place is None or contrast.alpha2 == place.alpha2 or other == answer:
        other = None
    question = Question(
        id=_unique(text.get("id") or f"{stable_hash('question', text['question'], *options):016x}", taken),
        question=text["question"],
        options=options,
        answer=answer,
        country=place.alpha2 if place else "",
        continent=place.continent if place else continent(text.get("continent", "")),
        label=label,
        contrast_country=contrast.alpha2 if contrast else "",
        contrast_answer=other,
        topic=text.get("topic", ""),
        group=text.get("group", ""),
    )
    return question, problems


def _unique(name: str, taken: Counter[str]) -> str:
    """Returns a name that no earlier item has: of equal ones the second gets `-2`, and so on."""
    taken[name] += 1
    if taken[name] == 1:
        return name
    return _unique(f"{name}-{taken[name]}", taken)


def _text(value: object) -> str:
    """Returns a value as text without blanks around it; nothing stays nothing."""
    return "" if value is None else str(value).strip()


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def read_rows(
    path: Path, *, what: str = "questions", columns: str = "question, options, answer and country"
) -> Iterator[tuple[str, Row | str]]:
    """Yields for each item where it stands (`file.jsonl:3`), and its columns or what is wrong with it.

    Args:
        path: JSON Lines, JSON or Parquet.
        what: the items are, in messages.
        columns: that they have, in messages.

    Raises:
        UserError: where the file is missing, of another format, or damaged as a whole.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: not a known format; {what} are read from {', '.join(FORMATS)}")
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a file with {columns}")
    if path.suffix.lower() == ".parquet":
        yield from _parquet_rows(path)
        return
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if path.suffix.lower() == ".json":
        for number, item in enumerate(_items(path, _load(content)), 1):
            yield f"{path}, item {number}", item if isinstance(item, dict) else "is not a JSON object"
        return
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            item = _load(line)
            yield f"{path}:{number}", item if isinstance(item, dict) else "is not a JSON object in UTF-8"


def _items(path: Path, loaded: object) -> list[object]:
    """Returns the one list that a JSON file is, or holds."""
    held = list(loaded.values()) if isinstance(loaded, dict) else [loaded]
    lists = [value for value in held if isinstance(value, list)]
    if len(lists) != 1:
        raise UserError(f"{path}: neither a JSON array of items nor an object around one; is it JSON Lines (.jsonl)?")
    return lists[0]


def _parquet_rows(path: Path) -> Iterator[tuple[str, Row | str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
    yield from ((f"{path}, row {number}", row) for number, row in enumerate(rows, 1))


def _load(content: bytes) -> object:
    """Returns what JSON says, or None where it is none."""
    try:
        loaded: object = json.loads(content.decode("utf-8"))
        json.dumps(loaded, ensure_ascii=False).encode("utf-8")  # halves of characters (\\ud800) cannot be stored
    except (ValueError, RecursionError):
        return None
    return loaded
