"""Symbol graphs of the library products: what `public-api` and `check-docc` read."""

import json
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def library_modules() -> list[str]:
    """The targets of the package's library products, in the order of the manifest."""
    package = json.loads(run(["swift", "package", "dump-package"]))
    modules: list[str] = []
    for product in package["products"]:
        if "library" in product["type"]:
            modules += [target for target in product["targets"] if target not in modules]
    return modules


def build() -> Path:
    """The folder of the debug build; nothing is compiled where it is up to date."""
    run(["swift", "build"])
    return Path(run(["swift", "build", "--show-bin-path"]).strip())


def extract(module: str, binaries: Path, output: Path) -> list[Path]:
    """Writes the symbol graphs of one built module: its own and those of the types it extends."""
    output.mkdir(parents=True, exist_ok=True)
    # Those the build made for C targets, and those of system libraries.
    paths = [*sorted(binaries.glob("*.build/module.modulemap")), *sorted(ROOT.glob("Sources/*/module.modulemap"))]
    paths += sorted(ROOT.glob(".build/checkouts/*/Sources/GRDBSQLite/module.modulemap"))
    paths += sorted(ROOT.glob(".build/checkouts/swift-crypto/Sources/*/include/module.modulemap"))
    maps = [f"-fmodule-map-file={path}" for path in paths]
    run(
        ["swift", "symbolgraph-extract", "-module-name", module]
        + ["-target", f"{platform.machine()}-unknown-linux-gnu", "-I", str(binaries / "Modules")]
        + [argument for map in maps for argument in ("-Xcc", map)]
        + ["-minimum-access-level", "public", "-skip-inherited-docs", "-skip-synthesized-members"]
        + ["-output-dir", str(output)]
    )
    return sorted([*output.glob(f"{module}.symbols.json"), *output.glob(f"{module}@*.symbols.json")])
