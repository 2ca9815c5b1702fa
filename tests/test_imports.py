"""Who may import whom, and what stays out of memory until it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import faceport

ROOT = Path(faceport.__file__).parent
HEAVY = {"torch", "onnx", "onnxruntime", "tensorrt", "cv2", "ultralytics", "PIL", "rich", "scipy"}
HEAVY |= {"openvino", "tensorrt_rtx", "cuda"}
HEAVY |= {"torchvision", "onnxslim", "onnxscript", "safetensors", "huggingface_hub", "skimage"}
HEAVY |= {"cryptography", "matplotlib", "yaml"}
HEAVY |= {"pyarrow", "ray"}
HEAVY |= {"numkong", "faiss"}
HEAVY |= {"psycopg", "psycopg_pool", "pgvector"}

CORE = {"errors", "codec", "spec", "version"}
MAY_IMPORT = {
    "errors": set(),
    "version": set(),
    "codec": {"errors"},
    "rates": set(),
    "atomic": {"errors"},
    "spec": {"errors", "codec"},
    "manifest": {"errors", "spec"},
    "bundle": {"errors", "codec", "spec", "atomic", "manifest"},
    "images": {"errors", "spec", "images"},
    "runtime": CORE | {"bundle", "images", "atomic", "runtime"},
    "models": {"models"},
    "converters": CORE | {"atomic", "bundle", "models", "converters"},
    "exporters": CORE | {"atomic", "bundle", "images", "runtime", "exporters", "converters"},
    "gallery": CORE | {"atomic", "images", "rates", "runtime", "gallery"},
    "datasets": CORE | {"atomic", "bundle", "images", "runtime", "gallery", "datasets"},
    "benchmarks": CORE
    | {"atomic", "bundle", "images", "runtime", "converters", "exporters", "gallery", "benchmarks"}
    | {"rates"},
}
"""Top-level part of the package to the parts it may import. `commands` may import anything."""


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported_parts(path: Path) -> set[str]:
    parts = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        parts |= {name.split(".")[1] for name in names if name.startswith("faceport.")}
    return parts


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_import_rules_hold(path: Path) -> None:
    part = part_of(path)
    if part in ("commands", "__init__"):
        return
    assert imported_parts(path) <= MAY_IMPORT[part]


def test_nothing_imports_the_commands() -> None:
    importers = {part_of(p) for p in modules() if "commands" in imported_parts(p)}
    assert importers <= {"commands"}


def top_level_imports(path: Path) -> set[str]:
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def test_heavy_packages_are_imported_inside_functions() -> None:
    torch_code = {"models", "converters", "exporters"}
    offenders = {
        str(path.relative_to(ROOT)): heavy
        for path in modules()
        if (heavy := top_level_imports(path) & HEAVY)
        and not (part_of(path) in torch_code and heavy <= {"torch", "onnx"})
    }
    assert offenders == {}


BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocker())
"""


def blocked(names: set[str], code: str) -> subprocess.CompletedProcess[str]:
    script = BLOCKED.replace("{names!r}", repr(names)) + code
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )


def test_the_runtime_imports_with_the_frameworks_blocked() -> None:
    modules = [
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
        for path in sorted((ROOT / "runtime").rglob("*.py"))
    ]
    code = "\n".join(f"import {name.removesuffix('.__init__')}" for name in modules)
    done = blocked({"torch", "onnx", "tensorrt", "ultralytics"}, code)
    assert done.returncode == 0, done.stderr


def test_importing_the_runtime_loads_numpy_and_nothing_heavier() -> None:
    code = "import faceport.runtime, sys; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in ast.literal_eval(done.stdout)}
    assert loaded & HEAVY == set()
    assert "numpy" in loaded


def test_every_command_shows_its_help_in_a_bare_environment() -> None:
    code = """
from faceport.commands import COMMANDS, run
from faceport.commands.gallery import SUBCOMMANDS
for names in [[name] for name in COMMANDS] + [["gallery", name] for name in SUBCOMMANDS]:
    assert run([*names, "--help"]) == 0, names
"""
    done = blocked(HEAVY - {"PIL", "rich"}, code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Examples:") == done.stdout.count("Usage:")


def test_the_public_names_are_what_is_listed() -> None:
    assert {name: getattr(faceport, name) for name in faceport.__all__}.keys() == set(
        faceport.__all__
    )
    assert dir(faceport) == sorted(faceport.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = faceport.nothing  # type: ignore[attr-defined]
