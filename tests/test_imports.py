"""Imports point one way: app.py -> explorer.ui -> explorer -> training; Gradio stays outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("training", "explorer")
OPTIONAL = (
    *("gradio", "dicebear", "dicebear_styles", "resvg", "torch_fidelity", "timm"),
    "matplotlib",
    *("playwright", "psutil"),
)

BLOCK_AND_IMPORT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} was imported")

sys.meta_path.insert(0, Refuse())
import {modules}
"""


def find_imports(source: str, package: str) -> Iterator[str]:
    """Yield the absolute dotted names that a module imports, anywhere in it.

    `from a import b` yields `a.b`, since `b` may be a module; relative imports are resolved
    against `package`, the dotted name of the package that holds the module.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = [*parents] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def is_within(name: str, package: str) -> bool:
    """Tell whether a dotted name is the package or something inside it."""
    return name == package or name.startswith(f"{package}.")


def find_violations(root: Path) -> list[str]:
    """List the imports under a root folder that point the wrong way, as sentences."""
    files = [root / "app.py", *(p for name in PACKAGES for p in (root / name).rglob("*.py"))]
    violations = []
    for path in sorted(file for file in files if file.exists()):
        package = ".".join(path.relative_to(root).parent.parts)
        is_page = (path.name == "app.py" and not package) or is_within(package, "explorer.ui")
        for name in find_imports(path.read_text(encoding="utf-8"), package):
            where = f"{path.relative_to(root).as_posix()} imports {name}"
            if is_within(package, "training") and is_within(name, "explorer"):
                violations.append(f"{where}: training never imports explorer")
            if is_within(name, "gradio") and not is_page:
                violations.append(f"{where}: gradio belongs in app.py and explorer/ui")
            if is_within(name, "explorer.ui") and not is_page:
                violations.append(f"{where}: only app.py and explorer/ui know the page")
    return violations


def test_no_module_imports_against_the_direction(repository: Path) -> None:
    assert find_violations(repository) == []


def test_the_walk_sees_every_package(repository: Path) -> None:
    for name in PACKAGES:
        assert (repository / name / "__init__.py").exists()
        assert list((repository / name).rglob("*.py"))


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("training/a.py", "import explorer.paths", "training never imports explorer"),
        ("training/a.py", "def f():\n    from explorer import paths", "training never imports"),
        ("training/b/c.py", "import gradio as gr", "gradio belongs in app.py"),
        ("explorer/a.py", "from gradio import Blocks", "gradio belongs in app.py"),
        ("explorer/a.py", "from explorer import ui", "only app.py and explorer/ui"),
        ("explorer/a.py", "from .ui.app import build_app", "only app.py and explorer/ui"),
        ("explorer/b/c.py", "from ..ui import app", "only app.py and explorer/ui"),
        ("explorer/app.py", "import gradio", "gradio belongs in app.py"),
    ],
)
def test_the_walk_finds_a_wrong_import(tmp_path: Path, path: str, source: str, reason: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(source, encoding="utf-8")
    violations = find_violations(tmp_path)
    assert len(violations) == 1
    assert reason in violations[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("app.py", "import gradio\nfrom explorer.ui.app import build_app"),
        ("explorer/ui/tabs/a.py", "import gradio\nfrom ..labels import x\nimport training"),
        ("explorer/a.py", "from training import latents\nimport explorer.uint"),
        ("training/a.py", "from .explorer_like import x\nimport gradio_client"),
    ],
)
def test_the_walk_accepts_a_right_import(tmp_path: Path, path: str, source: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(source, encoding="utf-8")
    assert find_violations(tmp_path) == []


@pytest.mark.parametrize(
    "modules", ["training.trainer", "training.__main__", "benchmarks.__main__"]
)
def test_training_and_its_benchmark_need_no_optional_package(
    repository: Path, modules: str
) -> None:
    script = BLOCK_AND_IMPORT.format(blocked=OPTIONAL, modules=modules)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_block_refuses_a_blocked_package(repository: Path) -> None:
    script = BLOCK_AND_IMPORT.format(blocked=OPTIONAL, modules="timm.models")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "ImportError: timm was imported" in done.stderr
