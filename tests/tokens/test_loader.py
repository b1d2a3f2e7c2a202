from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.conditions import DEFAULT_FIELDS, render
from dateline.errors import UserError
from dateline.tokens.loader import Loader
from dateline.tokens.mix import Mix


def reconstructed(rows):
    """Document -> its pieces in order."""
    pieces = defaultdict(list)
    for row in rows:
        for piece in row:
            pieces[piece.document].append(piece)
    return {document: sorted(found, key=lambda piece: piece.start) for document, found in pieces.items()}


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@given(
    st.integers(16, 300),
    st.sampled_from([1, 4, 1000]),
    st.integers(0, 10**6),
    st.sampled_from([(), DEFAULT_FIELDS, ("url",), ("country", "date")]),
    st.sampled_from([0.0, 0.4, 1.0]),
)
@settings(deadline=None, max_examples=25)
def test_an_epoch_teaches_every_body_token_once_behind_its_own_prefix(
    make_loader, reader, encoded, length, window_rows, seed, fields, dropout
):
    loader = make_loader(length=length, window_rows=window_rows, seed=seed, fields=fields, dropout=dropout)
    found = reconstructed(reader.run(loader))
    assert sorted(found) == encoded.select("train").tolist()
    for document, pieces in found.items():
        assert [token for piece in pieces for token in piece.body] == encoded.tokens(document).tolist()
        assert [piece.ends for piece in pieces] == [False] * (len(pieces) - 1) + [True]
        text = render(encoded.metadata(document), fields).encode()[: length // 2].decode(errors="replace")
        assert len({piece.prefix for piece in pieces}) == 1
        assert pieces[0].prefix in {0.0: {text}, 1.0: {""}}.get(dropout, {text, ""})


def test_no_row_is_without_a_prefix_and_not_all_have_one_under_dropout(make_loader, reader, encoded):
    for dropout, expected in ((0.5, {True, False}), (0.0, {True})):
        loader = make_loader(dropout=dropout, mix=Mix(weights="natural", exclude=("",)))
        assert {bool(piece.prefix) for row in reader.run(loader) for piece in row} == expected


def test_plain_and_conditioned_runs_read_the_same_body_tokens(make_loader, reader, encoded):
    bodies = []
    for fields in ((), DEFAULT_FIELDS):
        loader = make_loader(fields=fields, dropout=0, epochs=1.7, mix=Mix(exclude=("",)))
        rows = reader.run(loader)
        counts = defaultdict(int)
        for row in rows:
            for piece in row:
                for at in range(piece.start, piece.start + len(piece.body)):
                    counts[piece.document, at] += 1
        bodies.append(counts)
        batches = list(loader.batches())
        assert sum(batch.num_body_tokens for batch in batches) == sum(counts.values())
    assert bodies[0] == bodies[1]


def test_names_of_special_tokens_in_an_article_come_back_as_written(make_loader, reader, encoded, tokenizer, bodies):
    found = reconstructed(reader.run(make_loader()))
    quoting = [document for document in found if "<eos>" in bodies[encoded.ids[document]]]
    assert len(quoting) > 5
    for document in quoting:
        tokens = [token for piece in found[document] for token in piece.body]
        assert tokenizer.decode(tokens) == bodies[encoded.ids[document]]


@given(st.data())
@settings(deadline=None, max_examples=25)
def test_a_batch_is_a_function_of_its_number(make_loader, data):
    values = {
        "seed": data.draw(st.integers(0, 99)),
        "dropout": 0.3,
        "window_rows": data.draw(st.integers(1, 6)),
        "mix": data.draw(st.sampled_from([Mix(exclude=("",)), Mix(weights="natural")])),
        "rows_per_batch": data.draw(st.integers(1, 7)),
        **data.draw(st.sampled_from([{"epochs": 1.3}, {"num_rows": 61}])),
        "cooldown": data.draw(st.sampled_from([0.0, 0.25])),
    }
    loader = make_loader(**values)
    batches = list(loader.batches())
    total = loader.num_batches()
    assert len(batches) == total
    start = data.draw(st.integers(0, total))
    resumed = list(make_loader(**values).batches(start))
    assert len(resumed) == total - start
    assert all(same(one, other) for one, other in zip(batches[start:], resumed, strict=True))
    other = make_loader(**values)
    for number in data.draw(st.permutations(range(total)))[:6]:
        assert same(other.batch(number), batches[number])
        assert same(loader.batch(number), batches[number])


def test_readers_of_one_loader_do_not_disturb_each_other(make_loader):
    loader, alone = (
        make_loader(num_rows=90, window_rows=1, dropout=0.3),
        make_loader(num_rows=90, window_rows=1, dropout=0.3),
    )
    expected = list(alone.batches())
    for one, other, late in zip(loader.batches(), loader.batches(), loader.batches(0), strict=True):
        assert same(one, other)
        assert same(one, late)
        assert same(one, expected.pop(0))


def test_a_reader_may_stop_early(make_loader):
    reading = make_loader().batches()
    first = next(reading)
    reading.close()
    assert same(first, make_loader().batch(0))


def test_seeds_give_different_runs(make_loader):
    first = [make_loader(seed=seed).batch(0).input_ids.tolist() for seed in range(4)]
    assert all(one != other for i, one in enumerate(first) for other in first[:i])


@pytest.mark.parametrize("values", [{"epochs": 1}, {"num_rows": 10}])
def test_batches_are_their_rows_and_the_last_may_be_short(make_loader, values):
    loader = make_loader(rows_per_batch=4, **values)
    total = loader.plan.num_rows()
    number = 0
    for batch in loader.batches():
        rows = [loader.row(number + offset) for offset in range(min(4, total - number))]
        number += len(rows)
        for name in ("input_ids", "labels", "position_ids"):
            array = getattr(batch, name)
            assert array.dtype == np.int64
            assert array.tolist() == [getattr(row, name).tolist() for row in rows]
        assert batch.segment_lengths.tolist() == [length for row in rows for length in row.segment_lengths]
        assert batch.num_tokens == sum(row.num_tokens for row in rows)
        assert batch.num_body_tokens == sum(row.num_body_tokens for row in rows)
    assert number == total
    assert loader.num_batches() == -(-total // 4)


def test_arrays_belong_to_the_caller(make_loader):
    loader = make_loader()
    loader.batch(0).input_ids[:] = -7
    assert (loader.batch(0).input_ids >= 0).all()


def test_a_run_in_rows_goes_on_for_as_long_as_it_is_asked(make_loader, reader):
    loader = make_loader(num_rows=300, mix=Mix(exclude=("",)))
    rows = reader.run(loader)
    assert len(rows) == 300
    repeats = loader.plan.stream.repeats(sum(len(piece.body) for row in rows for piece in row))
    assert max(repeats.values()) > 2


def test_a_row_of_padding_tokens_has_no_label_even_where_padding_is_eos(make_plan):
    from dateline.tokens.loader import IGNORED

    loader = Loader(make_plan(), bos=1, eos=1, pad=1, rows_per_batch=1)
    row = next(row for row in map(loader.row, range(loader.plan.num_rows())) if row.num_tokens < len(row.input_ids))
    assert (row.input_ids[row.num_tokens :] == 1).all()
    assert (row.labels[row.num_tokens - 1 :] == IGNORED).all()


def test_documents_without_a_place_get_no_share_of_their_own(make_loader):
    with pytest.raises(UserError, match="training documents have no continent and would form a group of their own"):
        make_loader(mix=Mix())


# Several processes


@given(st.data())
@settings(deadline=None, max_examples=20)
def test_processes_together_read_what_one_reads(make_loader, data):
    """Global batch k is the same rows in the order of micro-batches and ranks, bit by bit, for 1 to 4 processes."""
    num_ranks, micro_rows = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    values = {
        "seed": data.draw(st.integers(0, 99)),
        "dropout": 0.3,
        "window_rows": data.draw(st.integers(1, 6)),
        **data.draw(st.sampled_from([{"epochs": 1.3}, {"num_rows": 48}])),
    }
    one = make_loader(rows_per_batch=1, **values)
    plan = one.plan
    ranks = [
        Loader(plan, bos=one.bos, eos=one.eos, pad=one.pad, rows_per_batch=micro_rows, rank=rank, num_ranks=num_ranks)
        for rank in range(num_ranks)
    ]
    assert len({loader.num_batches() for loader in ranks}) == 1
    read = 0
    for parts in zip(*(loader.batches() for loader in ranks), strict=True):
        for part in parts:
            assert len(part.input_ids) == max(1, part.num_rows)
            for row in range(part.num_rows):
                alone = one.batch(read)
                for name in ("input_ids", "labels", "position_ids"):
                    assert np.array_equal(getattr(part, name)[row], getattr(alone, name)[0])
                read += 1
            if not part.num_rows:
                assert (part.labels == -100).all()
                assert (part.num_tokens, part.num_body_tokens, int(part.group_tokens.sum())) == (0, 0, 0)
                assert part.segment_lengths.tolist() == [96]
    assert read == plan.num_rows()


def test_groups_share_the_body_tokens_of_a_batch(make_loader, encoded):
    loader = make_loader(mix=Mix(exclude=("",)), num_rows=12)
    assert loader.groups == ("Africa", "Asia", "Europe", "Oceania")
    for batch in loader.batches():
        assert int(batch.group_tokens.sum()) == batch.num_body_tokens
    document = {encoded.ids[index]: str(encoded.continents[index]) for index in encoded.select("train")}
    assert set(document.values()) - {""} == set(loader.groups)


def test_a_file_that_vanishes_or_shrinks_is_named(make_loader, encoded, tmp_path, monkeypatch):
    import shutil

    loader = make_loader()
    copy = tmp_path / "encoded"
    shutil.copytree(encoded.folder, copy)
    monkeypatch.setattr(loader, "_files", {path: path.stat().st_size for path in copy.glob("data-*.arrow")})
    loader.batch(0)
    path = copy / "data-00000.arrow"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UserError, match=r"data-00000\.arrow: had [\d,]+ bytes when the run began, now [\d,]+; put it"):
        loader.batch(0)
    path.unlink()
    with pytest.raises(UserError, match=r"data-00000\.arrow: gone while it was read \(No such file or directory\)"):
        loader.batch(1)
