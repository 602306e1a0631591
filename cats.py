"""The command line: mounts each room's commands and turns errors into exit codes."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

ROOMS = ("data", "miner", "annotate", "experiments", "dashboard")


def _command_line() -> typer.Typer:
    """All commands of all rooms; heavy imports wait inside the commands."""
    app = typer.Typer(
        name="cats",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for room in ROOMS:
        package = import_module(room)
        place = Path(str(package.__file__)).resolve()
        if place.parent.parent != Path(__file__).resolve().parent:
            sys.exit(_fail(f"another package named {room!r} is first on the path: {place}", 3))
        app.add_typer(import_module(f"{room}.cli").app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("cats-toolkit"))  # noqa: T201
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Choosing A Transfer Source: which datasets do papers transfer from?"""


def _fail(message: str, code: int) -> int:
    print(f"cats: {message}", file=sys.stderr)  # noqa: T201
    return code


def main() -> None:
    """Run the command line; exit codes are listed in README.md."""
    from data.errors import CatsError

    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        _command_line()(args=arguments)
    except CatsError as e:
        if debug:
            raise
        sys.exit(_fail(str(e), e.exit_code))
    except KeyboardInterrupt:
        sys.exit(_fail("interrupted; the same command continues", 130))
    except BrokenPipeError:
        # The reader of our output went away (`cats trends | head`): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as e:
        if debug:
            raise
        sys.exit(_fail(f"a bug: {type(e).__name__}: {e}; run again with --debug and report it", 1))


if __name__ == "__main__":
    main()
