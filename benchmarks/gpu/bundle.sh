#!/usr/bin/env bash
# Fills .gpu/ with what benchmarks/gpu/run.sh needs on a machine without a network: wheels, and a Parquet file of news.
#
#     bash benchmarks/gpu/bundle.sh PYTHON NEWS VERSION       (make gpu-bundle; VERSION of that machine's Python: 3.12)
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$1 news=$2 version=$3
LIMIT_MIB=60
[ -f "$news" ] || { echo "gpu-bundle: no file $news; name one with NEWS=FILE.parquet (columns url, title, text)"; exit 2; }
rm -rf .gpu
mkdir -p .gpu/wheels
platforms=()
for tag in manylinux_2_28 manylinux_2_27 manylinux_2_24 manylinux_2_17 manylinux2014 manylinux1; do
  platforms+=(--platform "${tag}_x86_64")
done
"$python" -m pip download --quiet --no-deps --only-binary=:all: --implementation cp --python-version "$version" \
  "${platforms[@]}" --constraint constraints.txt --requirement benchmarks/gpu/wheels.txt --dest .gpu/wheels
# 17 of the 17.4 MB of this wheel are a list of URLs to block, which we do not read
"$python" - .gpu/wheels/datatrove-*.whl <<'PYTHON'
import sys, zipfile
from pathlib import Path
wheel = Path(sys.argv[1])
with zipfile.ZipFile(wheel) as old:
    kept = [(entry, old.read(entry)) for entry in old.infolist() if "url_filterblacklists" not in entry.filename]
with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as new:
    for entry, data in kept:
        new.writestr(entry, data)
PYTHON
cp "$news" .gpu/news.parquet
chmod -R u+w .gpu
size=$(du -sm --apparent-size .gpu | cut -f1)
if [ "$size" -gt "$LIMIT_MIB" ]; then
  echo "gpu-bundle: .gpu/ takes $size MiB, more than $LIMIT_MIB; use a smaller NEWS file (wheels: $(du -sm --apparent-size .gpu/wheels | cut -f1) MiB)"
  exit 2
fi
echo "gpu-bundle: .gpu/ is ready for Python $version: $size MiB (wheels $(du -sm --apparent-size .gpu/wheels | cut -f1), news $(du -sm --apparent-size .gpu/news.parquet | cut -f1)); next: bash benchmarks/gpu/run.sh on the GPU"
