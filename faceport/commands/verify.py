"""`faceport verify`: a bundle's hashes, specs and parity, checked again where it will run."""

from __future__ import annotations

from pathlib import Path

import click

from faceport.codec import encode
from faceport.commands.options import json_option
from faceport.commands.output import print_json, print_table, steps


@click.command("verify")
@click.argument("path", type=click.Path(path_type=Path), metavar="BUNDLE")
@json_option
def command(path: Path, as_json: bool) -> int:
    """Check a bundle again: every hash, the spec inside every artefact, and parity.

    Runs each artefact on the pictures that the bundle carries and compares with what the checkpoint
    computed from them. Ends with exit code 1 if anything differs, or if no artefact could be run.

    \b
    Examples:
      faceport verify mbf.bundle
      faceport verify mbf.bundle --json
    """
    from faceport.bundle import Bundle
    from faceport.commands.report import parity_text
    from faceport.runtime.verify import verify_bundle

    bundle = Bundle.open(path)
    with steps(quiet=as_json) as step:
        step(f"running the artefacts of {path}")
        results = verify_bundle(bundle)
    if as_json:
        print_json({"bundle": str(path), "artefacts": encode(results)})
    else:
        rows = [
            (r.artefact.file.path, r.status, parity_text(r.parity), r.problem or "")
            for r in results
        ]
        print_table(f"{path}", ("artefact", "status", "parity", "problem"), rows)
    # Nothing proven is no success: an engine that is not installed proves nothing.
    proven = any(r.status == "passed" for r in results)
    return int(not proven or any(r.status == "failed" for r in results))
