"""A run is a function of recipe and seed: however often it is stopped, it ends with the same weights."""

import json
import os
import shutil
import signal

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from dateline.errors import Interrupted, TrainingDiverged, UserError
from dateline.manifest import read_manifest
from dateline.model.load import model_fingerprint
from dateline.train import checkpoint, loop
from dateline.train import step as step_module
from dateline.train.callbacks import Callback
from dateline.train.export import export_model
from dateline.train.folder import checkpoints
from dateline.train.guard import Guard
from dateline.train.loop import train_model
from dateline.train.metrics import MetricsFile
from dateline.train.parallel import Parallel, RemoteRankFailure
from dateline.train.recipe import build_loader, train_identity, train_plan

STEPS = 8
FIELDS = ("num_body_tokens", "num_tokens")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, make_recipe):
    """A run that nothing interrupts. Read only."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train_model(make_recipe(), out)
    return out


@pytest.fixture
def at_step(monkeypatch):
    """Does something as soon as the training loss of a step is written."""

    def arrange(actions):
        write = MetricsFile.write

        def watched(self, kind, step, **values):
            write(self, kind, step, **values)
            if kind == "train" and step in actions:
                actions.pop(step)()

        monkeypatch.setattr(MetricsFile, "write", watched)

    return arrange


class Killed(BaseException):
    """Stands for `kill -9`: nobody catches it, nothing is saved."""


def kill():
    raise Killed


def send(number):
    return lambda: os.kill(os.getpid(), number)


def weights(run):
    return load_file(run / "model" / "model.safetensors")


def same_weights(a, b):
    one, two = weights(a), weights(b)
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def train_losses(records):
    return [record["loss"] for record in records if record["kind"] == "train"]


def steps_saved(run):
    return [int(folder.name.removeprefix("step-")) for folder in checkpoints(run)]


# What a run leaves


def test_loss_falls(whole, losses):
    values = train_losses(losses(whole))
    assert len(values) == STEPS
    assert values[0] == pytest.approx(6.24, abs=0.1)  # ln 512
    assert values[-1] < values[0] - 0.4


def test_what_a_finished_run_leaves(whole, make_recipe, corpus):
    assert {path.name for path in whole.iterdir()} == {"manifest.json", "metrics.jsonl", "model", "run.json"}
    manifest = read_manifest(whole)
    data, parents = train_plan(make_recipe(), corpus)
    assert (manifest.stage, manifest.recipe, manifest.parents) == ("train", data, parents)
    assert manifest.counts["steps"] == STEPS
    assert manifest.facts["precision"] == "float32"
    assert manifest.facts["parameters"] == sum(tensor.numel() for tensor in weights(whole).values())
    facts = json.loads((whole / "model" / "dateline.json").read_text())
    assert facts["fields"] == ["domain", "country", "continent"]
    assert (facts["run"], facts["step"], facts["seed"]) == (train_identity(data, parents), STEPS, 0)


def test_transformers_loads_the_result(whole, losses):
    model = AutoModelForCausalLM.from_pretrained(whole / "model", local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(whole / "model", local_files_only=True)
    body = tokenizer("TITLE: A\n\nCONTENT: The", add_special_tokens=False)["input_ids"]
    ids = torch.tensor([[tokenizer.bos_token_id, *body]])
    with torch.no_grad():
        assert float(model(input_ids=ids, labels=ids).loss) < train_losses(losses(whole))[0]


def test_the_log_counts_what_the_loader_gives(whole, losses, make_recipe, corpus, tokenizer):
    loader = build_loader(make_recipe(), corpus, tokenizer)
    assert loader.num_batches() == STEPS
    records = [record for record in losses(whole) if record["kind"] == "train"]
    tokens = body_tokens = 0
    for step, (batch, record) in enumerate(zip(loader.batches(), records, strict=True), start=1):
        tokens, body_tokens = tokens + batch.num_tokens, body_tokens + batch.num_body_tokens
        assert (record["step"], record["tokens"], record["body_tokens"]) == (step, tokens, body_tokens)
        assert record["fill"] == batch.num_tokens / batch.input_ids.size
    assert read_manifest(whole).counts == {
        "steps": STEPS, "tokens": tokens, "body_tokens": body_tokens, "skipped": 0,
    }  # fmt: skip


def test_learning_rate_follows_the_schedule(whole, losses):
    rates = [record["lr"] for record in losses(whole) if record["kind"] == "train"]
    assert rates[:3] == pytest.approx([5e-4, 1e-3, 1e-3])
    assert rates[-1] == pytest.approx(1e-4)


def test_validation_is_by_condition_and_continent_when_told(whole, losses):
    records = [record for record in losses(whole) if record["kind"] == "validation"]
    assert sorted({record["step"] for record in records}) == [4, 8]
    groups = {(record["condition"], record["group"]) for record in records}
    continents = {group for _, group in groups} - {"all"}
    assert len(continents) > 1
    assert groups == {(condition, group) for condition in ("gold", "none") for group in {"all", *continents}}


def test_logging_sparsely_still_logs_the_first_and_last_step(tmp_path, make_recipe, losses, whole):
    train_model(make_recipe(steps=4, log_every=3, validate_every=0), tmp_path / "run")
    assert [record["step"] for record in losses(tmp_path / "run")] == [1, 3, 4]


def test_the_length_of_a_run_in_epochs_is_that_of_its_body_tokens(tmp_path, make_recipe, corpus, losses):
    recipe = make_recipe(epochs=0.1, mix={"weights": "natural"}, validate_every=0)
    manifest = train_model(recipe, tmp_path / "run")
    wanted = float(corpus.lengths[corpus.select("train")].sum()) / 10
    assert manifest.counts["body_tokens"] == pytest.approx(wanted, abs=float(corpus.lengths.max()))
    assert manifest.facts["repeats"] == {"all": pytest.approx(0.1, abs=0.01)}
    assert losses(tmp_path / "run")[-1]["step"] == manifest.counts["steps"]


# The same recipe, the same numbers


def test_same_seed_same_weights_bit_by_bit_whatever_ran_before_in_the_process(tmp_path, make_recipe, whole, losses):
    torch.manual_seed(99)
    torch.rand(7)
    train_model(make_recipe(), tmp_path / "run")
    assert same_weights(tmp_path / "run", whole)
    assert losses(tmp_path / "run") == losses(whole)


def test_another_seed_gives_other_weights(tmp_path, make_recipe, whole):
    train_model(make_recipe(seed=1), tmp_path / "run")
    assert not same_weights(tmp_path / "run", whole)


def test_the_corpus_may_move(tmp_path, make_recipe, encoded, whole):
    moved = tmp_path / "elsewhere"
    moved.symlink_to(encoded, target_is_directory=True)
    recipe = make_recipe().model_copy(update={"data": str(moved)})
    assert train_model(recipe, whole, resume=True) == read_manifest(whole)


@pytest.fixture(scope="module")
def accumulated(tmp_path_factory, make_recipe):
    """The same run with two micro-batches a step. Read only."""
    out = tmp_path_factory.mktemp("accumulated") / "run"
    train_model(make_recipe(micro_rows=2), out)
    return out


def test_accumulating_gradients_changes_rounding_only(accumulated, whole, losses):
    small, large = losses(accumulated), losses(whole)
    assert train_losses(small) == pytest.approx(train_losses(large), abs=2e-3)
    assert train_losses(small)[:3] == pytest.approx(train_losses(large)[:3], abs=1e-5)
    for key in ("step", "tokens", "body_tokens", "fill"):
        assert [r[key] for r in small if r["kind"] == "train"] == [r[key] for r in large if r["kind"] == "train"]


def test_validating_changes_nothing(tmp_path, make_recipe, whole):
    train_model(make_recipe(validate_every=0), tmp_path / "run")
    assert same_weights(tmp_path / "run", whole)


def test_saving_changes_nothing(tmp_path, make_recipe, whole, losses):
    train_model(make_recipe(checkpoint_every=1), tmp_path / "run")
    assert steps_saved(tmp_path / "run") == [6, 7]
    assert same_weights(tmp_path / "run", whole)
    assert losses(tmp_path / "run") == losses(whole)


def test_bfloat16_learns_the_same_with_float32_weights(tmp_path, make_recipe, whole, losses):
    train_model(make_recipe(precision="bfloat16"), tmp_path / "run")
    assert read_manifest(tmp_path / "run").facts["precision"] == "bfloat16"
    assert {tensor.dtype for tensor in weights(tmp_path / "run").values()} == {torch.float32}
    assert not same_weights(tmp_path / "run", whole)
    rough, exact = (train_losses(losses(run)) for run in (tmp_path / "run", whole))
    assert rough[0] == pytest.approx(exact[0], abs=0.01)
    assert rough == pytest.approx(exact, abs=0.3)


# Stopped and continued


def test_a_signal_saves_and_stops_and_resuming_ends_the_same(tmp_path, make_recipe, whole, losses, at_step):
    out = tmp_path / "run"
    at_step({3: send(signal.SIGINT)})
    message = r"SIGINT: stopped after step 3 of 8; saved .*step-00000003; continue with --resume"
    with pytest.raises(Interrupted, match=message):
        train_model(make_recipe(), out)
    assert {path.name for path in out.iterdir()} == {"checkpoints", "metrics.jsonl", "run.json"}
    assert steps_saved(out) == [3]
    train_model(make_recipe(), out, resume=True)
    assert same_weights(out, whole)
    assert losses(out) == losses(whole)


def test_stopped_twice(tmp_path, make_recipe, whole, losses, at_step):
    out = tmp_path / "run"
    at_step({2: send(signal.SIGTERM), 5: send(signal.SIGINT)})
    for step, name in ((2, "SIGTERM"), (5, "SIGINT")):
        message = rf"{name}: stopped after step {step} of 8; saved .*step-0000000{step}; continue with --resume"
        with pytest.raises(Interrupted, match=message):
            train_model(make_recipe(micro_rows=4), out, resume=True)
        assert not (out / "model").exists()
        assert not (out / "manifest.json").exists()
    manifest = train_model(make_recipe(), out, resume=True)
    assert manifest.counts == read_manifest(whole).counts
    assert same_weights(out, whole)
    assert losses(out) == losses(whole)


@pytest.mark.parametrize(("every", "at"), [(2, 5), (4, 4)])
def test_killed_after_a_checkpoint(tmp_path, make_recipe, whole, losses, at_step, every, at):
    out = tmp_path / "run"
    at_step({at: kill})
    with pytest.raises(Killed):
        train_model(make_recipe(checkpoint_every=every), out)
    assert losses(out)[-1]["step"] == at
    train_model(make_recipe(checkpoint_every=every), out, resume=True)
    assert same_weights(out, whole)
    assert losses(out) == losses(whole)


def test_killed_before_any_checkpoint_starts_again(tmp_path, make_recipe, whole, losses, at_step):
    out = tmp_path / "run"
    at_step({3: kill})
    with pytest.raises(Killed):
        train_model(make_recipe(), out)
    assert steps_saved(out) == []
    train_model(make_recipe(), out, resume=True)
    assert same_weights(out, whole)
    assert losses(out) == losses(whole)


def test_killed_while_writing_a_checkpoint(tmp_path, make_recipe, whole, losses, monkeypatch):
    out, seal, calls = tmp_path / "run", checkpoint.seal, []

    def dies_the_second_time(*args):
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return seal(*args)

    monkeypatch.setattr(checkpoint, "seal", dies_the_second_time)
    with pytest.raises((Killed, RemoteRankFailure)):
        train_model(make_recipe(checkpoint_every=2), out)
    assert steps_saved(out) == [2]
    assert (out / "checkpoints" / "latest").read_text() == "step-00000002\n"
    train_model(make_recipe(checkpoint_every=2), out, resume=True)
    assert same_weights(out, whole)
    assert losses(out) == losses(whole)


def test_killed_while_the_model_is_written(tmp_path, make_recipe, whole, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_model", lambda *args: kill())
        with pytest.raises(Killed):
            train_model(make_recipe(checkpoint_every=6), out)
    assert not (out / "model").exists()
    assert not (out / "manifest.json").exists()
    train_model(make_recipe(checkpoint_every=6), out, resume=True)
    assert same_weights(out, whole)


def test_dropout_is_resumed_exactly(tmp_path, make_recipe, whole, losses, at_step):
    recipe = make_recipe(model={"dropout": 0.2})
    train_model(recipe, tmp_path / "whole")
    assert not same_weights(tmp_path / "whole", whole)
    at_step({5: send(signal.SIGTERM)})
    with pytest.raises(Interrupted):
        train_model(recipe, tmp_path / "run")
    torch.manual_seed(1234)
    train_model(recipe, tmp_path / "run", resume=True)
    assert same_weights(tmp_path / "run", tmp_path / "whole")
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")


def test_accumulation_is_resumed_at_the_right_batch(tmp_path, make_recipe, accumulated, losses, at_step):
    recipe = make_recipe(micro_rows=2)
    at_step({3: send(signal.SIGTERM)})
    with pytest.raises(Interrupted):
        train_model(recipe, tmp_path / "run")
    train_model(recipe, tmp_path / "run", resume=True)
    assert same_weights(tmp_path / "run", accumulated)
    assert losses(tmp_path / "run") == losses(accumulated)


def test_a_signal_at_the_last_step_comes_too_late(tmp_path, make_recipe, whole, at_step):
    at_step({STEPS: send(signal.SIGTERM)})
    train_model(make_recipe(), tmp_path / "run")
    assert same_weights(tmp_path / "run", whole)


def test_a_second_interrupt_stops_at_once(tmp_path, make_recipe, at_step):
    def twice():
        send(signal.SIGINT)()
        send(signal.SIGINT)()

    at_step({3: twice})
    with pytest.raises(KeyboardInterrupt):
        train_model(make_recipe(), tmp_path / "run")
    assert steps_saved(tmp_path / "run") == []
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_a_process_that_is_told_to_stop(tmp_path, make_recipe, whole, losses, start):
    """The same through a real process: what it saved is what another process continues."""
    before = """
import signal
from dateline.train.metrics import MetricsFile
write = MetricsFile.write
def watched(self, kind, step, **values):
    write(self, kind, step, **values)
    if kind == "train" and step == 3:
        os.kill(os.getpid(), signal.SIGTERM)
MetricsFile.write = watched
"""
    out = tmp_path / "run"
    (process,) = start(make_recipe(), out, before=before)
    process.join(120)
    assert process.exitcode == 1
    assert "Interrupted: SIGTERM: stopped after step 3 of 8" in (tmp_path / "said0.txt").read_text()
    assert steps_saved(out) == [3]
    train_model(make_recipe(), out, resume=True)
    assert same_weights(out, whole)
    assert losses(out) == losses(whole)


# Diverged


def poison(monkeypatch, step):
    """Makes the loss of one step infinite."""
    honest, calls = step_module.cross_entropy_sum, []

    def poisoned(*args):
        calls.append(1)
        return honest(*args) * (float("inf") if len(calls) == step else 1.0)

    monkeypatch.setattr(step_module, "cross_entropy_sum", poisoned)


def test_an_infinite_loss_stops_the_run_and_keeps_the_weights_before_it(tmp_path, make_recipe, monkeypatch, at_step):
    out = tmp_path / "run"
    at_step({4: send(signal.SIGTERM)})
    with pytest.raises(Interrupted):
        train_model(make_recipe(), tmp_path / "reference")
    poison(monkeypatch, 5)
    with pytest.raises(TrainingDiverged, match=r"loss inf and gradient norm .* at step 5; .*lower optimizer") as caught:
        train_model(make_recipe(), out)
    assert not (out / "model").exists()
    assert not (out / "manifest.json").exists()
    (saved,) = checkpoints(out)
    assert str(saved) in str(caught.value)
    assert f"'dateline export {out} --out DIR' makes a folder for init_from" in str(caught.value)
    folders = [export_model(run, tmp_path / f"{run.name}-model") for run in (out, tmp_path / "reference")]
    kept, wanted = (load_file(folder / "model.safetensors") for folder in folders)
    assert all(torch.equal(kept[name], wanted[name]) for name in wanted)
    assert AutoModelForCausalLM.from_pretrained(folders[0], local_files_only=True).config.hidden_size == 128


def test_diverging_removes_no_checkpoint(tmp_path, make_recipe, monkeypatch):
    poison(monkeypatch, 6)
    with pytest.raises(TrainingDiverged):
        train_model(make_recipe(checkpoint_every=3, keep_checkpoints=1), tmp_path / "run")
    assert steps_saved(tmp_path / "run") == [3, 5]


def test_diverging_at_the_first_step(tmp_path, make_recipe, monkeypatch):
    poison(monkeypatch, 1)
    with pytest.raises(TrainingDiverged, match=r"at step 1; .*step-00000000"):
        train_model(make_recipe(), tmp_path / "run")
    monkeypatch.undo()
    train_model(make_recipe(), tmp_path / "run", resume=True)


def test_an_absurd_learning_rate_diverges(tmp_path, make_recipe):
    recipe = make_recipe(optimizer={"learning_rate": 1e18, "weight_decay": 0.0}, schedule={"warmup_steps": 0})
    with pytest.raises(TrainingDiverged, match=r"loss (nan|inf)|gradient norm (nan|inf)") as caught:
        train_model(recipe, tmp_path / "run")
    (saved,) = checkpoints(tmp_path / "run")
    assert str(saved) in str(caught.value)


# Folders and recipes that do not fit


def listing(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_finished_run_is_not_run_again(whole, make_recipe, monkeypatch):
    before = listing(whole)
    monkeypatch.setattr(loop, "_Run", lambda *args: pytest.fail("trained again"))
    assert train_model(make_recipe(), whole, resume=True) == read_manifest(whole)
    assert listing(whole) == before


def test_a_finished_run_of_another_recipe_is_refused(whole, make_recipe):
    before = listing(whole)
    message = r"finished run of another recipe \(seed: 0 -> 1\); choose another --out"
    with pytest.raises(UserError, match=message):
        train_model(make_recipe(seed=1), whole, resume=True)
    assert listing(whole) == before


def test_another_recipe_cannot_resume(tmp_path, make_recipe, at_step):
    out = tmp_path / "run"
    at_step({3: send(signal.SIGTERM)})
    with pytest.raises(Interrupted):
        train_model(make_recipe(), out)
    before = listing(out)
    with pytest.raises(UserError, match=r"checkpoint of another recipe.*restore the recipe or choose another --out"):
        train_model(make_recipe(optimizer={"learning_rate": 2e-3}), out, resume=True)
    assert listing(out) == before


def test_a_taken_folder_is_refused(whole, make_recipe, tmp_path):
    before = listing(whole)
    with pytest.raises(UserError, match="already holds something; choose another --out or pass --overwrite"):
        train_model(make_recipe(), whole)
    assert listing(whole) == before


@pytest.mark.parametrize("resume", [True, False])
def test_a_file_in_the_way_is_refused(tmp_path, make_recipe, resume):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(UserError, match="is a file; --out names a folder"):
        train_model(make_recipe(), tmp_path / "run", resume=resume)
    assert (tmp_path / "run").read_text() == "mine"


def test_overwriting_begins_anew(tmp_path, make_recipe, whole, losses, at_step):
    out = tmp_path / "run"
    train_model(make_recipe(seed=5, steps=2, checkpoint_every=1), out)
    train_model(make_recipe(), out, overwrite=True)
    assert same_weights(out, whole)
    assert losses(out) == losses(whole)
    assert steps_saved(out) == []


def test_a_recipe_that_cannot_run_does_not_cost_the_run_that_is_there(tmp_path, make_recipe):
    out = tmp_path / "run"
    train_model(make_recipe(steps=1, validate_every=0), out)
    before = listing(out)
    with pytest.raises(UserError, match="'Atlantis' is no continent or country"):
        train_model(make_recipe(mix={"exclude": ["Atlantis"]}), out, overwrite=True)
    assert listing(out) == before


def test_rows_longer_than_the_model_are_refused(tmp_path, make_recipe):
    with pytest.raises(
        ValueError, match=r"sequence_length 128 is longer than model\.max_positions 64; raise the latter"
    ):
        train_model(make_recipe(model={"max_positions": 64}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_dropout_on_cuda_is_refused_before_the_first_step(tmp_path, make_recipe, monkeypatch):
    monkeypatch.setattr(loop, "choose_device", lambda *_: torch.device("cuda"))
    monkeypatch.setattr(loop, "choose_precision", lambda *_: torch.bfloat16)
    with pytest.raises(UserError, match=r"model\.dropout: the CUDA attention kernel has no dropout"):
        train_model(make_recipe(model={"dropout": 0.1}), tmp_path / "run")


def test_a_corpus_that_is_not_there_is_refused(tmp_path, make_recipe):
    recipe = make_recipe().model_copy(update={"data": str(tmp_path / "nowhere")})
    with pytest.raises(UserError, match="nowhere: no such folder; make it with: dateline encode"):
        train_model(recipe, tmp_path / "run")


def test_identity_is_of_recipe_and_corpus_but_not_of_the_corpus_path(make_recipe, corpus):
    data, parents = train_plan(make_recipe(), corpus)
    assert "data" not in data
    assert parents == {"encoded": corpus.manifest.fingerprint}
    assert train_identity(data, parents) == train_identity(dict(data), dict(parents))
    assert train_identity(data, parents) != train_identity(train_plan(make_recipe(seed=1), corpus)[0], parents)
    assert train_identity(data, parents) != train_identity(data, {"encoded": "another"})


def test_runs_of_equal_epochs_read_equal_body_tokens_under_every_condition(make_recipe, corpus, tokenizer):
    loaders = [
        build_loader(make_recipe(epochs=0.2, conditions={"fields": fields}), corpus, tokenizer)
        for fields in ([], ["domain", "country", "continent"])
    ]
    plain, placed = ([sum(getattr(b, key) for b in loader.batches()) for key in FIELDS] for loader in loaders)
    assert plain[0] == placed[0]
    assert plain[1] < placed[1]


def test_a_plain_model_says_so(tmp_path, make_recipe, losses):
    train_model(make_recipe(conditions={"fields": []}), tmp_path / "run")
    assert {record["condition"] for record in losses(tmp_path / "run") if record["kind"] == "validation"} == {"none"}
    assert json.loads((tmp_path / "run" / "model" / "dateline.json").read_text())["fields"] == []


# Killed for real


def steps_of(run):
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return sum('"kind": "train"' in line for line in lines)


def kill_at(processes, run, step):
    """Kills all processes as soon as the log has a record of a step."""
    while steps_of(run) < step and all(process.is_alive() for process in processes):
        processes[0].join(0.005)
    for process in processes:
        process.kill()
        process.join()
    assert {process.exitcode for process in processes} == {-9}


def test_killed_three_times_a_run_ends_the_same(tmp_path, make_recipe, start, train_on, losses):
    recipe = make_recipe(
        checkpoint_every=3, validate_every=5, steps=16, log_every=1, model={"dropout": 0.1}, conditions={"dropout": 0.2}
    )
    train_on(recipe, tmp_path / "whole")
    for step in (5, 9, 14):
        kill_at(start(recipe, tmp_path / "run", resume=True), tmp_path / "run", step)
    train_on(recipe, tmp_path / "run", resume=True)
    assert same_weights(tmp_path / "run", tmp_path / "whole")
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")


@pytest.mark.parametrize("strategy", ["ddp", "fsdp2"])
def test_two_processes_killed_end_the_same(tmp_path, make_recipe, start, train_on, losses, strategy):
    recipe = make_recipe(checkpoint_every=2, model={"dropout": 0.1})
    recipe = recipe.model_copy(update={"parallel": Parallel(strategy=strategy)})
    train_on(recipe, tmp_path / "whole", 2)
    kill_at(start(recipe, tmp_path / "run", 2), tmp_path / "run", 5)
    train_on(recipe, tmp_path / "run", 2, resume=True)
    assert same_weights(tmp_path / "run", tmp_path / "whole")
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")


# Trouble on the way


def test_a_hanging_process_is_named_and_ends_the_run(tmp_path, make_recipe, start):
    hang = """
import threading
from dateline.tokens.loader import Loader
batches = Loader.batches
def stuck(self, first=0):
    for number, batch in enumerate(batches(self, first)):
        if number == 2 and os.environ["RANK"] == "1":
            threading.Event().wait()
        yield batch
Loader.batches = stuck
"""
    processes = start(make_recipe(hang_minutes=0.03), tmp_path / "run", 2, before=hang)
    for process in processes:
        process.join(60)
        assert process.exitcode == 1
    said = "".join((tmp_path / f"said{rank}.txt").read_text() for rank in range(2))
    assert "rank 1 is at step 2 (data)" in said
    assert "in stuck" in said


def test_a_data_file_that_vanishes_ends_the_run_with_its_name(tmp_path, make_recipe, encoded, at_step):
    copy = tmp_path / "encoded"
    shutil.copytree(encoded, copy)
    recipe = make_recipe(checkpoint_every=2, steps=20).model_copy(update={"data": str(copy)})
    at_step({5: lambda: (copy / "data-00000.arrow").unlink()})
    with pytest.raises(UserError, match=r"data-00000\.arrow: gone while it was read .*; put it back and resume"):
        train_model(recipe, tmp_path / "run")
    assert steps_saved(tmp_path / "run")
    shutil.copytree(encoded, copy, dirs_exist_ok=True)
    train_model(recipe, tmp_path / "run", resume=True)


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path, make_recipe, whole, at_step, capsys):
    out = tmp_path / "run"
    at_step({7: kill})
    with pytest.raises(Killed):
        train_model(make_recipe(checkpoint_every=2), out)
    newest = checkpoints(out)[-1]
    data = bytearray((newest / "__0_0.distcp").read_bytes())
    data[len(data) // 2] ^= 1
    (newest / "__0_0.distcp").write_bytes(data)
    train_model(make_recipe(checkpoint_every=2), out, resume=True)
    said = capsys.readouterr().err
    assert f"{newest}: damaged (__0_0.distcp is not what was written (checksum)); set aside as damaged-" in said
    assert f"{out}/checkpoints/step-00000004: is used in its place" in said
    assert same_weights(out, whole)


def test_bad_steps_are_skipped_and_written_down(tmp_path, make_recipe, monkeypatch, losses):
    poison(monkeypatch, 3)
    recipe = make_recipe().model_copy(update={"guard": Guard(on_nonfinite="skip")})
    manifest = train_model(recipe, tmp_path / "run")
    assert manifest.counts["skipped"] == 1
    records = losses(tmp_path / "run")
    (skipped,) = [record for record in records if record["kind"] == "skipped"]
    assert (skipped["step"], skipped["loss"], skipped["skipped"]) == (3, None, 1)
    assert skipped["reason"].startswith("loss inf and gradient norm")
    assert [record["step"] for record in records if record["kind"] == "train"] == [1, 2, 4, 5, 6, 7, 8]


def test_a_run_that_skips_too_much_ends(tmp_path, make_recipe, monkeypatch):
    recipe = make_recipe(optimizer={"learning_rate": 1e18, "weight_decay": 0.0}, schedule={"warmup_steps": 0})
    recipe = recipe.model_copy(update={"guard": Guard(on_nonfinite="skip", max_skips=2)})
    with pytest.raises(TrainingDiverged, match=r"after 2 skipped steps in a row at step"):
        train_model(recipe, tmp_path / "run")


def test_callbacks_see_every_record_and_change_nothing(tmp_path, make_recipe, whole, losses):
    seen = []

    class Nosy(Callback):
        def start(self, run):
            seen.append(("start", run.num_steps))

        def record(self, kind, step, values):
            torch.rand(3)
            seen.append((kind, step))

        def checkpoint(self, step, folder):
            assert (folder / "manifest.json").is_file()
            seen.append(("checkpoint", step))

        def finish(self, outcome):
            seen.append(("finish", outcome))

    train_model(make_recipe(checkpoint_every=3), tmp_path / "run", callbacks=[Nosy()])
    assert same_weights(tmp_path / "run", whole)
    records = [(record["kind"], record["step"]) for record in losses(whole)]
    assert [entry for entry in seen if entry[0] not in ("start", "checkpoint", "finish")] == records
    assert [entry for entry in seen if entry[0] == "checkpoint"] == [("checkpoint", 3), ("checkpoint", 6)]
    assert (seen[0], seen[-1]) == (("start", STEPS), ("finish", "finished"))


def test_a_warm_up_that_never_ends_is_told(tmp_path, make_recipe, capsys):
    train_model(make_recipe(steps=1, validate_every=0, schedule={"warmup_steps": 500}), tmp_path / "run")
    assert "schedule.warmup_steps 500 is longer than the run of 1 steps" in capsys.readouterr().err


def test_mfu_is_told_where_a_peak_is_known(tmp_path, make_recipe):
    train_model(make_recipe(steps=1, validate_every=0, peak_flops=1e12), tmp_path / "run")
    record = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert record["mfu"] == pytest.approx(record["flops_per_second"] / 1e12)


def test_a_run_starts_from_the_weights_of_another(tmp_path, make_recipe, whole, corpus):
    recipe = make_recipe(steps=1, validate_every=0).model_copy(update={"init_from": str(whole)})
    manifest = train_model(recipe, tmp_path / "run")
    known = model_fingerprint(whole)
    assert manifest.parents == {"encoded": corpus.manifest.fingerprint, "init_from": known}
    one, two = weights(whole), weights(tmp_path / "run")
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 2e-3
    record = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert record["loss"] < 6.0
