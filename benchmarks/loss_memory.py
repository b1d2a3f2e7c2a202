"""Peak memory and time of the chunked loss against the naive one, at the paper's vocabulary.

Enters: nothing; hidden states, embedding and labels are random. Leaves: a Markdown table.
Deliberately not done: no decoder: what is measured is what stands between hidden states and their gradients.

    python benchmarks/loss_memory.py [--positions 4096] [--hidden-size 256] [--vocab-size 128256] [--device cuda]

Every cell runs in a process of its own. The naive loss is that of a causal LM in transformers: all logits, converted to
float32, then cross-entropy. "Loss and logits" is the highest memory during forward and backward, less what was there
before and less the gradients of hidden states and embedding that both leave behind. On the CPU memory is what the
operating system counts (VmHWM, reset before the loss); on CUDA, what PyTorch's allocator handed out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from dateline.model.loss import cross_entropy_sum

MIB = 2**20
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--positions", type=int, default=4096)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--vocab-size", type=int, default=128_256)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--formats", nargs="+", default=["float32", "bfloat16"], choices=("float32", "bfloat16"))
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args(words)
    if args.alone:
        print(json.dumps(measure(args, *args.alone)))
        return
    own = [
        f"--{name.replace('_', '-')}={getattr(args, name)}"
        for name in ("positions", "hidden_size", "vocab_size", "device")
    ]
    shape = f"{args.positions:,} positions, hidden size {args.hidden_size:,}, vocabulary {args.vocab_size:,}"
    print(f"{shape}, {args.device}\n")
    print("| Format | Loss | Loss and logits, MiB | Gradients, MiB | Seconds | Share of the naive |")
    print("|---|---|--:|--:|--:|--:|", flush=True)
    for precision in args.formats:
        naive = 0.0
        for kind in ("naive", "chunked"):
            command = [sys.executable, __file__, *own, "--alone", kind, precision]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode:  # most likely there is no memory for all logits
                reason = (result.stderr.strip().splitlines() or [f"killed, exit code {result.returncode}"])[-1]
                print(f"| {precision} | {kind} | failed: {reason} | | | |", flush=True)
                continue
            found = json.loads(result.stdout.splitlines()[-1])
            naive = found["peak"] if kind == "naive" else naive
            share = f"{100 * found['peak'] / naive:.1f}%" if naive else "-"
            print(
                f"| {precision} | {kind} | {found['peak'] / MIB:,.0f} | {found['gradients'] / MIB:,.0f} | "
                f"{found['seconds']:.2f} | {share} |",
                flush=True,
            )


def measure(args: argparse.Namespace, kind: str, precision: str) -> dict[str, float]:
    """Returns bytes and seconds of one forward and backward pass."""
    device = torch.device(args.device)
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(args.positions, args.hidden_size, generator=generator).to(device).requires_grad_()
    weight = (0.02 * torch.randn(args.vocab_size, args.hidden_size, generator=generator)).to(device).requires_grad_()
    labels = torch.randint(0, args.vocab_size, (args.positions,), generator=generator).to(device)
    cross_entropy_sum(hidden[:8], weight[:512], labels[:8] % 512).backward()  # libraries take memory at first use
    hidden.grad = weight.grad = None
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    else:
        CLEAR.write_text("5")
        before = resident("VmRSS")
    started = time.perf_counter()
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        if kind == "naive":
            logits = torch.nn.functional.linear(hidden, weight).float()
            loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
            del logits
        else:
            loss = cross_entropy_sum(hidden, weight, labels)
    (loss / args.positions).backward()
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else resident("VmHWM")
    assert hidden.grad is not None
    assert weight.grad is not None
    gradients = hidden.grad.nbytes + weight.grad.nbytes
    return {"peak": peak - before - gradients, "gradients": gradients, "seconds": seconds}


def resident(name: str) -> int:
    """Returns an entry of this process's memory account in bytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
