"""`faceport gallery audit`: who was enrolled, changed, deleted and searched for."""

from __future__ import annotations

import json
from pathlib import Path

import click

from faceport.commands.gallery.options import gallery_argument, open_gallery
from faceport.commands.options import json_option
from faceport.commands.output import note, print_json, print_table


@click.command("audit")
@gallery_argument
@click.option("--last", type=click.IntRange(min=1), help="Only so many of the newest entries.")
@click.option("--on", "switch", flag_value="on", help="Keep the log from now on.")
@click.option("--off", "switch", flag_value="off", help="Stop; what was written stays.")
@json_option
def command(
    *, gallery: str, key_file: Path | None, last: int | None, switch: str | None, as_json: bool
) -> None:
    """Show the audit log, its last hash, and whether its chain is whole.

    Keep the last hash elsewhere: with it a log that somebody wrote anew is told from this one.
    The exit code is 1 if the chain is broken.

    \b
    Examples:
      faceport gallery audit g.db --on
      faceport gallery audit g.db --last 20
      faceport gallery audit g.db --json
    """
    with open_gallery(gallery, key_file) as people:
        if switch is not None:
            people.change_settings(audit=switch == "on")
        entries, problems = people.audit_log()
        keeping, location = people.settings.audit, people.location
    shown = entries if last is None else entries[-last:]
    chain = entries[-1].chain if entries else None
    if as_json:
        rows = [
            {"number": e.number, "at": e.at, "action": e.action, "details": dict(e.details)}
            for e in shown
        ]
        document = {"gallery": location, "audit": keeping, "entries": rows}
        print_json({**document, "last_hash": chain, "problems": problems})
    else:
        table = [(e.number, e.at, e.action, json.dumps(e.details)) for e in shown]
        title = f"{len(entries)} entries in the log of {location}, {'on' if keeping else 'off'}"
        print_table(title, ("", "when", "what", "details"), table)
        click.echo(f"last hash: {chain}" if chain else "nothing was written yet")
    for problem in problems:
        note(problem)
    if problems:
        raise click.exceptions.Exit(1)
