"""Put the verbs together, and turn every error into one line on stderr and exit code 1."""

from __future__ import annotations

import os
import sys

import typer
from typer.exceptions import TyperException

from local.cli import catalogue, demonstrating, inspecting, invoking, running, sending
from local.cli.errors import CommandError

app = typer.Typer(
    name="nightshift",
    help="Run background jobs on your own AWS account, or all of it on this machine.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for room in (running, sending, inspecting, catalogue, invoking, demonstrating):
    room.register(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit the process."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(given or ["--help"], prog_name="nightshift", standalone_mode=False)
        sys.stdout.flush()
    except CommandError as error:
        _say(str(error))
        code = 1
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        # The reader went away, as `| head` does: typer ends with 1 when it sees that while a verb prints, and so does
        # what was still in the buffer. Python would complain when it flushes once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except TyperException as error:  # an unknown verb, a flag's value
        _say(getattr(error, "format_message", error.__str__)())
        code = 1
    except Exception as error:
        if os.environ.get("NIGHTSHIFT_TRACEBACK"):
            raise
        _say(f"{type(error).__name__}: {error}")
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _say(message: str) -> None:
    line = " ".join(message.split())
    print(f"nightshift: {line}", file=sys.stderr)
