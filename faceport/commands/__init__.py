"""The command line: `faceport COMMAND …`, one module a command.

Exit codes: 0 fine, 1 a FaceportError (one line on stderr), 2 usage, 3 a bug (traceback),
130 interrupted.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence

import click

from faceport.commands.lazy import LazyGroup
from faceport.errors import FaceportError
from faceport.version import __version__

COMMANDS = {
    "export": "faceport.commands.export",
    "import-onnx": "faceport.commands.import_onnx",
    "build-engine": "faceport.commands.build_engine",
    "inspect": "faceport.commands.inspect",
    "verify": "faceport.commands.verify",
    "tune": "faceport.commands.tune",
    "detect": "faceport.commands.detect",
    "embed": "faceport.commands.embed",
    "compare": "faceport.commands.compare",
    "enroll": "faceport.commands.enroll",
    "identify": "faceport.commands.identify",
    "gallery": "faceport.commands.gallery",
    "embed-dataset": "faceport.commands.embed_dataset",
    "dedupe": "faceport.commands.dedupe",
    "cluster": "faceport.commands.cluster",
    "bench": "faceport.commands.bench",
    "eval": "faceport.commands.eval",
    "sweep": "faceport.commands.sweep",
}
"""Command name to the module that has it as `command`, in the order of a user's work."""


@click.group(
    cls=LazyGroup,
    modules=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Run `faceport COMMAND --help` for a command's options and examples.",
)
@click.version_option(__version__, prog_name="faceport")
def cli() -> None:
    """Face model checkpoints in, proven edge artefacts out, faces matched.

    \b
    Examples:
      faceport export --checkpoint mobilefacenet.pth --output mbf.bundle
      faceport import-onnx scrfd.onnx --family scrfd --output det.bundle
      faceport identify --detector det.bundle --embedder mbf.bundle --gallery g.db photo.jpg
    """


def main() -> None:
    """Run the command line and leave with its exit code."""
    _prepare_streams()
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run(sys.argv[1:]))


def _prepare_streams() -> None:
    """See that whatever is printed can be: closed streams, terminals without Unicode, odd names."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _terminate(number: int, _frame: object) -> None:
    """Leave as on Ctrl-C, so that what is half written is removed."""
    raise SystemExit(128 + number)


def run(args: Sequence[str]) -> int:
    """Run one command and return its exit code; never raises."""
    try:
        result = cli.main(args=list(args), prog_name="faceport", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except FaceportError as error:
        print(f"faceport: error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except (KeyboardInterrupt, click.Abort):
        print("faceport: interrupted", file=sys.stderr)  # noqa: T201
        return 130
    except OSError as error:
        # Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.EPIPE:
            # The reader (`| head`) has had enough.
            return 0
        if error.errno not in (errno.ENOSPC, errno.EIO):
            return _bug()
        print(f"faceport: error: the result could not be written: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except Exception:
        return _bug()
    return result if isinstance(result, int) else 0


def _bug() -> int:
    traceback.print_exc()
    print("faceport: this is a bug; please report the lines above", file=sys.stderr)  # noqa: T201
    return 3
