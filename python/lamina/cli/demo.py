"""`lamina demo`, with its progress bar and table."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import lamina
from lamina.cli.tables import table
from lamina.demo.stages import EPOCHS, WANTED_ACCURACY, WANTED_FOUND, Report, run


def run_demo(device: str, out: Path) -> bool:
    """Run it, print the report; True if every figure is reached."""
    console = Console()
    # A device that is not there is told before anything else happens.
    device = lamina.tensor(0.0, device=device).device
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise lamina.ArgumentError(f"cannot write to '{out}': {error.strerror}") from error
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=EPOCHS, loss=float("nan"))
        report = run(out, device, lambda loss: progress.update(task, advance=1, loss=loss))
    _print(console, report)
    console.print(f"Written: {out / 'page.png'}, {out / 'report.json'}, {out / 'digits.onnx'}")
    return report.passed


def _print(console: Console, report: Report) -> None:
    made = table(f"Digits, on {report.device}", ("figure", "value", "wanted"), right=("value", "wanted"))
    made.add_row("held-out accuracy", f"{report.accuracy:.4f}", f">= {WANTED_ACCURACY}")
    made.add_row("digits on the page", str(report.digits), "")
    made.add_row("found", f"{report.found:.4f}", f">= {WANTED_FOUND}")
    made.add_row("wrong", str(report.wrong), "")
    for stage, seconds in report.seconds.items():
        made.add_row(f"{stage}, seconds", f"{seconds:.3f}", "")
    console.print(made)
