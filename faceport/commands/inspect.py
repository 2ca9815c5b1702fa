"""`faceport inspect`: what a bundle is and how it wants its pictures."""

from __future__ import annotations

from pathlib import Path

import click

from faceport.commands.options import json_option
from faceport.commands.output import print_json


@click.command("inspect")
@click.argument("path", type=click.Path(path_type=Path), metavar="BUNDLE")
@json_option
def command(path: Path, as_json: bool) -> None:
    """Show a bundle: model, preprocessing, artefacts, parity, licence, fingerprint, tuned devices.

    \b
    Examples:
      faceport inspect mbf.bundle
      faceport inspect mbf.bundle --json
    """
    from faceport.bundle import Bundle
    from faceport.codec import encode
    from faceport.commands.report import print_bundle, print_devices
    from faceport.runtime.device_file import device_files

    bundle = Bundle.open(path)
    if as_json:
        print_json(
            {
                "bundle": str(bundle.path),
                "manifest": encode(bundle.manifest),
                "devices": encode(device_files(bundle)),
            }
        )
    else:
        print_bundle(bundle)
        print_devices(device_files(bundle))
