"""`hsimul3r weights`: the models that users bring, and which of them are here."""

from rich.console import Console
from rich.table import Table

from stages.adapters.catalogue import CATALOGUE, ModelCard, check_published, weights_folder


def show_weights(console: Console, *, checks: bool) -> None:
    """One row a model; with `checks`, files that are here are compared with their published sums (raises `WrongWeights`)."""
    table = Table(show_lines=False, pad_edge=False)
    for title in ("model", "gives", "licence", "parameters", "file", "here", "measured cost", "from"):
        table.add_column(title, overflow="fold")
    for card in CATALOGUE:
        table.add_row(
            card.name, card.gives, card.licence, card.parameters, card.file, _here(card, checks=checks), card.cost, card.source
        )  # fmt: skip
    console.print(table)
    console.print(
        f"Put files into {weights_folder()} (or set HSIMUL3R_WEIGHTS), or give their paths: "
        + ", ".join(f"--{card.option.replace('_', '-')}" for card in CATALOGUE if card.option)
        + ".\n--licences commercial-safe refuses those whose licence restricts their use: "
        + ", ".join(card.name for card in CATALOGUE if card.terms == "restricted")
        + ".",
        highlight=False,
    )


def _here(card: ModelCard, *, checks: bool) -> str:
    if not card.file:
        return "its results are read"
    path = weights_folder() / card.file
    if not path.exists():
        return "no"
    if not checks or path.is_dir():
        return "yes"
    return "as published" if check_published(card.name, path) else "yes, no sum published"
