"""What the documents promise is there, and the repository stays small enough to clone."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import app
import explorer
import training
from training.models import MODELS

MAX_FILE_BYTES = 20_000_000
MAX_GENERATOR_BYTES = 60_000_000
MAX_CHECKPOINT_BYTES = 115_000_000  # with statistics of real images and readers of labels
ROOT = Path(__file__).resolve().parent.parent

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|(?:src|href)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
PROGRAMS = ("training", "explorer", "benchmarks")


def list_tracked_files() -> list[Path]:
    """List the files git knows; in a folder without git, all files outside hidden folders."""
    if (ROOT / ".git").exists():
        names = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    found = (path for path in ROOT.rglob("*") if path.is_file())
    return [p for p in found if not any(x.startswith(".") for x in p.relative_to(ROOT).parts)]


FILES = list_tracked_files()
DOCUMENTS = [path for path in FILES if path.suffix == ".md"]
DOCUMENT_IDS = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]


def list_anchors(markdown: str) -> set[str]:
    """List the anchors that GitHub gives the headings of a document."""
    headings = HEADING.findall(FENCE.sub("", markdown))
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in plain}


def find_broken_links(document: Path) -> list[str]:
    """List the relative links and images of a document that lead nowhere."""
    text = document.read_text(encoding="utf-8")
    broken = []
    for pair in LINK.findall(re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))):
        link = pair[0] or pair[1]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        is_missing = not target.exists()
        if not is_missing and anchor and target.suffix == ".md":
            is_missing = anchor not in list_anchors(target.read_text(encoding="utf-8"))
        if is_missing:
            broken.append(link)
    return broken


def list_commands(markdown: str) -> list[list[str]]:
    """List the commands of a document's shell blocks, split into words, without comments."""
    commands = []
    for language, block in FENCE.findall(markdown):
        if language in ("bash", "sh", "shell", "console"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                commands.extend([words] if words else [])
    return commands


@cache
def read_help(program: str, *words: str) -> str:
    """Return what `python -m PROGRAM WORDS --help` prints, or that of `python app.py`."""
    main = app.main if program == "app.py" else import_module(f"{program}.__main__").main
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr(sys, "argv", [program, *words, "--help"])
        with pytest.raises(SystemExit) as caught:
            main()
    assert caught.value.code == 0
    return printed.getvalue()


def strip_launcher(command: list[str]) -> list[str]:
    """Return the command that torchrun starts in each process, others as they are."""
    if command[1:3] == ["-m", "torch.distributed.run"]:
        rest = command[3:]
    elif command[0].rpartition("/")[2] == "torchrun":
        rest = command[1:]
    else:
        return command
    return ["python", *rest[rest.index("-m") :]]


def find_unknown_words(command: list[str], targets: set[str]) -> list[str]:
    """List what a command names that does not exist: make targets, subcommands, flags."""
    if command[0] == "make":
        names = [word for word in command[1:] if "=" not in word and not word.startswith("-")]
        unknown = [name for name in names if name not in targets]
        flags = [w.removeprefix("ARGS=") for w in command if w.startswith("ARGS=")]
        if names == ["app"] and flags:
            unknown += find_unknown_words(["python", "app.py", *shlex.split(flags[0])], targets)
        return unknown
    command = strip_launcher(command)
    if not re.search(r"(^|/)python[\d.]*$", command[0]):
        return []
    if command[1] == "-m" and command[2] in PROGRAMS:
        has_subcommand = len(command) > 3 and not command[3].startswith("-")
        program, rest = command[2 : 3 + has_subcommand], command[3 + has_subcommand :]
    elif command[1] == "app.py":
        program, rest = command[1:2], command[2:]
    else:
        return []
    if len(program) == 2 and not has_word(read_help(program[0]), program[1]):
        return [program[1]]
    text = read_help(*program)
    flags = [word.partition("=")[0] for word in rest if word.startswith("--")]
    return [flag for flag in flags if not has_word(text, flag)]


def has_word(text: str, word: str) -> bool:
    """Tell whether a word stands in a text, not as a part of a longer word or flag."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


@pytest.mark.parametrize("document", DOCUMENTS, ids=DOCUMENT_IDS)
def test_every_relative_link_and_image_exists(document: Path) -> None:
    assert find_broken_links(document) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=DOCUMENT_IDS)
def test_every_command_names_what_exists(document: Path) -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    for command in list_commands(document.read_text(encoding="utf-8")):
        assert find_unknown_words(command, targets) == [], " ".join(command)


def test_the_readme_shows_the_two_commands() -> None:
    commands = list_commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert ["make", "app"] in commands
    assert ["make", "test"] in commands


def test_the_readme_names_every_model() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [key for key in MODELS if f"| `{key}` |" not in readme] == []


def test_the_hosted_space_runs_what_is_tested() -> None:
    block = FENCE.findall((ROOT / "docs/HOSTED_SPACE.md").read_text(encoding="utf-8"))[0][1]
    values = dict(re.findall(r'^(\w+): "?([^"\n]*)"?$', block, re.MULTILINE))
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    gradio = next(Requirement(x.partition("#")[0]) for x in lines if x.startswith("gradio"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert values["sdk"] == "gradio"
    assert gradio.specifier.contains(values["sdk_version"])
    assert SpecifierSet(project["requires-python"]).contains(values["python_version"])
    assert (ROOT / values["app_file"]).is_file()
    assert project["version"] == training.__version__ == explorer.__version__


def test_no_file_is_too_large_to_clone() -> None:
    sizes = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in FILES}
    assert {name: size for name, size in sizes.items() if size > MAX_FILE_BYTES} == {}


def test_generators_together_stay_small() -> None:
    folder = ROOT / "checkpoints"
    files = [p for p in FILES if p.suffix == ".safetensors" and folder in p.parents]
    assert sum(p.stat().st_size for p in files if p.parent == folder) <= MAX_GENERATOR_BYTES
    assert sum(p.stat().st_size for p in files) <= MAX_CHECKPOINT_BYTES


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text(
        "# One two\n[ok](#one-two) [no](#three) ![no](gone.png) `[code](gone.md)`\n"
        '<img src="lost.gif"> [web](https://example.org/x)\n```\n[in a block](gone.md)\n```\n',
        encoding="utf-8",
    )
    assert find_broken_links(document) == ["#three", "gone.png", "lost.gif"]


def test_an_unknown_command_is_found() -> None:
    commands = list_commands(
        "```bash\nmake app ARGS='--port 1'  # comment\nmake nothing\n\n"
        "python -m training \\\n  dance\n```\n```text\nmake silence\n```\n"
    )
    assert commands == [
        ["make", "app", "ARGS=--port 1"],
        ["make", "nothing"],
        ["python", "-m", "training", "dance"],
    ]
    assert find_unknown_words(commands[1], {"app"}) == ["nothing"]
    assert find_unknown_words(commands[2], {"app"}) == ["dance"]


@pytest.mark.parametrize("launcher", ["torchrun", ".venv/bin/python -m torch.distributed.run"])
def test_an_unknown_flag_behind_a_launcher_is_found(launcher: str) -> None:
    command = f"{launcher} --nproc-per-node 2 -m training train --model dcgan --dance 3"
    assert find_unknown_words(command.split(), set()) == ["--dance"]
