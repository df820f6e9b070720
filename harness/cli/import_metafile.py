"""`harness import`: draft suites from metafiles in MMPose's form."""

from pathlib import Path

import click

from harness.cli.help import Verb
from harness.cli.options import path_option
from harness.errors import SpecError, UsageError, counted
from harness.files import write_text
from harness.suites.draft import draft_suite
from harness.suites.draft_yaml import to_yaml
from harness.suites.load import parse_suite


@click.command("import", cls=Verb)
@click.argument("metafiles", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="METAFILE...")
@path_option("--out", metavar="DIR", default=Path(), help="Folder for the suites.")
def command(metafiles: tuple[Path, ...], out: Path) -> None:
    """Draft a suite from each METAFILE, a metafile in MMPose's form, such as that of a fork or of your own model.

    The suite has the metafile's name and is written to the folder of --out. It has a row for each model, with the
    claims of the metafile, the address and hash of the weights, and the evaluation that the model's config states. The
    first lines of the file list what neither metafile nor config states: add these values, then run `harness check` on
    the suite. The configs are Python programs and are executed: import only metafiles whose authors you trust.
    """
    files = [out / f"{path.stem}.yaml" for path in metafiles]
    for path in files:
        if path.exists() or files.count(path) > 1:
            what = "exists" if path.exists() else "would be written twice"
            raise UsageError(f"{path} {what}", "name another folder with --out DIR")
    failed: list[str] = []
    for metafile, path in zip(metafiles, files, strict=True):
        try:
            draft = draft_suite(metafile, out)
        except SpecError as error:
            failed.append(str(error))
            continue
        text = to_yaml(draft, metafile.name)
        try:
            parse_suite(text, path)
        except SpecError as error:
            failed.append(f"metafile {metafile}: the drafted suite is invalid, and is not written: {error}")
            continue
        out.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
        parts = [counted(len(draft.suite["rows"]), "row")]
        parts += [f"{counted(len(draft.left_out), 'model')} left out"] if draft.left_out else []
        parts += [f"{len(draft.remarks)} to be completed"] if draft.remarks else []
        click.echo(f"{path}: {'; '.join(parts)}{', listed in its first lines' if len(parts) > 1 else ''}")
    if failed:
        raise SpecError("\n".join(failed))
