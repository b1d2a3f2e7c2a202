"""The learning rate is what the formula says."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dateline.config import validate_recipe
from dateline.errors import UserError
from dateline.train.optim import Schedule, factor

SHAPES = ("cosine", "warmup-stable-decay", "constant")


def curve(num_steps, **values):
    return [factor(Schedule(**values), step, num_steps) for step in range(num_steps)]


def test_cosine_golden():
    # two steps of warm-up, then half a cosine from 1 to 0.1 over five points
    assert curve(7, warmup_steps=2) == pytest.approx([0.5, 1.0, 1.0, 0.868198, 0.55, 0.231802, 0.1], abs=1e-6)


def test_warmup_stable_decay_golden():
    assert curve(10, shape="warmup-stable-decay", warmup_steps=2, decay_share=0.4, floor=0.2) == pytest.approx(
        [0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]
    )


def test_constant_golden():
    assert curve(5, shape="constant", warmup_steps=4) == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_paper_golden():
    schedule = Schedule()
    assert [factor(schedule, step, 10_000) for step in (0, 249, 499, 500, 9_999)] == pytest.approx(
        [0.002, 0.5, 1.0, 1.0, 0.1]
    )
    assert factor(schedule, 5_250, 10_000) == pytest.approx(0.55, abs=1e-4)  # half way down: (1 + 0.1) / 2


def test_no_warmup_starts_at_the_peak():
    for shape in SHAPES:
        assert factor(Schedule(shape=shape, warmup_steps=0), 0, 100) == 1.0


schedules = st.builds(
    Schedule,
    shape=st.sampled_from(SHAPES),
    warmup_steps=st.integers(0, 50),
    floor=st.floats(0.001, 1.0),
    decay_share=st.floats(0.01, 1.0),
)


@given(schedule=schedules, num_steps=st.integers(1, 300))
def test_factor_lies_between_zero_and_one(schedule, num_steps):
    for step in range(num_steps):
        value = factor(schedule, step, num_steps)
        assert 0 < value <= 1 + 1e-12
        if step >= schedule.warmup_steps:
            assert value >= schedule.floor - 1e-12


@given(schedule=schedules, num_steps=st.integers(1, 300))
def test_rises_evenly_then_never_rises_again(schedule, num_steps):
    values = [factor(schedule, step, num_steps) for step in range(num_steps)]
    warm = values[: schedule.warmup_steps]
    assert warm == pytest.approx([(step + 1) / schedule.warmup_steps for step in range(len(warm))])
    rest = values[schedule.warmup_steps :]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(rest))


@given(schedule=schedules, num_steps=st.integers(1, 300))
def test_ends_at_the_floor(schedule, num_steps):
    assume(num_steps >= schedule.warmup_steps + 2)
    end = 1.0 if schedule.shape == "constant" else schedule.floor
    assert factor(schedule, num_steps - 1, num_steps) == pytest.approx(end)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"shape": "linear"}, "shape: must be 'cosine', 'warmup-stable-decay' or 'constant'"),
        ({"floor": 1.5}, "floor: .*less than or equal to 1"),
        ({"warmup_steps": -1}, "warmup_steps: .*greater than or equal to 0"),
        ({"decay_share": 0}, "decay_share: .*greater than 0"),
        ({"warmup": 10}, "unknown key 'warmup'; did you mean 'warmup_steps'"),
    ],
)
def test_impossible_schedules_are_refused(data, message):
    with pytest.raises(UserError, match=message):
        validate_recipe(Schedule, data)
