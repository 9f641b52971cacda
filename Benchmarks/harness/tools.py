"""Builds the rig, our servers and the peers."""

import ctypes.util
import os
import shutil
import subprocess
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
RIG = BENCHMARKS / "Rig"
OUTPUT = BENCHMARKS / ".build" / "rig"


class Missing(Exception):
    """Something the machine must have first; the text says how to get it."""


def run(command: list[str], directory: Path) -> str:
    """Runs `command`, returns what it printed; shows the output only where it fails."""
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing(f"`{' '.join(command)}` failed in {directory.name}:\n{done.stdout}{done.stderr}")
    return done.stdout


def rig_tool(name: str, libraries: tuple[str, ...] = ("-luring", "-lpthread")) -> Path:
    """Builds one C program of the rig where its source is newer than the binary."""
    if shutil.which("gcc") is None:
        raise Missing("gcc is needed for the rig: apt-get install gcc")
    if "-luv" in libraries and not Path("/usr/include/uv.h").exists():
        raise Missing("libuv's timers need libuv: apt-get install libuv1-dev")
    if "-luring" not in libraries:
        pass
    elif ctypes.util.find_library("uring") is None or not Path("/usr/include/liburing.h").exists():
        raise Missing("the load generator needs liburing: apt-get install liburing-dev")
    source, binary = RIG / f"{name}.c", OUTPUT / name
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        print(f"building {name}", flush=True)
        OUTPUT.mkdir(parents=True, exist_ok=True)
        # Compiled beside the place and renamed, so that two runs never execute half a file.
        fresh = OUTPUT / f"{name}.{os.getpid()}"
        run(
            ["gcc", "-O3", "-march=native", "-o", str(fresh), str(source), *libraries],
            BENCHMARKS,
        )
        fresh.rename(binary)
    return binary


def swift_product(package: Path, product: str) -> Path:
    """Builds one product of a package in release and returns the executable."""
    print(f"building {product}", flush=True)
    run(["swift", "build", "-c", "release", "--product", product], package)
    folder = run(["swift", "build", "-c", "release", "--show-bin-path"], package).strip()
    return Path(folder) / product
