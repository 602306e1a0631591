"""What holds for the house as a whole: layers, lazy imports, exit codes, documents."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from builders import survey

_ROOT = Path(__file__).resolve().parents[1]
# The reference is made from the program, so it shows nothing of what people wrote.
_DOCUMENTS = [
    path
    for path in (_ROOT / "README.md", *sorted((_ROOT / "docs").glob("*.md")))
    if path.name != "reference.md"
]


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
    )


def cats(*arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "cats", *arguments)


def commands() -> list[str]:
    """Every command, subcommands as `experiments run`."""
    import click
    import typer.main

    import cats as command_line

    def names(group: click.Command, prefix: str) -> list[str]:
        inner = getattr(group, "commands", {})
        return [
            found
            for name, command in inner.items()
            for found in (names(command, f"{prefix}{name} ") or [f"{prefix}{name}"])
        ]

    return names(typer.main.get_command(command_line._command_line()), "")


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['cats', '--help']\n"
        "import cats\n"
        "try:\n    cats.main()\nexcept SystemExit as e:\n    assert not e.code\n"
        "print(sorted({'torch', 'spacy', 'streamlit', 'pandas'} & set(sys.modules)))"
    )
    done = python("-c", script)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_the_version_is_the_packages() -> None:
    from importlib.metadata import version

    assert cats("--version").stdout.strip() == version("cats-toolkit")


def test_the_rooms_are_layers() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=_ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_every_command_is_in_the_documents_and_has_help() -> None:
    from typer.testing import CliRunner

    import cats as command_line

    app = command_line._command_line()
    text = "\n".join(path.read_text(encoding="utf-8") for path in _DOCUMENTS)
    for command in commands():
        assert f"`cats {command}" in text, command
        shown = CliRunner().invoke(app, [*command.split(), "--help"])
        assert shown.exit_code == 0
        assert len(shown.stdout) > 200


def test_every_environment_variable_is_in_the_documents() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in _DOCUMENTS)
    servers = [f"CATS_{name}_URL" for name in ("OPENALEX", "CONTENT", "EUROPEPMC", "ARXIV")]
    for name in ("OPENALEX_API_KEY", *servers, "CATS_CORPUS", "CATS_REVIEWER"):
        assert name in text


def test_pictures_and_links_of_the_documents_exist() -> None:
    import re

    for path in _DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_dependency_says_why() -> None:
    text = (_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    for name in [*project["dependencies"], *extras]:
        (line,) = [line for line in text.splitlines() if line.strip().startswith(f'"{name}"')]
        assert ">=" in name or "==" in name
        assert "#" in line, name


def test_a_fault_of_the_user_has_no_traceback(tmp_path: Path) -> None:
    done = cats("status", "-C", str(tmp_path))
    assert done.returncode == 3
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in cats("status", "-C", str(tmp_path), "--debug").stderr


def test_wrong_usage_is_two() -> None:
    assert cats("trends", "--no-such-option").returncode == 2
    assert cats("no-such-command").returncode == 2


def test_another_package_of_a_rooms_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "__init__.py").write_text("")
    (tmp_path / "data" / "errors.py").write_text("class CatsError(Exception): pass\n")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import cats; cats.main()"
    done = python("-c", script)
    assert done.returncode == 3
    assert str(tmp_path) in done.stderr


def test_a_reader_that_goes_away_is_no_fault(tmp_path: Path) -> None:
    survey(tmp_path)
    command = f"{sys.executable} -m cats status -C {tmp_path} --json | head -c 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], check=False, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    assert done.stdout == "{"


def test_init_makes_a_survey_that_status_reads(tmp_path: Path) -> None:
    assert cats("init", str(tmp_path / "s")).returncode == 0
    done = cats("status", "-C", str(tmp_path / "s"), "--json")
    assert '"works": 0' in done.stdout
    assert cats("init", str(tmp_path / "s")).returncode == 3


def test_trends_in_each_form(tmp_path: Path) -> None:
    from builders import use, work

    survey(tmp_path, [work()], [use()])
    for by in ("year", "modality"):
        done = cats("trends", "-C", str(tmp_path), "--by", by, "--csv")
        header, row = done.stdout.splitlines()
        assert header.startswith("text,group,dataset,n,n_papers,share,low,high,n_gold,corrected,")
        assert row.startswith("abstract,")
        assert ",ImageNet,1,1,1.0," in row
    told = cats("trends", "-C", str(tmp_path), "--json").stdout
    assert '"dataset": "ImageNet"' in told
    assert '"corrected": null' in told
    assert "100.0 [20.7-100.0]" in cats("trends", "-C", str(tmp_path)).stdout
    assert cats("trends", "-C", str(tmp_path), "--json", "--csv").returncode == 3
    assert "year, venue" in cats("trends", "-C", str(tmp_path), "--by", "month").stderr
    named = cats("trends", "-C", str(tmp_path), "--presence", "named", "--csv")
    assert ",ImageNet,1,1,1.0," in named.stdout
    assert "0 papers have references" in named.stderr
    assert (
        "named, cited, both, any" in cats("trends", "-C", str(tmp_path), "--presence", "x").stderr
    )


def test_the_demo_runs_the_main_job(tmp_path: Path) -> None:
    done = cats("demo", "--no-serve", "--dir", str(tmp_path / "d"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Embedded sample (invented texts, illustrative only)")
    assert "2026" in done.stdout
    assert "6 versions merged into 6 papers" in done.stderr
    again = cats("demo", "--no-serve", "--dir", str(tmp_path / "d"))
    assert "0 works annotated" in again.stderr
