"""The demo's one screen: where to go, who can log in, what to look at, how to stop; and live figures beneath."""

from collections import Counter
from collections.abc import Mapping

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from auction_project.demo.figures import Figures
from auction_project.demo.seed import House

console = Console(highlight=False)


def welcome(url: str, house: House) -> Panel:
    """What stays on the screen."""
    accounts = Table.grid(padding=(0, 3))
    accounts.add_row("[bold]log in as[/]", "[bold]password[/]", "[bold]to see[/]")
    for account in house.accounts:
        if account.password is not None:
            accounts.add_row(account.email, account.password, account.note)
    look = Table.grid(padding=(0, 3))
    for path, what in (
        ("/", "lots, pictures, live prices: bid on one against the crowd"),
        ("/admin/", "the stock desk and the sagas (as operator)"),
        ("/api/", "the REST API with an interactive browser"),
    ):
        look.add_row(f"[link={url}{path}]{url}{path}[/link]", what)
    body = Group(look, Text(), accounts, Text(), Text.from_markup("[dim]Ctrl-C ends everything.[/]"))
    return Panel(body, title="[bold]Gavel is open[/]", border_style="green", padding=(1, 2))


def live(
    figures: Figures | None, answers: Counter[str], restarts: Mapping[str, int], seconds: float
) -> Table:
    """The figures that change."""
    table = Table.grid(padding=(0, 3))
    table.add_row("[dim]running[/]", f"{seconds:.0f} s")
    if figures is None:
        table.add_row("", "waiting for the stores ...")
        return table
    table.add_row("[dim]open lots[/]", str(figures.open_lots))
    table.add_row("[dim]entries in the bid log[/]", str(figures.entries))
    table.add_row("[dim]answers to the crowd[/]", _counts(answers))
    table.add_row("[dim]sales by state[/]", _counts(figures.sagas))
    table.add_row("[dim]sales undone by[/]", _counts(figures.undone))
    table.add_row("[dim]orders[/]", str(figures.orders))
    table.add_row("[dim]notifications, e-mails[/]", f"{figures.notifications}, {figures.emails}")
    if restarts:
        table.add_row("[dim]roles restarted[/]", _counts(restarts))
    return table


def _counts(counts: Mapping[str, int]) -> str:
    return "   ".join(f"{name.lower()} [bold]{count}[/]" for name, count in sorted(counts.items())) or "-"
