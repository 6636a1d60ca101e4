"""The shape of the project: imports point one way, nothing shadows ``eval``, the README tells the truth."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "mardini": {"mardini"},
    "eval": {"eval", "mardini"},
    "benchmarks": {"benchmarks", "eval", "mardini"},
    "reports": {"reports"},
}
README = (ROOT / "README.md").read_text(encoding="utf-8")


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_dependencies_point_one_way(package: str) -> None:
    for path in sources(package):
        used = {name.split(".")[0] for name in imported(ast.parse(path.read_text("utf-8")))}
        assert used & MAY_IMPORT.keys() <= MAY_IMPORT[package], path
        assert package != "reports" or "torch" not in used, path


def test_nothing_shadows_the_builtin_eval() -> None:
    for path in sources(*MAY_IMPORT, "tests"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                bad = [a.name for a in node.names if a.asname is None and a.name.split(".")[0] == "eval"]
                assert not bad, f"{path}: write 'from eval.x import y'"


@pytest.mark.parametrize(
    "module",
    [
        "eval",
        "eval.interpolation",
        "eval.check",
        "eval.vbench",
        "mardini.train",
        "mardini.generate",
        "benchmarks",
        "reports",
    ],
)
def test_help_needs_no_torch(module: str) -> None:
    code = (
        "import runpy, sys\nsys.argv = ['x', '--help']\n"
        f"try: runpy.run_module({module!r}, run_name='__main__')\nexcept SystemExit as e: assert not e.code, e.code\n"
        "heavy = {'torch', 'numpy', 'cv2', 'av'} & set(sys.modules)\nassert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def test_the_readme_names_files_that_exist() -> None:
    tree = re.search(r"```text\n(mardini/.*?)```", README, re.DOTALL)
    assert tree, "the README shows the tree"
    named = re.findall(r"^( *)([\w./]+(?:/|\.(?:py|md|toml|ini)))", tree.group(1), re.MULTILINE)
    assert len(named) > 40
    top = ROOT
    for indent, name in named:
        path = (top if indent else ROOT) / name
        assert path.is_dir() if name.endswith("/") else path.is_file(), path
        top = top if indent else path
    for link in re.findall(r"\]\((?!https?:|#)([^)]+)\)", README):
        assert (ROOT / link).exists(), link


def commands() -> list[str]:
    """Every command of the project's in a shell block of the README, without its comment."""
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", README, re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [
        line for line in lines if re.match(r"(torchrun|python) -m (eval|mardini|benchmarks|reports)\b", line)
    ]


def test_every_option_in_the_readme_is_one() -> None:
    """Commands of the README parse: the options they use are in the command's help."""
    assert commands()
    helps: dict[tuple[str, ...], str] = {}
    for command in commands():
        words = command.split()
        words = words[words.index("-m") + 1 :]
        path = tuple(
            w
            for w in words[:2]
            if not w.startswith("-")
            and (w == words[0] or words[0] in ("eval", "eval.vbench", "benchmarks", "mardini.generate"))
        )
        if path not in helps:
            run = subprocess.run(
                [sys.executable, "-m", *path, "--help"], capture_output=True, text=True, cwd=ROOT
            )
            assert run.returncode == 0, f"{command}: {run.stderr}"
            helps[path] = run.stdout
        for option in re.findall(r"--[\w-]+", command):
            assert option in helps[path], f"{option} of '{command}'"
