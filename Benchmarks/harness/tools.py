"""Builds the rig, our servers and the peers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
RIG = BENCHMARKS / "Rig"
OUTPUT = BENCHMARKS / ".build" / "rig"
PYTHON = BENCHMARKS / ".build" / "python"
GO_PACKAGES = Path("/usr/share/gocode")


class Missing(Exception):
    """Something the machine must have first; the text says how to get it."""


def run(command: list[str], directory: Path, environment: dict[str, str] | None = None) -> str:
    """Runs `command`, returns what it printed; shows the output only where it fails."""
    done = subprocess.run(
        command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise Missing(f"`{' '.join(command)}` failed in {directory.name}:\n{done.stdout}{done.stderr}")
    return done.stdout


def rig_tool(name: str, libraries: tuple[str, ...] = ("-luring", "-lpthread")) -> Path:
    """Builds one C program of the rig."""
    return c_program(RIG / f"{name}.c", libraries)


def libuv_peer(name: str) -> Path:
    """Builds one C program that stands on libuv."""
    return c_program(BENCHMARKS / "Peers" / "libuv" / f"{name}.c", ("-luv",))


def c_program(source: Path, libraries: tuple[str, ...]) -> Path:
    """Builds a C program where its source is newer than the binary."""
    if shutil.which("gcc") is None:
        raise Missing("gcc is needed for what is written in C: apt-get install gcc")
    if "-luv" in libraries and not Path("/usr/include/uv.h").exists():
        raise Missing("a peer needs libuv: apt-get install libuv1-dev")
    if "-luring" in libraries and not Path("/usr/include/liburing.h").exists():
        raise Missing("the load generator needs liburing: apt-get install liburing-dev")
    binary = OUTPUT / source.stem
    newest = max(part.stat().st_mtime for part in [source, *source.parent.glob("*.h")])
    if not binary.exists() or binary.stat().st_mtime < newest:
        print(f"building {source.stem}", flush=True)
        OUTPUT.mkdir(parents=True, exist_ok=True)
        # Compiled beside the place and renamed, so that two runs never execute half a file.
        fresh = OUTPUT / f"{source.stem}.{os.getpid()}"
        run(["gcc", "-O3", "-march=native", "-o", str(fresh), str(source), *libraries], BENCHMARKS)
        fresh.rename(binary)
    return binary


def go_program(name: str, folder: str, packages: dict[str, str]) -> Path:
    """Builds a program of `Peers/FOLDER` with what Debian packages, whose sources lie in a GOPATH and are no modules.

    `packages` has Debian's names by what they bring.
    """
    missing = [package for path, package in packages.items() if not (GO_PACKAGES / "src" / path).exists()]
    if shutil.which("go") is None or missing:
        raise Missing(f"a peer needs Go: apt-get install {' '.join(['golang-go', *missing])}")
    print(f"building {name}", flush=True)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(GO_PACKAGES), "GOFLAGS": ""}
    run(["go", "build", "-o", str(OUTPUT / name), "."], BENCHMARKS / "Peers" / folder, environment)
    return OUTPUT / name


def python_with(*packages: str) -> Path:
    """An interpreter that has these packages, each with its version."""
    python = PYTHON / "bin" / "python"
    if not python.exists():
        run([sys.executable, "-m", "venv", str(PYTHON)], BENCHMARKS)
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([str(python), *pip, *packages], BENCHMARKS)
    return python


def swift_product(package: Path, product: str) -> Path:
    """Builds one product of a package in release and returns the executable."""
    print(f"building {product}", flush=True)
    run(["swift", "build", "-c", "release", "--product", product], package)
    folder = run(["swift", "build", "-c", "release", "--show-bin-path"], package).strip()
    return Path(folder) / product
