import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.config import validate_recipe
from dateline.errors import UserError
from dateline.evaluate.protocol import Protocol

BOS = 1


def ids(number):
    return [f"{i:016x}" for i in range(number)]


def tokens(number, start=100):
    return np.arange(start, start + number, dtype=np.int32)


@settings(deadline=None)  # the first call imports torch
@given(body=st.integers(0, 300), prefix=st.integers(0, 6), window=st.integers(8, 60))
def test_strict_scores_every_body_token_once_in_chunks_that_no_prefix_moves(body, prefix, window):
    protocol = Protocol(window=window, prefix_room=6)
    segments = protocol.segments(BOS, tokens(prefix, 10), tokens(body))
    scored = [segment.input_ids[-segment.num_scored :] for segment in segments]
    plain = [segment.input_ids[1:] for segment in protocol.segments(BOS, tokens(0), tokens(body))]
    assert [list(chunk) for chunk in scored] == [list(chunk) for chunk in plain]
    assert [token for chunk in scored for token in chunk] == list(tokens(body))
    for segment in segments:
        assert segment.input_ids[0] == BOS
        assert list(segment.input_ids[1 : 1 + prefix]) == list(tokens(prefix, 10))
        assert len(segment.input_ids) == 1 + prefix + segment.num_scored <= window


def test_paper_truncates_to_1024_tokens_with_the_prefix_inside():
    protocol = Protocol(name="paper")
    (segment,) = protocol.segments(BOS, tokens(23, 10), tokens(3000))
    assert len(segment.input_ids) == 1024
    assert segment.num_scored == 1000
    assert list(segment.input_ids[:3]) == [BOS, 10, 11]
    assert list(segment.input_ids[24:]) == list(range(100, 1100))
    (plain,) = protocol.segments(BOS, tokens(0), tokens(3000))
    assert plain.num_scored == 1023
    (short,) = protocol.segments(BOS, tokens(23, 10), tokens(5))
    assert list(short.input_ids) == [BOS, *range(10, 33), *range(100, 105)]


def test_fingerprint_is_frozen_and_only_depends_on_what_the_protocol_uses():
    assert Protocol().fingerprint() == Protocol().fingerprint()
    assert Protocol().fingerprint().startswith("strict-")
    assert len(Protocol().fingerprint()) == len("strict-1a2b3c4d")
    assert Protocol(truncation=512).fingerprint() == Protocol().fingerprint()
    assert Protocol(window=512).fingerprint() != Protocol().fingerprint()
    assert Protocol(name="paper", window=512).fingerprint() == Protocol(name="paper").fingerprint()
    assert Protocol(name="paper", truncation=512).fingerprint() != Protocol(name="paper").fingerprint()
    assert Protocol(num_documents=5).fingerprint() != Protocol().fingerprint()
    assert Protocol(group="country").fingerprint() == Protocol().fingerprint()
    assert Protocol(group="country", per_group=3).fingerprint() != Protocol(per_group=3).fingerprint()


def test_published_fingerprints_never_change():
    assert Protocol().fingerprint() == "strict-a2ee2973"
    assert Protocol(name="paper", num_documents=1000).fingerprint() == "paper-a2346f62"


def test_sample_does_not_depend_on_order_and_grows_by_adding():
    names = ids(200)
    small = {names[i] for i in Protocol(num_documents=20).sample(names)}
    large = {names[i] for i in Protocol(num_documents=50).sample(names)}
    backwards = names[::-1]
    assert {backwards[i] for i in Protocol(num_documents=20).sample(backwards)} == small
    assert small < large
    assert len(small) == 20
    assert {names[i] for i in Protocol(num_documents=20, seed=1).sample(names)} != small
    assert list(Protocol().sample(names)) == list(range(200))
    assert list(Protocol(num_documents=999).sample(names)) == list(range(200))


def test_sample_caps_each_group():
    groups = ["Africa"] * 150 + ["Asia"] * 40 + ["Europe"] * 10
    chosen = Protocol(per_group=30).sample(ids(200), groups)
    counted = {name: sum(groups[i] == name for i in chosen) for name in ("Africa", "Asia", "Europe")}
    assert counted == {"Africa": 30, "Asia": 30, "Europe": 10}
    assert list(chosen) == sorted(chosen)
    assert len(Protocol(per_group=30, num_documents=25).sample(ids(200), groups)) == 25


def test_too_long_a_prefix_names_the_room_that_is_needed():
    with pytest.raises(UserError, match=r"has 65 tokens, the protocol reserves 64; set protocol.prefix_room to 65"):
        Protocol().segments(BOS, tokens(65), tokens(5))
    with pytest.raises(UserError, match=r"set protocol.truncation to 1025"):
        Protocol(name="paper").check_prefix(1023, "document x")


def test_too_long_a_window_names_the_largest_that_works():
    Protocol().check_positions(2048, "m")
    Protocol().check_positions(None, "m")
    with pytest.raises(UserError, match=r"reads 512 tokens.*window is 2,048; set protocol.window to 512"):
        Protocol().check_positions(512, "m")
    with pytest.raises(UserError, match=r"set protocol.truncation to 512"):
        Protocol(name="paper").check_positions(512, "m")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"window": 64}, "window 64 leaves no token for the body beside prefix_room 64"),
        ({"name": "loose"}, "name: must be 'strict' or 'paper'"),
        ({"windows": 64}, "unknown key 'windows'; did you mean 'window'"),
        ({"num_documents": 0}, "num_documents"),
    ],
)
def test_bad_sections_are_refused(section, message):
    with pytest.raises(UserError, match=message):
        validate_recipe(Protocol, section)
