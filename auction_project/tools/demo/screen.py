"""The demo's one screen: the addresses, the accounts, what to look at and how to stop; and live figures beneath."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from auction_project.processes import registry
from auction_project.tools.demo import people
from auction_project.tools.demo.figures import Figures

STALE_SECONDS = 15.0  # the screen says of older figures that they are old

console = Console(highlight=False)


def welcome(url: str, *, wanted_port: int, logs: str) -> Panel:
    """The panel that stays on the screen."""
    accounts = Table.grid(padding=(0, 3))
    accounts.add_row("[bold]sign in as[/]", "[bold]password[/]", "[bold]to see[/]")
    for person in people.VISITORS:
        accounts.add_row(person.email, person.password or "", person.note)
    look = Table.grid(padding=(0, 3))
    look.add_column(no_wrap=True)  # an address that is cut cannot be copied
    look.add_column()
    for path, what in (
        ("/", "lots, pictures, live prices: bid on one against the crowd"),
        ("/accounts/login/", "sign in with one click, or create an account of your own"),
        ("/demo/mail/", "the mailbox: every e-mail that Gavel sends, such as the link of a sign-up"),
        ("/admin/", "the stock and the sagas (as operator)"),
        ("/api/", "the REST API with an interactive browser"),
    ):
        look.add_row(f"[link={url}{path}]{url}{path}[/link]", what)
    end = f"Logs: {logs}/*.log. `make verify` checks every invariant. Ctrl-C or `make stop` ends everything."
    body = Group(look, Text(), accounts, Text(), Text(end, style="dim"))
    if not url.endswith(f":{wanted_port}"):
        port = url.rpartition(":")[2]
        body = Group(Text(f"Port {wanted_port} was taken, using {port}.", style="yellow"), Text(), body)
    return Panel(body, title="[bold]Gavel is open[/]", border_style="green", padding=(1, 2))


def live(
    figures: Figures | None,
    answers: Counter[str],
    *,
    open_lots: int,
    restarts: Mapping[str, int],
    seconds: float,
    age_seconds: float,
) -> Table:
    """The figures that change; those of the stores are `age_seconds` old."""
    table = Table.grid(padding=(0, 3))
    table.add_row("[dim]running[/]", f"{seconds:.0f} s")
    table.add_row("[dim]open lots[/]", str(open_lots))
    table.add_row("[dim]answers to the crowd[/]", _counts(answers))
    if figures is not None:
        table.add_row("[dim]entries in the bid log[/]", str(figures.entries))
        table.add_row("[dim]sales by state[/]", _counts(figures.sagas))
        table.add_row("[dim]sales undone by[/]", _counts(figures.undone))
        table.add_row("[dim]orders, notifications[/]", f"{figures.orders}, {figures.notifications}")
    if figures is None or age_seconds > STALE_SECONDS:
        table.add_row("", f"[yellow]a store does not answer; figures are {age_seconds:.0f} s old[/]")
    if restarts:
        table.add_row("[dim]roles restarted[/]", _counts(restarts))
    return table


def services(processes: Sequence[registry.Process] | None) -> Table | Text:
    """The processes by role, those of the web by pool: how many are ready, and what they use, do and have before them. None: Redis
    does not answer."""
    if processes is None:
        return Text("Redis does not answer: which processes run is unknown", style="yellow")
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("processes")
    for name in ("ready", "CPU", "memory", "work", "lag"):
        table.add_column(name, justify="right")
    for name, group in itertools.groupby(sorted(processes, key=_group), key=_group):
        copies = list(group)
        ready = sum(copy.ready for copy in copies)
        table.add_row(
            name,
            f"{ready} of {len(copies)}" if ready == len(copies) else f"[yellow]{ready} of {len(copies)}[/]",
            f"{sum(copy.cpu or 0 for copy in copies):.1%}",
            f"{sum(copy.memory_mib or 0 for copy in copies):.0f} MiB",
            _sum([copy.rate for copy in copies], "{}/s"),
            _sum([copy.lag for copy in copies], "{}"),
        )
    return table


def _group(process: registry.Process) -> str:
    """The name of a copy without its number."""
    name, _, number = process.copy.rpartition("-")
    return name if number.isdecimal() else process.copy


def _sum(figures: Sequence[registry.Figure | None], form: str) -> str:
    present = [figure for figure in figures if figure is not None]
    if not present:
        return "-"
    return form.format(registry.Figure(sum(figure.value for figure in present), present[0].unit))


def _counts(counts: Mapping[str, int]) -> str:
    return "   ".join(f"{name.lower()} [bold]{count}[/]" for name, count in sorted(counts.items())) or "-"
