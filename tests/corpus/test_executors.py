"""Who runs the tasks must not matter, nor how often the build was killed: the corpus is the same, byte for byte."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from dateline.corpus import CorpusRecipe, build, build_corpus, executors, submit_corpus
from dateline.corpus.build import plan_corpus, work_folder
from dateline.corpus.readers import registry
from dateline.errors import UserError

from .helpers import corpus_bytes, near_copy, recipe, row, story, write_jsonl

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2, "enough": 3}
PIECES, ROWS = 6, 8

STOPPING = '''
"""Builds a corpus and stops at a point, in whichever process gets there, until it is killed."""
import os, sys, time
from pathlib import Path
from dateline.config import load_recipe
from dateline.corpus import CorpusRecipe, build, build_corpus
from dateline.corpus.work import Heartbeat
from dateline.corpus.steps import decide

HERE = Path(os.environ["HERE"])
POINT = os.environ["POINT"]
build.PIECE_BYTES, build.SHARD_BYTES = 1, 6000

def stop():
    (HERE / "stopped").write_text(str(os.getpid()))
    while True:
        time.sleep(0.02)

def stopping(where, name):
    original = getattr(where, name)
    def replacement(*args, **values):
        stop()
    setattr(where, name, replacement)

if POINT == "decide":
    stopping(decide, "assign_splits")
elif POINT == "finish":
    stopping(build, "write_manifest")
else:
    stage, rank, documents = POINT.split()
    start, count = Heartbeat.__init__, Heartbeat.count
    def started(self, work, name, number):
        start(self, work, name, number)
        self.left = int(documents) if (name, number) == (stage, int(rank)) else -1
    def counted(self):
        count(self)
        self.left -= 1
        if self.left == 0:
            stop()
    Heartbeat.__init__, Heartbeat.count = started, counted

if __name__ == "__main__":
    build_corpus(load_recipe(CorpusRecipe, HERE / "recipe.yaml", []), HERE / "out", workers=int(os.environ["WORKERS"]))
'''

DEADLY = """
# a reader of somebody's own: JSON Lines in which one file may kill the process that reads it
import os, signal
from pathlib import Path
from dateline.corpus.readers.kinds.jsonl import JsonLines

class Deadly(JsonLines):
    extensions = (".deadly",)

    def read(self, files, columns):
        path = Path(files[0])
        with path.with_name("reads.log").open("a") as log:
            print(path.name, file=log)
        if path.name == "04.deadly" and path.with_name("kill").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().read(files, columns)
"""

SBATCH = r"""#!PYTHON
"A cluster of one machine: runs every task of a job at once, then says that the job was submitted."
import os, re, subprocess, sys
from pathlib import Path

jobs, script = Path("JOBS"), Path(sys.argv[-1]).read_text()
with jobs.open("a") as log:
    print(re.search(r"--job-name=(\S+)", script)[1], *sys.argv[1:-1], file=log)
first, last = map(int, re.search(r"--array=(\d+)-(\d+)", script).groups())
for task in range(first, last + 1):
    environment = os.environ | {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_NODELIST": "here", "RUN_OFFSET": "0"}
    subprocess.run(["bash", "-c", script], env=environment, stdout=sys.stderr, check=True)
print("Submitted batch job", len(jobs.read_text().splitlines()))
"""


def write_input(folder: Path, ending: str = "jsonl") -> list[Path]:
    """Files with good rows, exact and near copies across files, short ones, conflicts and broken lines."""
    paths = []
    for piece in range(PIECES):
        first = piece * ROWS
        rows: list[Any] = [row(n) for n in range(first, first + ROWS)]
        rows += [
            row(first, text=near_copy(story((first + 11) % 40)), date="2021-03-01", url=f"https://copy{piece}.co.ke/"),
            row(first, text=story((first + 21) % 40), url=f"https://again{piece}.co.ke/"),
            row(first, text="Short."),
            row(900 + piece, url=f"https://www.bbc.co.uk/{piece}", country="ke"),
            "{broken",
        ]
        paths.append(write_jsonl(folder / f"{piece:02d}.{ending}", rows))
    return paths


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PIECE_BYTES", 1)
    monkeypatch.setattr(build, "SHARD_BYTES", 6000)


@pytest.fixture
def asked(tmp_path: Path, small: None) -> CorpusRecipe:
    return recipe(*write_input(tmp_path / "in"), splits=SHARES)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Looks again and again, up to a limit that is only reached when something is wrong."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds} s for {what}"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def stopped_build(here: Path, asked: CorpusRecipe, point: str, workers: int) -> Iterator[tuple[int, int]]:
    """Gives the ids of a build's main process and of the one that stands at a point; all are killed at the end."""
    script = here / "stopping.py"
    script.write_text(STOPPING)
    (here / "recipe.yaml").write_text(asked.model_dump_json())
    environment = os.environ | {"HERE": str(here), "POINT": point, "WORKERS": str(workers)}
    with (here / "said").open("w") as said:
        main = subprocess.Popen([sys.executable, str(script)], env=environment, stderr=said, start_new_session=True)
    try:
        sign = here / "stopped"
        wait_for(lambda: main.poll() is not None or (sign.is_file() and sign.read_text() != ""), point)
        assert main.poll() is None, (here / "said").read_text()
        yield main.pid, int(sign.read_text())
    finally:
        with suppress(ProcessLookupError):
            os.killpg(main.pid, signal.SIGKILL)
        main.wait()


def finished_pieces(work: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (work / "pieces").iterdir() if path.name[0] != "."}


def kept_work(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Returns what will be filled with the pieces of the next build, just before its work folder is removed."""
    seen: dict[str, int] = {}
    finish = build.finish_corpus

    def watched(asked: CorpusRecipe, plan: build.Plan, out: Path, *, overwrite: bool) -> Any:
        seen.update(finished_pieces(work_folder(out, plan)))
        return finish(asked, plan, out, overwrite=overwrite)

    monkeypatch.setattr(build, "finish_corpus", watched)
    return seen


def test_the_number_of_workers_changes_no_byte(tmp_path: Path, asked: CorpusRecipe) -> None:
    manifests = [build_corpus(asked, tmp_path / f"out{workers}", workers=workers) for workers in (1, 2, 3)]
    one, two, three = (corpus_bytes(tmp_path / f"out{workers}") for workers in (1, 2, 3))
    assert one == two == three
    assert {Path(name).parts[0] for name in one} == {"data", "dropped", "review", "audit.json", "outlets.csv"}
    assert manifests[0].counts == manifests[1].counts == manifests[2].counts
    assert set(manifests[0].drops) == {"duplicate", "near duplicate", "too short", "unreadable"}
    assert not (tmp_path / ".out1.work").exists()
    assert sum(manifests[1].facts["seconds"].values()) > 0


@pytest.mark.parametrize(
    ("point", "workers", "everyone"),
    [
        ("pieces 3 5", 1, True),
        ("pieces 3 5", 2, False),
        ("decide", 1, True),
        ("shards 1 2", 1, True),
        ("shards 1 2", 2, False),
        ("finish", 1, True),
    ],
)
def test_a_killed_build_is_continued_by_the_same_command(
    tmp_path: Path, asked: CorpusRecipe, monkeypatch: pytest.MonkeyPatch, point: str, workers: int, everyone: bool
) -> None:
    build_corpus(asked, tmp_path / "undisturbed")
    out = tmp_path / "out"
    work = work_folder(out, plan_corpus(asked))
    with stopped_build(tmp_path, asked, point, workers) as (main, stopped):
        before = finished_pieces(work)
        assert not out.exists()
        if not everyone:
            os.kill(main, signal.SIGKILL)
            # nobody is left who waits for work that will never come
            wait_for(lambda: not is_running(stopped), "the orphaned worker to end")
    assert len(before) >= (1 if point.startswith("pieces") else PIECES)
    assert (work / "shards" / "00001").exists() is (point == "finish")
    seen = kept_work(monkeypatch)
    build_corpus(asked, out)
    assert corpus_bytes(out) == corpus_bytes(tmp_path / "undisturbed")
    # what was finished before was not done again
    assert {piece: seen[piece] for piece in before} == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_two_builds_of_one_corpus_at_a_time_are_refused(tmp_path: Path, asked: CorpusRecipe) -> None:
    with (
        stopped_build(tmp_path, asked, "decide", 1),
        pytest.raises(UserError, match=r"out: is being built by another process; wait for it or choose another --out$"),
    ):
        build_corpus(asked, tmp_path / "out")
    build_corpus(asked, tmp_path / "out")


class Broken(RuntimeError):
    """Something that is nobody's mistake: a full disk, a bug."""


@pytest.mark.parametrize("change", ["recipe", "input"])
def test_the_marks_of_another_recipe_or_input_are_never_used(
    tmp_path: Path, asked: CorpusRecipe, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    def fail(*_: Any) -> None:
        raise Broken("shards")

    with monkeypatch.context() as patch:
        patch.setattr("dateline.corpus.steps.shard.Shard.run", fail)
        with pytest.raises(Broken, match="shards"):
            build_corpus(asked, tmp_path / "out")
    first = work_folder(tmp_path / "out", plan_corpus(asked))
    assert len(finished_pieces(first)) == PIECES
    if change == "recipe":
        asked = asked.model_copy(update={"min_characters": 5})
    else:
        write_jsonl(tmp_path / "in" / "02.jsonl", [row(n) for n in range(700, 720)])
    manifest = build_corpus(asked, tmp_path / "out")
    build_corpus(asked, tmp_path / "fresh")
    assert corpus_bytes(tmp_path / "out") == corpus_bytes(tmp_path / "fresh")
    assert manifest.counts["kept"] > 40
    assert ("too short" in manifest.drops) is (change == "input")


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with a reader of its own, installed as the documentation tells."""
    packages = tmp_path / "packages"
    info = packages / "deadly-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: deadly\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dateline.readers]\ndeadly = deadly_reader:Deadly\n")
    (packages / "deadly_reader.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(str(packages))
    registry.readers.cache_clear()
    yield packages
    registry.readers.cache_clear()
    sys.modules.pop("deadly_reader", None)


def test_a_killed_worker_is_a_message_and_the_same_command_continues(tmp_path: Path, small: None, deadly: Path) -> None:
    folder = tmp_path / "in"
    asked = recipe(*write_input(folder, "deadly"), splits=SHARES)
    build_corpus(asked, tmp_path / "undisturbed")
    log, kill = folder / "reads.log", folder / "kill"
    log.unlink()
    kill.touch()
    with pytest.raises(UserError, match=r"a worker process was killed while doing 'pieces' \(out of memory\?\); the"):
        build_corpus(asked, tmp_path / "out", workers=2)
    assert "04.deadly" in log.read_text()
    done = finished_pieces(work_folder(tmp_path / "out", plan_corpus(asked)))
    kill.unlink()
    log.unlink()
    build_corpus(asked, tmp_path / "out", workers=2)
    assert corpus_bytes(tmp_path / "out") == corpus_bytes(tmp_path / "undisturbed")
    read = log.read_text().split()
    assert sorted(read) == [f"{n:02d}.deadly" for n in range(PIECES) if f"{n:05d}" not in done]
    assert "04.deadly" in read


def test_an_error_in_a_task_ends_the_build_with_it(
    tmp_path: Path, asked: CorpusRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = threading.active_count()

    def fail(*_: Any) -> None:
        raise Broken("decide")

    monkeypatch.setattr("dateline.corpus.steps.decide.assign_splits", fail)
    with pytest.raises(Broken, match="decide"):
        build_corpus(asked, tmp_path / "out")
    assert threading.active_count() == threads
    assert not (tmp_path / "out").exists()


# --- clusters


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `sbatch` that runs everything at once; the file names the jobs that it was given."""
    jobs, folder = tmp_path / "jobs", tmp_path / "bin"
    folder.mkdir()
    programs = {
        "sbatch": SBATCH.replace("PYTHON", sys.executable).replace("JOBS", str(jobs)),
        "scontrol": "#!/bin/sh\necho here\n",
        "srun": '#!/bin/sh\nexec "$4" "$5"\n',  # srun -l -n 1 launch_pickled_pipeline PATH
    }
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")  # as on a login node where nothing was activated
    return jobs


def test_slurm_makes_the_same_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: Path) -> None:
    paths = write_input(tmp_path / "in")
    monkeypatch.setattr(build, "PIECE_BYTES", sum(path.stat().st_size for path in paths) // 2)
    asked = recipe(*paths, splits=SHARES)
    local = build_corpus(asked, tmp_path / "local")
    options = {"partition": "cpu", "time": "00:10:00"}
    jobs = submit_corpus(asked, tmp_path / "out", workers=2, slurm=options)
    assert corpus_bytes(tmp_path / "out") == corpus_bytes(tmp_path / "local")
    assert jobs == ["1", "2", "3", "4"]
    assert [line.split() for line in cluster.read_text().splitlines()] == [
        ["dateline-pieces", "--export=ALL,RUN_OFFSET=0"],
        ["dateline-decide", "--export=ALL,RUN_OFFSET=0", "--dependency=afterok:1"],
        ["dateline-shards", "--export=ALL,RUN_OFFSET=0", "--dependency=afterok:2"],
        ["dateline-finish", "--export=ALL,RUN_OFFSET=0", "--dependency=afterok:3"],
    ]
    # the folder is gone, the marks of the job that made it are not: that job is submitted again all the same
    marks = work_folder(tmp_path / "out", plan_corpus(asked)) / "logs"
    assert [path.parts[-3:] for path in sorted(marks.glob("*/completions/*"))] == [("finish", "completions", "00000")]
    shutil.rmtree(tmp_path / "out")
    (cluster.with_name("bin") / "sbatch").write_text("#!/bin/sh\necho Submitted batch job 7\n")
    assert submit_corpus(asked, tmp_path / "out", workers=2, slurm=options) == ["7"] * 4
    assert build_corpus(asked, tmp_path / "out").counts == local.counts
    assert not (tmp_path / ".out.work").exists()


def submit(paths: list[Path], out: Path, **options: Any) -> list[str]:
    return submit_corpus(recipe(*paths), out, slurm={"partition": "cpu", "time": "00:10:00", **options})


def test_what_slurm_cannot_do_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: Path) -> None:
    paths = write_input(tmp_path / "in")
    with pytest.raises(UserError, match=r"^--slurm: .*unexpected keyword argument 'partitoin'; see the arguments of"):
        submit(paths, tmp_path / "out", partitoin="x")
    sbatch = cluster.with_name("bin") / "sbatch"
    sbatch.write_text("#!/bin/sh\necho invalid partition >&2\nexit 3\n")
    with pytest.raises(UserError, match=r"^--executor slurm: sbatch ended with 3; it said why above$"):
        submit(paths, tmp_path / "out")
    sbatch.unlink()
    with pytest.raises(UserError, match=r"^--executor slurm: there is no sbatch on this machine; run it on a login"):
        submit(paths, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_ray_its_executor_is_one_line(
    tmp_path: Path, asked: CorpusRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"^--executor ray: ray is not installed; pip install 'dateline\[ray\]'$"):
        build_corpus(asked, tmp_path / "out", executor="ray", workers=2)


def test_ray_makes_the_same_corpus(tmp_path: Path, asked: CorpusRecipe) -> None:
    ray: Any = pytest.importorskip("ray", reason="ray is not installed; pip install ray to run this test")
    build_corpus(asked, tmp_path / "local")
    try:
        build_corpus(asked, tmp_path / "out", executor="ray", workers=2)
    finally:
        ray.shutdown()
    assert corpus_bytes(tmp_path / "out") == corpus_bytes(tmp_path / "local")


# --- statistics


def test_seconds_are_summed_over_tasks_even_of_steps_that_took_none(tmp_path: Path) -> None:
    step = {"name": "dateline: read", "time_stats": {"total": 1.5, "n": 3, "mean": 0.5}, "stats": {}}
    for number, times in enumerate((step["time_stats"], 0, 2.5)):
        path = tmp_path / "logs" / "pieces" / "stats" / f"{number:05d}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([step | {"time_stats": times}]))
    assert executors.seconds_by_step(tmp_path) == {"read": 4.0}
