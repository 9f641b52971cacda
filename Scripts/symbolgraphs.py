"""Symbol graphs of the library products: what `public-api` and `check-docc` read."""

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GRAPHS = ROOT / ".build" / "symbol-graphs"


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


def extract(module: str, binaries: Path) -> list[Path]:
    """The symbol graphs of one built module: its own and those of the types it extends.

    They stay in .build/symbol-graphs and are made anew where anything was built since.
    """
    output = GRAPHS / module
    built = max(path.stat().st_mtime for path in (binaries / "Modules").iterdir())
    graph = output / f"{module}.symbols.json"
    if not graph.exists() or graph.stat().st_mtime <= built:
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        _extract(module, binaries, output)
    return sorted([graph, *output.glob(f"{module}@*.symbols.json")])


def _extract(module: str, binaries: Path, output: Path) -> None:
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
