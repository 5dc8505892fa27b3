"""The commands and their options; what they do stands in the rooms beside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="lamina",
    help="Tensors and neural networks on any machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

onnx = typer.Typer(help="ONNX models: what they would do here.", no_args_is_help=True)
app.add_typer(onnx, name="onnx")


def _version(wanted: bool) -> None:
    if wanted:
        import lamina

        typer.echo(f"lamina {lamina.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Tensors and neural networks on any machine."""


@app.command()
def devices(
    json: Annotated[bool, typer.Option("--json", help="All that is known, as JSON.")] = False,
) -> None:
    """List the CPU and every GPU adapter, with limits and features."""
    from lamina.cli.tables import print_devices

    print_devices(json)


@app.command()
def ops(
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List every op: kernels, gradient, ONNX names and dtypes."""
    from lamina.cli.tables import print_ops

    print_ops(json)


@app.command()
def run(
    model: Annotated[Path, typer.Argument(help="An ONNX model.")],
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Pictures, .npy or .npz files. With one model input each is a run of its own; "
            "with several write NAME=FILE for each.",
        ),
    ],
    resize: Annotated[
        str | None, typer.Option(help="HEIGHTxWIDTH of the picture; what the model wants if not given.")
    ] = None,
    mean: Annotated[
        str, typer.Option(help="Taken off each pixel (0..255): one number or one per channel.")
    ] = "0",
    std: Annotated[
        str, typer.Option(help="Each pixel is divided by it: one number or one per channel.")
    ] = "1",
    layout: Annotated[
        str | None, typer.Option(help="nchw or nhwc; guessed from the model if not given.")
    ] = None,
    order: Annotated[str, typer.Option(help="Channels: rgb, bgr or grey.")] = "rgb",
    decoder: Annotated[
        str | None, typer.Option(help="NAME:keyword=value,...; see lamina.registry.names('decoder').")
    ] = None,
    bind: Annotated[
        list[str] | None, typer.Option(help="What the decoder gets: INPUT=OUTPUT or INPUT=OUTPUT[:,:,1].")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="A picture with boxes, .npz or .json; a folder for several inputs."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu or gpu:N.")] = "auto",
    explain: Annotated[bool, typer.Option("--explain", help="Print the plan.")] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Time repeated runs, and each step of the plan.")
    ] = False,
    trace: Annotated[
        Path | None, typer.Option(help="Write the timed steps as a .json that ui.perfetto.dev opens.")
    ] = None,
) -> None:
    """Run an ONNX model on pictures or arrays."""
    from lamina.cli.run import Settings, run_model

    settings = Settings(
        resize=resize,
        mean=mean,
        std=std,
        layout=layout,
        order=order,
        decoder=decoder,
        bind=bind or [],
        out=out,
        device=device,
        explain=explain,
        profile=profile,
        trace=trace,
    )
    run_model(model, inputs, settings)


@app.command()
def demo(
    device: Annotated[str, typer.Option(help="cpu, gpu, gpu:N or auto.")] = "cpu",
    out: Annotated[Path, typer.Option(help="Where page.png, report.json and digits.onnx go.")] = Path(
        "lamina-demo"
    ),
) -> None:
    """Learn to read real handwritten digits, then find them on a page."""
    from lamina.cli.demo import run_demo

    raise typer.Exit(0 if run_demo(device, out) else 1)


@onnx.command()
def check(
    model: Annotated[Path, typer.Argument(help="An ONNX model.")],
    device: Annotated[str, typer.Option(help="auto, cpu, gpu or gpu:N.")] = "auto",
    shapes: Annotated[
        list[str] | None,
        typer.Option(help="N=4 for a symbolic dimension, x=1,3,224,? for an input; may be given again."),
    ] = None,
    nodes: Annotated[bool, typer.Option("--nodes", help="A line for each node.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what each node would run on and what is missing; exit code 1 if something is."""
    from lamina.cli.check import check_model

    raise typer.Exit(0 if check_model(model, device, shapes or [], nodes, json) else 1)
