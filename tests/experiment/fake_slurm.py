"""Stands for Slurm on this machine, as far as submitit asks it: sbatch, srun, sacct, scancel, and scontrol requeue.

Run as `fake_slurm.py COMMAND WORDS`; the folder FAKE_SLURM holds its state: scripts, and for each task of a job files
with its state and what was asked of it. Array tasks run as local processes, as many at a time as `--array` allows. A
task whose number is in `warn.json` is sent SIGUSR2, once, as soon as the file named there exists: its time is up.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

STATE = Path(os.environ["FAKE_SLURM"])
LOOK = 0.05
"""Seconds between two looks at processes and files."""


def flags(script):
    """What the script asks for."""
    lines = [line.removeprefix("#SBATCH --") for line in script.read_text().splitlines() if line.startswith("#SBATCH")]
    return {key: value.strip("'") for key, _, value in (line.partition("=") for line in lines)}


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("", 0))
        return str(one.getsockname()[1])


def sbatch(script):
    """Queues a job."""
    number = 4000 + sum(1 for _ in STATE.glob("*.sh"))
    copy = STATE / f"{number}.sh"
    copy.write_text(Path(script).read_text())
    tasks, _, _ = flags(copy).get("array", "").partition("%")
    names = [f"{number}_{task}" for task in range(int(tasks.partition("-")[2]) + 1)] if tasks else [str(number)]
    for name in names:
        (STATE / f"{name}.state").write_text("PENDING")
    with (STATE / "log").open("a") as log:
        subprocess.Popen(
            [sys.executable, __file__, "control", str(number), *names],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    print(f"Submitted batch job {number}")


def control(number, *names):
    """Runs the tasks of a job."""
    asked = flags(STATE / f"{number}.sh")
    parallel = int(asked.get("array", "%1").partition("%")[2])
    waiting, running = list(names), {}
    while waiting or running:
        while waiting and len(running) < parallel:
            name = waiting.pop(0)
            if (STATE / f"{name}.cancel").exists():
                (STATE / f"{name}.state").write_text("CANCELLED by 0")
                continue
            environment = {
                "SLURM_JOB_ID": number, "SLURM_JOB_NUM_NODES": "1", "SLURM_JOB_NODELIST": "localhost",
                "SLURM_NTASKS": asked["ntasks-per-node"], "SLURM_NODEID": "0", "FAKE_SLURM_NAME": name,
                "MASTER_PORT": free_port(),  # submitit draws one from the number of the job, which all tests share
            }  # fmt: skip
            if "_" in name:
                environment |= {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": name.partition("_")[2]}
            running[name] = subprocess.Popen(
                ["bash", STATE / f"{number}.sh"], env={**os.environ, **environment}, start_new_session=True
            )
            (STATE / f"{name}.pid").write_text(str(running[name].pid))
            (STATE / f"{name}.state").write_text("RUNNING")
            if (STATE / f"{name}.cancel").exists():  # scancel found no process yet
                os.killpg(running[name].pid, signal.SIGTERM)
        time.sleep(LOOK)
        for name, process in list(running.items()):
            if process.poll() is None:
                continue
            del running[name]
            again, cancelled = STATE / f"{name}.requeue", STATE / f"{name}.cancel"
            if again.exists():
                again.unlink()
                (STATE / f"{name}.state").write_text("PENDING")
                waiting.append(name)
            else:
                ended = "COMPLETED" if process.returncode == 0 else "FAILED"
                (STATE / f"{name}.state").write_text("CANCELLED by 0" if cancelled.exists() else ended)


def srun(*words):
    """Starts the processes of a task."""
    name, options, rest = os.environ["FAKE_SLURM_NAME"], {}, list(words)
    while rest[0].startswith("--"):
        key, equals, value = rest.pop(0).partition("=")
        options[key] = value if equals or key == "--unbuffered" else rest.pop(0)
    job, _, task = name.partition("_")
    processes = []
    for rank in range(int(os.environ["SLURM_NTASKS"])):
        places = {"%A": job, "%a": task, "%j": job, "%t": str(rank)}
        files = []
        for key in ("--output", "--error"):
            path = options[key]
            for mark, text in places.items():
                path = path.replace(mark, text)
            files.append(Path(path).open("a"))  # noqa: SIM115
        environment = {**os.environ, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
        processes.append(subprocess.Popen(rest, env=environment, stdout=files[0], stderr=files[1]))
    warned = STATE / f"{name}.warned"
    after = json.loads((STATE / "warn.json").read_text()).get(task) if (STATE / "warn.json").exists() else None
    while any(process.poll() is None for process in processes):
        if after and Path(after).exists() and not warned.exists():
            warned.touch()
            for process in processes:
                process.send_signal(signal.SIGUSR2)
        if "--kill-on-bad-exit" in options and any(process.poll() for process in processes):
            for process in processes:
                process.terminate()
        time.sleep(LOOK)
    sys.exit(any(process.returncode for process in processes))


def sacct(*words):
    """Tells the states of all tasks."""
    print("JobID|State|NodeList")
    for path in sorted(STATE.glob("*.state")):
        print(f"{path.stem}|{path.read_text()}|localhost")


def scancel(name):
    """Ends a task."""
    (STATE / f"{name}.cancel").touch()
    if (STATE / f"{name}.pid").exists():
        os.killpg(int((STATE / f"{name}.pid").read_text()), signal.SIGTERM)


def scontrol(word, name):
    """Queues a task again."""
    assert word == "requeue"
    (STATE / f"{name}.requeue").touch()


if __name__ == "__main__":
    {one.__name__: one for one in (sbatch, control, srun, sacct, scancel, scontrol)}[sys.argv[1]](*sys.argv[2:])
