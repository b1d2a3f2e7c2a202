"""Training on one GPU: the floor, then the gap. Tokens per second, MFU, memory, and where the time goes.

Prints Markdown tables of random documents with lengths like news, over a vocabulary of 128,256; row by row as they are
measured, the most important first, so that a run cut short still has its table. One process, no network, no validation
or checkpoints; float8 only where torchao is installed.

    python benchmarks/gpu_training.py [--sizes 1b 0.5b] [--sequence-lengths 2048] [--minutes 8]
    python benchmarks/gpu_training.py --dry-run          (a CPU and seconds: a tiny model, to see that it runs)

The ceiling is the rate of large square bf16 matrix products on this device, median of 30, random data. Model FLOPs of a
step: 6 for every weight of a decoder matrix and token, 12 * layers * hidden_size for every position attended (inside
the document, so about half its length), 6 * vocabulary * hidden_size for every token on which loss is taken; padding
counts as nothing. MFU = model FLOPs per second over the ceiling. A step is `--accumulate` forward and backward passes
of `--micro-tokens` tokens, clipping and the optimizer, with the functions of which `dateline train` is made; the row
"train_model itself" is the real loop. "Waiting" is the share of the time in which a step waited for the loader. In the
row "against plain causal attention" both take turns: positive numbers are what keeping documents apart costs. In the
row "where the time goes", the GPU is busy while a kernel runs; the rest of the step it waits for the host.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from loader import PAPER_VOCABULARY, make_recipe, write_encoded

from dateline.model import loss as loss_module
from dateline.model.attention import ATTENTION, locate_documents
from dateline.model.load import build_model, llama_config
from dateline.model.loss import cross_entropy_sum
from dateline.model.sizes import SIZES, ModelRecipe, flops_per_token
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import load_tokenizer
from dateline.train.loop import train_model
from dateline.train.optim import build_optimizer
from dateline.train.parallel import autocast
from dateline.train.recipe import TrainRecipe, build_loader

PARTS = ("decoder", "loss", "backward", "optimizer")
HEAD = (
    "| Size | Sequence | What | tokens/s | MFU | Fill | Waiting | Peak, GiB | {} |\n|---|--:|---|--:|--:|--:|--:|--:|{}"
)
KINDS = (
    ("attention", ("flash", "fmha", "attention", "attn", "sdpa")),
    ("matrix products", ("gemm", "nvjet", "cutlass", "cublas", "wgmma", "aten::mm", "addmm", "aten::bmm")),
    ("optimizer and clipping", ("adam", "multi_tensor", "lpnorm", "foreach")),
    ("fused by torch.compile", ("triton",)),
    ("copies and casts", ("memcpy", "memset", "copy", "cat", "index_select", "gather", "scatter", "fill")),
    ("reductions", ("reduce", "softmax", "norm", "sum", "amax")),
    ("elementwise", ("elementwise", "aten::mul", "aten::add", "aten::exp", "aten::sub", "aten::div", "silu")),
)
"""Names of kernels by kind; the first that fits counts."""


NOMINAL = {"H100 PCIe": 756e12, "H100 NVL": 835e12, "H100": 989e12, "H200": 989e12, "A100": 312e12}
"""FLOP/s of dense bf16 products that the maker states, by a part of the device's name; the first that fits counts."""


class Measured(NamedTuple):
    """What some steps took."""

    seconds: float
    tokens: int
    size: int
    flops: float
    waited: float
    parts: dict[str, float]


class Bench:
    """A model, its optimizer and its rows on one device."""

    def __init__(self, recipe: TrainRecipe, device: torch.device, vocab_size: int, accumulate: int) -> None:
        self.recipe, self.device, self.vocab_size, self.accumulate = recipe, device, vocab_size, accumulate
        corpus = EncodedCorpus.open(recipe.data)
        tokenizer = load_tokenizer(corpus.tokenizer_folder)
        loader = build_loader(recipe, corpus, tokenizer)
        self.batches = loader.batches()
        config = llama_config(recipe.model, len(tokenizer), bos=loader.bos, eos=loader.eos, pad=loader.pad)
        with device:  # weights are drawn there: what they are does not matter for speed, and a CPU takes ten seconds
            self.model: Any = build_model(config, recipe.seed, device)
        self.optimizer = build_optimizer(recipe.optimizer, self.model)
        self.decoder: Any = self.model.model

    def compile(self, how: str) -> None:
        """Compiles the decoder `whole`, its `layers` one by one (all share one kernel set), or nothing (`off`)."""
        torch._dynamo.reset()
        for layer in self.model.model.layers:
            layer._compiled_call_impl = None
            if how == "layers":
                layer.compile()
        self.decoder = torch.compile(self.model.model) if how == "whole" else self.model.model

    def recompute(self, *, on: bool) -> None:
        """Keeps or forgets the activations inside every layer; the name of the method depends on transformers."""
        way = "enable" if on else "disable"
        old = getattr(self.model, f"gradient_checkpointing_{way}")
        change = getattr(self.model, f"activation_checkpointing_{way}", old)
        change(*([{"use_reentrant": False}] if on else []))
        self.model.train()

    def steps(self, number: int, *, causal: bool = False) -> Measured:
        """Takes optimizer steps and measures them together."""
        self.model.set_attn_implementation("sdpa" if causal else ATTENTION)
        tokens = size = 0
        flops = waited = 0.0
        marks: list[tuple[str, Any, Any]] = []
        self._wait()
        started = time.perf_counter()
        for _ in range(number):
            for _ in range(self.accumulate):
                asked = time.perf_counter()
                batch = next(self.batches)
                waited += time.perf_counter() - asked
                flops += self._flops(batch, causal=causal)
                tokens += batch.num_tokens
                size += batch.input_ids.size
                self._forward_and_backward(batch, marks, causal=causal)
            begun = self._mark()
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.optimizer.clip_norm)
            assert torch.isfinite(norm)  # as in training, where the host waits for this number
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            marks.append(("optimizer", begun, self._mark()))
        self._wait()
        parts: Counter[str] = Counter()
        for name, begin, end in marks:
            parts[name] += begin.elapsed_time(end) / 1e3 if self.device.type == "cuda" else end - begin
        return Measured(time.perf_counter() - started, tokens, size, flops, waited, dict(parts))

    def _forward_and_backward(self, batch: Any, marks: list[tuple[str, Any, Any]], *, causal: bool) -> None:
        inputs: dict[str, Any] = {"input_ids": self._move(batch.input_ids), "use_cache": False}
        if not causal:
            inputs["position_ids"] = self._move(batch.position_ids)
            inputs["documents"] = locate_documents(batch.segment_lengths, self.device)
        labels = self._move(batch.labels)
        num_labels = int((batch.labels >= 0).sum())
        begun = self._mark()
        with autocast(self.device, torch.bfloat16):
            hidden = self.decoder(**inputs).last_hidden_state
            forward = self._mark()
            loss = cross_entropy_sum(hidden, self.model.lm_head.weight, labels) / (num_labels * self.accumulate)
        between = self._mark()
        torch.autograd.backward(loss)
        marks += zip(PARTS, (begun, forward, between), (forward, between, self._mark()), strict=False)

    def _flops(self, batch: Any, *, causal: bool) -> float:
        rows, length = batch.input_ids.shape
        lengths = torch.full((rows,), length) if causal else torch.from_numpy(batch.segment_lengths)
        attended = float((lengths.double() * (lengths + 1) / 2).sum() / lengths.sum())
        head = 6.0 * self.vocab_size * SIZES[self.recipe.model.size].hidden_size * int((batch.labels >= 0).sum())
        return batch.num_tokens * flops_per_token(self.recipe.model, 0, attended) + head

    def _move(self, array: Any) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else tensor

    def _mark(self) -> Any:
        if self.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def main(words: Sequence[str] | None = None) -> None:
    args = parse(words)
    device = torch.device("cpu" if args.dry_run or not torch.cuda.is_available() else "cuda")
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU ({platform.processor() or 'unknown'})"
    print(f"{time.strftime('%Y-%m-%d')}, {name}, PyTorch {torch.__version__}; {' '.join(sys.argv[1:])}\n", flush=True)
    started = time.monotonic()
    sides = args.matrices or ([4096, 8192, 16384] if device.type == "cuda" else [512, 1024])
    rates = {side: matrix_rate(side, side, side, device) for side in sides}
    ceiling = max(rates.values())
    found = ", ".join(f"{side}: {rate / 1e12:.1f}" for side, rate in rates.items())
    stated = next((rate for part, rate in NOMINAL.items() if part in name), None)
    nominal = f" ({100 * ceiling / stated:.0f}% of the {stated / 1e12:.0f} that its maker states)" if stated else ""
    print(
        f"Square bf16 matrix products, TFLOP/s by side: {found}. Ceiling: {ceiling / 1e12:.1f}{nominal}.\n", flush=True
    )
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "encoded"
        write_encoded(folder, documents=args.documents, vocab_size=args.vocab_size, median_tokens=args.median_tokens)
        cases = [(size, length) for length in args.sequence_lengths for size in args.sizes]
        work = [flops_per_token(ModelRecipe(size=size), args.vocab_size, length / 2) for size, length in cases]
        for number, (size, length) in enumerate(cases):
            deadline = started + 60 * args.minutes * sum(work[: number + 1]) / sum(work)
            rows = max(1, args.micro_tokens // length)
            recipe = make_recipe(folder, size, length, rows, steps=1_000_000)
            print(
                f"Matrix products of {size} at these shapes: {model_matrix_rate(recipe, args, device)}.\n", flush=True
            )
            Case(recipe, args, device, ceiling, deadline, Path(root)).measure()


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["1b", "0.5b"], choices=tuple(SIZES))
    parser.add_argument("--sequence-lengths", type=int, nargs="+", default=[2048])
    parser.add_argument("--micro-tokens", type=int, default=16_384, help="tokens in a forward pass")
    parser.add_argument("--accumulate", type=int, default=8, help="forward passes in a step")
    parser.add_argument("--steps", type=int, default=3, help="steps of a measurement")
    parser.add_argument("--rounds", type=int, default=4, help="turns of documents against causal attention")
    parser.add_argument("--vocab-size", type=int, default=PAPER_VOCABULARY)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--median-tokens", type=float, default=500)
    parser.add_argument("--minutes", type=float, default=8, help="nothing new is begun after that")
    parser.add_argument("--only", nargs="+", help="rows whose name contains one of these words")
    parser.add_argument("--no-compile", action="store_true", help="leave out what torch.compile makes")
    parser.add_argument("--matrices", type=int, nargs="+", help="sides of the square matrices")
    parser.add_argument("--dry-run", action="store_true", help="a tiny model on the CPU")
    args = parser.parse_args(words)
    if args.dry_run:
        args.sizes, args.sequence_lengths, args.micro_tokens, args.accumulate = ["pico"], [128], 256, 2
        args.steps, args.rounds, args.vocab_size, args.documents, args.median_tokens = 1, 2, 600, 300, 60
        args.matrices, args.no_compile = [128], True
    return args


def matrix_rate(rows: int, inner: int, columns: int, device: torch.device, repeats: int = 30) -> float:
    """Returns the FLOP/s of a bf16 matrix product of random numbers, median."""
    left = torch.randn(rows, inner, device=device, dtype=torch.bfloat16)
    right = torch.randn(inner, columns, device=device, dtype=torch.bfloat16)
    seconds = []
    for repeat in range(repeats + 10):
        if device.type == "cuda":
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            left @ right
            end.record()
            end.synchronize()
            taken = begin.elapsed_time(end) / 1e3
        else:
            begun = time.perf_counter()
            left @ right
            taken = time.perf_counter() - begun
        if repeat >= 10:
            seconds.append(taken)
    return 2.0 * rows * inner * columns / statistics.median(seconds)


def model_matrix_rate(recipe: TrainRecipe, args: argparse.Namespace, device: torch.device) -> str:
    """Returns the rate of a model's matrices, each multiplied alone at the shapes that it has in training."""
    shape = SIZES[recipe.model.size]
    narrow = shape.hidden_size * shape.num_key_value_heads // shape.num_heads
    hidden, wide = shape.hidden_size, shape.intermediate_size
    layer = [(hidden, hidden, 2), (hidden, narrow, 2), (hidden, wide, 2), (wide, hidden, 1)]
    flops = seconds = 0.0
    shapes = [(i, o, count * shape.num_layers) for i, o, count in layer] + [(hidden, args.vocab_size, 1)]
    for inner, columns, count in shapes:
        rows = args.micro_tokens if columns != args.vocab_size else loss_module.chunk_rows(columns, device.type)
        times = count * args.micro_tokens / rows
        flops += 2.0 * rows * inner * columns * times
        seconds += 2.0 * rows * inner * columns * times / matrix_rate(rows, inner, columns, device, repeats=10)
    return f"{flops / seconds / 1e12:.1f} TFLOP/s alone, which is what they could reach if nothing else took time"


class Case:
    """All rows of one size and sequence length."""

    def __init__(
        self, recipe: TrainRecipe, args: argparse.Namespace, device: torch.device, ceiling: float, deadline: float,
        folder: Path,
    ) -> None:  # fmt: skip
        self.recipe, self.args, self.device, self.ceiling = recipe, args, device, ceiling
        self.deadline, self.folder = deadline, folder
        self.bench: Bench | None = None

    def measure(self) -> None:
        """Measures row after row until the time is up."""
        print(HEAD.format(" | ".join(f"{part}, %" for part in PARTS), "--:|" * len(PARTS)), flush=True)
        best = "off" if self.args.no_compile else "layers"
        rows: list[tuple[str, Callable[[], str]]] = [
            (f"documents apart, compile {best}", partial(self._speed, best)),
            ("against plain causal attention", self._pair),
            ("compile off", partial(self._speed, "off")),
            ("where the time goes", self._profile),
            ("float8 (torchao)", self._float8),
            ("loss compiled", self._compiled_loss),
            ("compile whole", partial(self._speed, "whole")),
            ("loss in chunks of 128 MiB", partial(self._chunks, 2**27)),
            ("loss in chunks of 1 GiB", partial(self._chunks, 2**30)),
            ("activations recomputed", partial(self._speed, best, recompute=True)),
            ("train_model itself", self._engine),
        ]
        for name, row in rows:
            if self.args.only and not any(word in name for word in self.args.only):
                continue
            if self.args.no_compile and name in ("compile off", "compile whole", "loss compiled"):
                continue
            self._print(name, row)
        print(flush=True)

    def _print(self, name: str, row: Callable[[], str]) -> None:
        if time.monotonic() > self.deadline:
            found = "not measured: the time (--minutes) was up"
        else:
            try:
                if self.bench is None:
                    self.bench = Bench(self.recipe, self.device, self.args.vocab_size, self.args.accumulate)
                    self.bench.compile("off" if self.args.no_compile else "layers")
                found = row()
            except Exception as error:  # one row that fails must not cost the others: it says so in the table
                traceback.print_exc()
                found = f"failed: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        print(f"| {self.recipe.model.size} | {self.recipe.packing.sequence_length} | {name} | {found} |", flush=True)

    def _steps(self) -> Measured:
        assert self.bench is not None
        self._warm_up(causal=False)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        return self.bench.steps(self.args.steps)

    def _warm_up(self, *, causal: bool) -> None:
        """Takes two steps at least, and more until one is no slower than those before: then nothing is compiled."""
        assert self.bench is not None
        seconds = [self.bench.steps(1, causal=causal).seconds]
        while len(seconds) < 6:
            seconds.append(self.bench.steps(1, causal=causal).seconds)
            if seconds[-1] <= 1.2 * min(seconds[:-1]) and seconds[-1] >= seconds[-2] / 1.5:
                return

    def _describe(self, taken: Measured) -> str:
        peak = f"{torch.cuda.max_memory_allocated() / 2**30:.1f}" if self.device.type == "cuda" else "-"
        mfu = taken.flops / taken.seconds / self.ceiling
        shares = " | ".join(f"{100 * taken.parts[part] / taken.seconds:.1f}" for part in PARTS)
        return (
            f"{taken.tokens / taken.seconds:,.0f} | {100 * mfu:.1f}% | {100 * taken.tokens / taken.size:.2f}% | "
            f"{100 * taken.waited / taken.seconds:.2f}% | {peak} | {shares}"
        )

    def _speed(self, how: str, *, recompute: bool = False) -> str:
        assert self.bench is not None
        self.bench.compile(how)
        if recompute:
            self.bench.recompute(on=True)
        try:
            return self._describe(self._steps())
        finally:
            self.bench.recompute(on=False)
            self.bench.compile("off" if self.args.no_compile else "layers")

    def _pair(self) -> str:
        assert self.bench is not None
        per_token: dict[bool, list[float]] = {False: [], True: []}
        for causal in (False, True):
            self._warm_up(causal=causal)
        for turn in range(self.args.rounds):
            for causal in (False, True) if turn % 2 else (True, False):
                taken = self.bench.steps(1, causal=causal)
                per_token[causal].append(taken.seconds / taken.size)
        ratios = [100 * (apart / plain - 1) for apart, plain in zip(*per_token.values(), strict=True)]
        return f"{statistics.median(ratios):+.1f}% time [{min(ratios):+.1f}, {max(ratios):+.1f}]"

    def _chunks(self, size: int) -> str:
        with patch.object(loss_module, "CUDA_CHUNK_BYTES", size):
            return self._describe(self._steps())

    def _compiled_loss(self) -> str:
        with patch.object(loss_module, "_chunk", torch.compile(loss_module._chunk, dynamic=True)):
            return self._describe(self._steps())

    def _profile(self) -> str:
        from torch.profiler import ProfilerActivity, profile

        assert self.bench is not None
        self._warm_up(causal=False)
        on_gpu = self.device.type == "cuda"
        with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as seen:
            taken = self.bench.steps(1)
        kernels: Counter[str] = Counter()
        times: Counter[str] = Counter()
        for event in seen.key_averages():
            spent = event.self_device_time_total if on_gpu else event.self_cpu_time_total
            name = event.key.lower()
            times[next((kind for kind, words in KINDS if any(word in name for word in words)), "other")] += spent
            kernels[event.key[:50].replace("|", "/")] += spent
        total = times.total()
        shares = [f"{kind} {100 * spent / total:.1f}%" for kind, spent in times.most_common()]
        largest = [f"{name} {100 * spent / total:.1f}%" for name, spent in kernels.most_common(6)]
        busy = f"GPU busy {100 * total / 1e6 / taken.seconds:.1f}% of a step; of that: " if on_gpu else ""
        return f"{busy}{'; '.join(shares)}. Largest kernels: {'; '.join(largest)}"

    def _engine(self) -> str:
        rows = self.recipe.train.batch_rows
        steps = {"steps": 6, "batch_rows": rows * self.args.accumulate, "micro_rows": rows, "log_every": 2}
        training = self.recipe.train.model_dump() | steps | {"device": str(self.device), "precision": "bfloat16"}
        if self.args.no_compile:
            training["compile"] = "off"
        recipe = TrainRecipe.model_validate(self.recipe.model_dump() | {"train": training})
        out = self.folder / f"{recipe.model.size}-{recipe.packing.sequence_length}"
        train_model(recipe, out)
        records = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        last = [record for record in records if record["kind"] == "train"][2:]
        speed = statistics.median(float(record["tokens_per_second"]) for record in last)
        mfu = statistics.median(float(record["flops_per_second"]) for record in last) / self.ceiling
        return f"{speed:,.0f} | {100 * mfu:.1f}% (head counted for every token) | {100 * last[-1]['fill']:.2f}%"

    def _float8(self) -> str:
        assert self.bench is not None
        try:
            from torchao.float8 import convert_to_float8_training
        except ImportError:
            return "not installed (pip install torchao)"
        if self.device.type != "cuda" or torch.cuda.get_device_capability() < (8, 9):
            return "needs a GPU that multiplies float8 (compute capability 8.9)"
        convert_to_float8_training(self.bench.model.model)
        try:
            return self._speed("layers")
        finally:
            self.bench = None  # what was converted stays so: the next row begins with another model


if __name__ == "__main__":
    main()
