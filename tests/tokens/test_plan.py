from itertools import pairwise

import numpy as np
import pytest

from dateline.conditions import DEFAULT_FIELDS, Conditioning, render
from dateline.config import validate_recipe
from dateline.errors import UserError
from dateline.tokens.mix import Mix, select_training
from dateline.tokens.plan import Packing, PrefixTable


def shown(plan, number):
    """For each row of a window, the prefix numbers of its documents."""
    (chunks, order, offsets), _, prefixes = plan.window(number)
    return [set(prefixes[chunks.document[order[a:b]]].tolist()) for a, b in pairwise(offsets)]


def windows(plan):
    return range(plan.locate(plan.num_rows() - 1)[0] + 1)


def test_prefixes_are_tokenized_once_and_capped(tokenizer):
    table = PrefixTable(tokenizer, max_tokens=10)
    numbers = [table.number(text) for text in ("", "URL: a.ng\n", "", "URL: abc.ng\n", "URL: a.ng\n")]
    assert numbers == [0, 1, 0, 2, 1]
    assert [len(tokens) for tokens in table.tokens] == [0, 10, 10]
    assert tokenizer.decode(table.tokens[2]) == "URL: abc.n"
    assert table.num_capped == 1


def test_a_prefix_that_names_a_special_token_means_its_characters(tokenizer):
    table = PrefixTable(tokenizer, max_tokens=100)
    text = "URL: https://a.ng/<eos><bos>\n\n"
    assert len(table.tokens[table.number(text)]) == len(text)


def test_the_length_of_a_run_is_given_in_one_way(make_plan, encoded):
    with pytest.raises(UserError, match=r"^give the length of a run in one of epochs, steps and body tokens$"):
        make_plan(epochs=1, num_rows=1)
    assert make_plan(num_rows=17).num_rows() == 17
    assert make_plan(epochs=1).num_rows() > 17


def test_a_length_in_body_tokens_is_the_same_for_all_mixes_and_a_region_budget_is_its_share(make_plan, encoded):
    total, longest = encoded.lengths.sum() // 2, encoded.lengths.max()
    natural, local = Mix(weights="natural"), Mix(weights="natural", include=("Africa",))

    def tokens(**options):
        plan = make_plan(**options)
        plan.num_rows()
        return sum(int(encoded.lengths[plan.window(number).documents].sum()) for number in windows(plan))

    share = encoded.lengths[select_training(encoded, local)].sum() / encoded.lengths[encoded.select("train")].sum()
    assert 0 <= tokens(mix=natural, body_tokens=int(total)) - total < longest
    assert 0 <= tokens(mix=local, body_tokens=int(total)) - total < longest
    read = tokens(mix=local, body_tokens=int(total), region_only=True)
    assert 0 <= read - round(total * share) < longest
    assert make_plan(mix=local, num_rows=100, region_only=True).num_rows() == round(100 * share)


@pytest.mark.parametrize("epochs", [0.3, 1, 2.5])
@pytest.mark.parametrize("window_rows", [1, 5, 1000])
def test_epochs_count_body_tokens_whatever_the_window(make_plan, encoded, epochs, window_rows):
    plan = make_plan(epochs=epochs, window_rows=window_rows)
    assert plan.num_rows() == sum(plan.window(number).rows.num_rows for number in windows(plan))
    read = np.concatenate([plan.window(number).documents for number in windows(plan)])
    tokens = int(encoded.lengths[read].sum())
    longest = int(encoded.lengths.max())
    assert 0 <= tokens - epochs * plan.stream.epoch_tokens < (longest if epochs % 1 else 1)


def test_documents_of_a_run_do_not_depend_on_what_they_are_told(make_plan):
    plans = [make_plan(fields=fields, dropout=dropout) for fields, dropout in (((), 0), (DEFAULT_FIELDS, 0.5))]
    chosen = [[plan.window(number).documents.tolist() for number in windows(plan)] for plan in plans]
    assert chosen[0] == chosen[1]


def test_each_document_gets_the_prefix_of_its_own_place(make_plan, encoded, tokenizer):
    plan = make_plan(dropout=0, epochs=1)
    for number in windows(plan):
        _, documents, prefixes = plan.window(number)
        for document, prefix in zip(documents, prefixes, strict=True):
            text = render(encoded.metadata(int(document)), DEFAULT_FIELDS)
            assert tokenizer.decode(plan.prefixes.tokens[prefix]) == text[:48]  # half of a row of 96


@pytest.mark.parametrize("field", ["url", "url_hash", "date"])
def test_other_fields_reach_the_prefix(make_plan, encoded, tokenizer, field):
    plan = make_plan(fields=(field,), dropout=0, length=256)
    _, documents, prefixes = plan.window(0)
    for document, prefix in zip(documents, prefixes, strict=True):
        text = render(encoded.metadata(int(document)), (field,))
        assert tokenizer.decode(plan.prefixes.tokens[prefix]) == text


def test_a_dropped_field_leaves_its_line_out(make_plan, encoded, tokenizer):
    plan = make_plan(fields=("country", "continent"), dropout=0, field_dropout={"country": 1.0})
    _, documents, prefixes = plan.window(0)
    for document, prefix in zip(documents, prefixes, strict=True):
        text = render(encoded.metadata(int(document)), ("continent",))
        assert tokenizer.decode(plan.prefixes.tokens[prefix]) == text


def test_the_prefix_may_change_with_the_epoch(make_plan):
    plan = make_plan(dropout=0.5, epochs=6)
    seen = {}
    for number in windows(plan):
        _, documents, prefixes = plan.window(number)
        for document, prefix in zip(documents.tolist(), prefixes.tolist(), strict=True):
            seen.setdefault(document, []).append(prefix == 0)
    dropped = np.array([sum(times) for document, times in seen.items() if len(set(times)) > 0])
    assert {len(times) for times in seen.values()} == {6}
    assert ((dropped > 0) & (dropped < 6)).any()


@pytest.mark.parametrize("window_rows", [2, 7, 1000])
@pytest.mark.parametrize("weights", ["natural", "equal"])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_last_share_of_the_tokens_shows_no_prefix_however_large_the_windows_are(
    make_plan, encoded, window_rows, weights, share
):
    mix = Mix(weights=weights, exclude=("",))
    plan = make_plan(dropout=0, cooldown=share, window_rows=window_rows, mix=mix, epochs=3)
    order = []
    for number in windows(plan):
        _, documents, prefixes = plan.window(number)
        assert len(set((prefixes == 0).tolist())) <= 1
        order += [
            (bool(prefix == 0), int(encoded.lengths[document]))
            for document, prefix in zip(documents, prefixes, strict=True)
        ]
    cold = [is_cold for is_cold, _ in order]
    assert cold == sorted(cold), "once without prefixes, always without"
    tokens = sum(length for _, length in order)
    cooled = sum(length for is_cold, length in order if is_cold)
    assert abs(cooled - share * tokens) <= len(plan.stream.groups) * encoded.lengths.max()
    without = make_plan(dropout=0, window_rows=window_rows, mix=mix, epochs=3)
    assert sorted(length for _, length in order) == sorted(
        int(encoded.lengths[document]) for number in windows(without) for document in without.window(number).documents
    ), "what is read does not depend on the cooldown"


@pytest.mark.parametrize("window_rows", [2, 7, 1000])
@pytest.mark.parametrize("weights", ["natural", "equal"])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_last_share_of_the_rows_shows_no_prefix_however_large_the_windows_are(
    make_plan, encoded, window_rows, weights, share
):
    mix = Mix(weights=weights, exclude=("",))
    plan = make_plan(dropout=0, cooldown=share, window_rows=window_rows, mix=mix, num_rows=300)
    rows = [row for number in windows(plan) for row in shown(plan, number)][:300]
    assert all(row == {0} or 0 not in row for row in rows), "no row is half cooled down"
    cold = [row == {0} for row in rows]
    assert cold == sorted(cold)
    rows_of_a_document = -(-encoded.lengths.max() // (96 - 1 - 48))
    assert 0 <= sum(cold) - share * 300 <= rows_of_a_document, "at most one document early, never late"


def test_cooldown_of_everything_and_of_nothing(make_plan):
    for length in ({"epochs": 1}, {"num_rows": 40}):
        plan = make_plan(dropout=0, cooldown=1, **length)
        assert all(row == {0} for number in windows(plan) for row in shown(plan, number))
        plan = make_plan(dropout=0, mix=Mix(exclude=("",)), **length)
        assert all(0 not in row for number in windows(plan) for row in shown(plan, number))


@pytest.mark.parametrize("length", [{"epochs": 2}, {"num_rows": 120}])
def test_a_window_is_the_same_whenever_it_is_asked_for(make_plan, length):
    values = {"dropout": 0.3, "cooldown": 0.2, "window_rows": 3, **length}
    forward, backward = make_plan(**values), make_plan(**values)
    numbers = list(windows(forward))

    def content(plan, number):
        rows, documents, prefixes = plan.window(number)
        texts = [plan.prefixes.tokens[prefix].tolist() for prefix in prefixes]
        return [array.tolist() for array in (*rows.chunks, *rows[1:], documents)], texts

    late = {number: content(backward, number) for number in reversed(numbers)}
    assert late == {number: content(forward, number) for number in numbers}
    assert [backward.locate(row) for row in (30, 3)] == [forward.locate(row) for row in (30, 3)]


def test_rows_of_a_window_are_spread_and_not_sorted_by_length(make_plan):
    rows, _, _ = make_plan(window_rows=1000).window(0)
    counts = np.diff(rows.offsets)
    assert counts.max() > 1
    assert counts.tolist() != sorted(counts.tolist())


def test_sections_refuse_what_cannot_be_planned():
    with pytest.raises(UserError, match=r"sequence_length: must be greater than or equal to 16 \(given: 8\)"):
        validate_recipe(Packing, {"sequence_length": 8})
    with pytest.raises(UserError, match=r"window_rows: must be greater than or equal to 1 \(given: 0\)"):
        validate_recipe(Packing, {"window_rows": 0})
    assert Conditioning().cooldown == 0
