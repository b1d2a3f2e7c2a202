#!/usr/bin/env bash
# Everything that is to be measured on one GPU, in at most nine minutes. Needs no network: `make gpu-bundle` first.
#
#     bash benchmarks/gpu/run.sh              (PYTHON=python3 with PyTorch and CUDA; results in OUT=runs/gpu)
#     DRY=1 bash benchmarks/gpu/run.sh        (every part at tiny size on a CPU)
#
# Parts: tests, training, news, inference. Each has a time budget and a log, and none stops the next. OUT gets at most
# eight files: summary.md, which is also printed, training.md, inference.md, findings.md, report.html, news.md (what
# dateline experiment printed), tables.tar.gz (Parquet files, recipes, training records) and logs.tar.gz.
set -uo pipefail
cd "$(dirname "$0")/../.."
began=$SECONDS
PYTHON=${PYTHON:-python3}
OUT=$(realpath -m "${OUT:-runs/gpu}")
DRY=${DRY:-}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
mkdir -p "$OUT" "$WORK/logs"
: > "$WORK/times"
here="$PWD/benchmarks"

if [ ! -f .gpu/news.parquet ]; then
  echo "run.sh: .gpu/ is missing; make it with: make gpu-bundle"
  exit 2
fi
if ! "$PYTHON" benchmarks/gpu/install.py .gpu/wheels "$WORK/site"; then
  exit 2
fi
export PYTHONPATH="$PWD/src:$WORK/site" PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=true COLUMNS=160
if [ -z "$DRY" ] && ! "$PYTHON" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  echo "run.sh: PyTorch sees no CUDA device; DRY=1 runs every part at tiny size on the CPU"
  exit 2
fi
if [ -n "$DRY" ]; then
  export CUDA_VISIBLE_DEVICES="" OMP_NUM_THREADS=1
  LIMIT=1800  # a CPU may be slow and busy
else
  LIMIT=525
fi

# part NAME SECONDS COMMAND...: runs a command within its budget and what is left of all; its output goes to the log.
part() {
  local name=$1 budget=$2 started=$SECONDS left=$((LIMIT - (SECONDS - began))) code=0
  shift 2
  if [ -n "$DRY" ] || [ "$budget" -gt "$left" ]; then budget=$left; fi
  if [ "$budget" -lt 5 ]; then
    echo "| $name | left out: no time left | |" >> "$WORK/times"
    return 0
  fi
  timeout --kill-after=10 "$budget" "$@" >> "$WORK/logs/$name.log" 2>&1 || code=$?
  case $code in
    0) local outcome="done" ;;
    124 | 137) local outcome="stopped: its $budget s were up" ;;
    *) local outcome="exit code $code" ;;
  esac
  echo "| $name | $outcome | $((SECONDS - started)) |" >> "$WORK/times"
  return 0
}

# Needs no GPU, and is ready by the time the news part begins.
if [ -n "$DRY" ]; then tiny=(--dry-run); else tiny=(); fi
timeout $((LIMIT / 2)) "$PYTHON" "$here/gpu/news.py" prepare --out "$WORK/news" ${tiny[@]+"${tiny[@]}"} > "$WORK/logs/prepare.log" 2>&1 &
preparing=$!

if [ -n "$DRY" ]; then chosen=(-k cpu); else chosen=(-m cuda); fi
part tests 50 "$PYTHON" -m pytest -v --tb=short -p no:cacheprovider "${chosen[@]}" tests/model/test_attention.py tests/train/test_cuda.py

if [ -n "$DRY" ]; then
  part training 165 "$PYTHON" "$here/gpu_training.py" --dry-run
else
  measure=("$PYTHON" "$here/gpu_training.py" --sizes 1b 0.5b --accumulate 4 --rounds 3 --documents 6000)
  trained=$SECONDS
  part training 125 "${measure[@]}" --minutes 1.7 --only "documents apart" "plain causal" "compile off" "where the time" float8
  part training $((165 - (SECONDS - trained))) "${measure[@]}" --sizes 1b --minutes 0.5 --only "loss" "whole" "recomputed" "itself"
fi

wait "$preparing" || echo "run.sh: the news could not be prepared; see prepare.log in logs.tar.gz"
if [ -n "$DRY" ]; then workers=2 seconds=1200; else workers=6 seconds=215; fi
part news 225 "$PYTHON" "$here/gpu/news.py" run --out "$WORK/news" --seconds "$seconds" --workers "$workers" ${tiny[@]+"${tiny[@]}"}

model="$WORK/news/runs/global-with-seed0"
if [ -n "$DRY" ]; then
  tiny=(--documents 12 --repeats 1) short=(--prompts 4 --tokens 4 --batches 1 4 --repeats 1)
else
  tiny=(--documents 400 --repeats 3 --batch-tokens 65536) short=()
fi
part evaluation 30 "$PYTHON" "$here/evaluation.py" --model "$model" --corpus "$WORK/news/encoded" --window 512 \
  --precisions bfloat16 float32 --loop-precision bfloat16 "${tiny[@]}"
part generation 25 "$PYTHON" "$here/generation.py" --model "$model" --corpus "$WORK/news/encoded" ${short[@]+"${short[@]}"}

# What is kept.
for name in training news; do cp "$WORK/logs/$name.log" "$OUT/$name.md" 2>/dev/null; done
cat "$WORK/logs/evaluation.log" "$WORK/logs/generation.log" > "$OUT/inference.md" 2>/dev/null
for name in findings.md report.html; do cp "$WORK/news/$name" "$OUT/$name" 2>/dev/null; done
tar -czf "$OUT/logs.tar.gz" -C "$WORK" logs
if [ -d "$WORK/news" ]; then
  (cd "$WORK/news" && find . -path ./corpus/data -prune -o -type f \( -name '*.parquet' -o -name 'manifest.json' -o \
    -name 'recipe*.yaml' -o -name 'metrics.jsonl' -o -name 'summary.json' -o -name 'samples.json' \) -print0 |
    tar -czf "$OUT/tables.tar.gz" --null --files-from=-)
fi
"$PYTHON" benchmarks/gpu/summary.py "$WORK" "$OUT" $((SECONDS - began)) | tee "$OUT/summary.md"
