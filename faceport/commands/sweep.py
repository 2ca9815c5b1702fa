"""`faceport sweep`: a suite of evaluations out of one YAML file."""

from __future__ import annotations

from pathlib import Path

import click

from faceport.commands.options import json_option
from faceport.commands.output import note, print_json, print_table, warn
from faceport.commands.screen import screen

PATH = click.Path(path_type=Path)


@click.command("sweep")
@click.argument("suite", type=PATH)
@click.option("--output", type=PATH, required=True, help="Folder for runs, report and plots.")
@click.option("--cache", type=PATH, help="Folder of crops, shared  [default: OUTPUT/crops].")
@click.option("--no-resume", is_flag=True, help="Do again what is finished in --output.")
@click.option("--no-plots", is_flag=True, help="Draw no pictures; needs no matplotlib.")
@json_option
def command(
    *, suite: Path, output: Path, cache: Path | None, no_resume: bool, no_plots: bool, as_json: bool
) -> int:
    """Evaluate bundles × detectors × sets × settings that a YAML file names.

    Each finished run is a file in OUTPUT/runs, named by what went into it: the same command does
    what is missing. A run that fails is a row with the reason; exit code 1 if all failed.

    \b
    The file (paths start at its folder; `settings` take what `faceport eval` takes):
      bundles: [mbf.bundle, mbf128.bundle]
      detectors: [det.bundle]
      sets:
        - {name: lfw, pairs: lfw/pairs.txt, root: lfw}
        - {name: people, identities: people}
      settings:
        - {name: plain}
        - {name: mirrored, flip: true, precisions: [fp32, int8]}
        - {name: bf16, sessions: "openvino/cpu@bf16"}

    \b
    Examples:
      faceport sweep suite.yaml --output out/
      faceport sweep suite.yaml --output out/ --no-resume
    """
    from faceport.benchmarks.accuracy.figures import check_plots
    from faceport.benchmarks.accuracy.report import REPORT
    from faceport.benchmarks.accuracy.suite.reading import read_suite
    from faceport.benchmarks.accuracy.suite.report import (
        failures,
        suite_json,
        suite_table,
        write_suite,
    )
    from faceport.benchmarks.accuracy.suite.running import run_suite

    runs = read_suite(suite)
    if not no_plots:
        check_plots()
    with screen(as_json) as shown:
        done = run_suite(
            runs,
            output,
            cache=cache or output / "crops",
            resume=not no_resume,
            say=shown.say,
            progress=shown.pictures,
        )
        shown.say("writing the report")
        write_suite(done, output, suite.name, plots=not no_plots)
    if as_json:
        print_json(suite_json(done))
    else:
        table = suite_table(done)
        print_table(f"{suite.name}: {len(done)} runs", table.columns, table.rows)
        for line in failures(done):
            warn(f"not run: {line}")
        resumed = sum(one.resumed for one in done)
        note(f"{output / REPORT} has everything; {resumed} runs were finished before")
    return int(all(one.evaluation is None for one in done))
