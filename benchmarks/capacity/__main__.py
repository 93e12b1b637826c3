"""``python -m benchmarks.capacity``: prints what a country needs, for inputs that can be replaced; writes the page."""

from pathlib import Path

import click

from benchmarks.capacity import inputs as given
from benchmarks.capacity import page, sizes


@click.command(context_settings={"show_default": True})
@click.option("--inputs", "file", type=click.Path(path_type=Path), help="A JSON object of your own numbers.")
@click.option("--scans-per-s", type=click.FloatRange(0, min_open=True), help="At the peak, of the whole country.")
@click.option("--subjects", type=click.FloatRange(0, min_open=True))
@click.option("--write", is_flag=True, help="Write the tables into docs/capacity.md. Only for the project's inputs.")
@click.option("--sizes", "show_sizes", is_flag=True, help="Measure the bytes of calls and of messages, and end.")
def main(file: Path | None, scans_per_s: float | None, subjects: float | None, write: bool, show_sizes: bool) -> None:
    """Compute machines, cores, memory, disk, network and the log of a country."""
    if show_sizes:
        for name, value in (sizes.of_calls() | sizes.of_messages()).items():
            click.echo(f"{name} {value:.1f}")
        return
    inputs, own = given.read(), {} if file is None else given.read_own(file)
    own |= {name: one for name, one in (("scans_per_s", scans_per_s), ("subjects", subjects)) if one is not None}
    if write and own:
        raise click.UsageError("the page has the project's inputs: --write goes with none of your own")
    if write:
        page.FILE.write_text(page.fresh(page.FILE.read_text("utf-8"), inputs), "utf-8")
        return
    for name, table in page.blocks(inputs.replaced(own, "given by the caller")).items():
        click.echo(f"{name}\n\n{table}\n")


if __name__ == "__main__":
    main()
