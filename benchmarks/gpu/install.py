"""Installs of a folder of wheels what is missing here, into a folder; says in one line what is missing even then.

python benchmarks/gpu/install.py WHEELS SITE
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def main(wheels: Path, site: Path) -> int:
    installed = versions()
    missing = [
        wheel for wheel in sorted(wheels.glob("*.whl")) if canonicalize_name(wheel.name.split("-")[0]) not in installed
    ]
    if missing:
        words = [
            "--quiet",
            "--no-index",
            "--no-deps",
            "--no-compile",
            "--disable-pip-version-check",
            "--target",
            str(site),
        ]
        code = subprocess.run(
            [sys.executable, "-m", "pip", "install", *words, *map(str, missing)], check=False
        ).returncode
        if code:
            print(
                f"install.py: pip could not install the wheels of {wheels}; are they for Python "
                f"{sys.version_info.major}.{sys.version_info.minor}? make gpu-bundle GPU_PYTHON=X.Y"
            )
            return 2
    sys.path.insert(0, str(site))
    installed |= versions()
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wrong = []
    for requirement in map(Requirement, project["dependencies"]):
        version = installed.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement} (here: {version or 'none'})")
    if wrong:
        print(f"install.py: missing here: {', '.join(wrong)}; install it, or add it to benchmarks/gpu/wheels.txt")
        return 2
    print(f"{len(missing)} packages installed of {len(list(wheels.glob('*.whl')))} carried", flush=True)
    return 0


def versions() -> dict[str, str]:
    return {canonicalize_name(re.split("[ ;]", found.metadata["Name"])[0]): found.version for found in distributions()}


if __name__ == "__main__":
    raise SystemExit(main(*map(Path, sys.argv[1:])))
