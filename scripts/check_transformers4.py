"""Opens a checkpoint with transformers 4.56 and compares token ids and logits with those of the installed version.

    python scripts/check_transformers4.py

transformers 4.56 is downloaded into a folder of its own, with the versions of tokenizers and huggingface_hub that it
wants; torch is shared. Where the package index does not answer, the check is skipped with a line that says so (code 0).
Exit code 1 where the two versions disagree.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers

from dateline.cli import main as dateline

PACKAGES = ("transformers==4.56.2", "tokenizers>=0.22,<0.23", "huggingface_hub>=0.34,<1.0")
RECIPE = """
packing: {sequence_length: 256}
model: {size: pico, max_positions: 256, rope_theta: 50000.0}  # not the base of a reader that finds none
schedule: {warmup_steps: 1}
train: {steps: 3, batch_rows: 2, validate_every: 0, checkpoint_every: 0}
"""
TEXTS = (
    "URL: punchng.com\nCOUNTRY: ng\nCONTINENT: Africa\nTITLE: Budget passed\n\nCONTENT: The House sat late.",
    "TITLE: no place\n\nCONTENT:",
    "  blanks, line\n\n ends, 2026 and caf\u00e9 \U0001f600",
    "<|user|>hello<|end|>",
)
READER = """
import json, sys, torch, transformers
folder, texts = sys.argv[1], json.loads(sys.argv[2])
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model = transformers.AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()
ids = [tokenizer(text)["input_ids"] for text in texts]
with torch.no_grad():
    logits = [model(torch.tensor([one])).logits[0, -1].tolist() for one in ids]
chat = tokenizer.apply_chat_template([{"role": "user", "content": "x"}], place={"country": "ng"})
print(json.dumps({"version": transformers.__version__, "ids": ids, "logits": logits, "chat": list(chat)}))
"""


def read(folder: Path, packages: Path | None) -> dict[str, object]:
    """Reads the checkpoint in a process of its own, with the packages of a folder in front of the installed ones."""
    path = os.pathsep.join(filter(None, [str(packages) if packages else "", os.environ.get("PYTHONPATH", "")]))
    code = READER if packages else READER.replace("place={", "return_dict=False, place={")
    command = [sys.executable, "-c", code, str(folder), json.dumps(TEXTS)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the checkpoint cannot be opened:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def main() -> int:
    """Returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="dateline-") as name:
        scratch = Path(name)
        install = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--retries",
            "1",
            "--no-deps",
            "--target",
            str(scratch / "old"),
        ]
        try:
            subprocess.run([*install, *PACKAGES], capture_output=True, text=True, timeout=300, check=True)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            reason = (str(error.stderr or error).strip().splitlines() or ["no reason given"])[-1]
            print(f"skipped: transformers 4.56 could not be installed ({reason})")
            return 0
        (scratch / "recipe.yaml").write_text(f"data: {scratch / 'encoded'}\n{RECIPE}", encoding="utf-8")
        for words in (
            ["newswire", "--articles", "300", "--out", f"{scratch / 'corpus'}"],
            ["encode", f"{scratch / 'corpus'}", "--out", f"{scratch / 'encoded'}", "--vocab-size", "600"],
            ["train", f"{scratch / 'recipe.yaml'}", "--out", f"{scratch / 'run'}"],
        ):
            if code := dateline(words):
                return code
        folder = scratch / "run" / "model"
        new, old = read(folder, None), read(folder, scratch / "old")
    print(f"transformers {new['version']} and {old['version']} (torch {torch.__version__})")
    assert new["version"] == transformers.__version__
    assert str(old["version"]).startswith("4.56")
    for what in ("ids", "chat"):
        if new[what] != old[what]:
            print(f"different {what}: {new[what]} and {old[what]}")
            return 1
    difference = float((torch.tensor(new["logits"]) - torch.tensor(old["logits"])).abs().max())
    print(f"the same ids of {len(TEXTS)} texts and a chat; largest difference of logits {difference:.1e}")
    return 0 if difference < 1e-4 else 1


if __name__ == "__main__":
    sys.exit(main())
