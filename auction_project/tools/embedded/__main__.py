"""The command line: run, control, status. Decides nothing but which servers are needed."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from auction_project.tools.embedded import requirements_check

SERVERS = ("postgres", "valkey", "mongodb")
EXIT_USAGE = 2
EXIT_NOT_RUNNING = 3
EXAMPLES = """\
examples:
  python -m auction_project.tools.embedded run -- python manage.py runserver
  python -m auction_project.tools.embedded run --data var/test -- python -m pytest
  python -m auction_project.tools.embedded run --only postgres -- psql "$DATABASE_URL_DEFAULT"
  python -m auction_project.tools.embedded control pause mongodb
  python -m auction_project.tools.embedded status
"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    try:
        return int(options.perform(options))
    except requirements_check.Unsupported as refusal:
        print(f"embedded: {refusal}", file=sys.stderr)
        return EXIT_USAGE


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m auction_project.tools.embedded",
        description="PostgreSQL, Valkey and a MongoDB-compatible server as children of one program, without root, Docker or installation.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "--data",
        type=Path,
        default=Path("var/embedded"),
        metavar="DIR",
        help="the directory of data, passwords and logs (default: var/embedded)",
    )
    verbs = parser.add_subparsers(required=True, metavar="run | control | status")

    run = verbs.add_parser(
        "run",
        parents=[where],
        help="start the servers, run COMMAND with their variables, stop them",
        description="Start the servers that no variable names yet, set their variables, run COMMAND, stop the servers, and"
        " exit with COMMAND's exit code (70: the servers failed). SIGINT and SIGTERM go to COMMAND.",
    )
    run.add_argument(
        "--only",
        type=_parse_names,
        default=list(SERVERS),
        metavar="NAMES",
        help=f"start only these, comma-separated: some of {', '.join(SERVERS)} (default: all)",
    )
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND...", help="the command to run")
    run.set_defaults(perform=_run)

    control = verbs.add_parser(
        "control",
        parents=[where],
        help="kill, pause, resume or start one server of a run",
        description="Cause a fault on purpose. kill: SIGKILL to all processes of the server; start: start it again with"
        " the same port and data; pause and resume: SIGSTOP and SIGCONT.",
    )
    control.add_argument("action", choices=("kill", "pause", "resume", "start"))
    control.add_argument("name", choices=("postgres", "redis", "mongodb"))
    control.set_defaults(perform=_control)

    status = verbs.add_parser(
        "status",
        parents=[where],
        help="show which servers run",
        description=f"Show the servers of the run that uses the data directory. Exit code {EXIT_NOT_RUNNING}: there is none.",
    )
    status.set_defaults(perform=_status)
    return parser.parse_args(arguments)


def _parse_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in SERVERS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)} (known: {', '.join(SERVERS)})")
    return names


def _run(options: argparse.Namespace) -> int:
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        print("embedded: nothing to run; write: run -- COMMAND...", file=sys.stderr)
        return EXIT_USAGE
    requirements_check.require(servers=options.only)

    # Only now: these need Linux even to be imported.
    from auction_project.tools.embedded import directory, front, mongodb, postgres, supervisor, valkey

    data = directory.Directory(options.data)
    every = (postgres.PostgreSQL(data), valkey.Valkey(data), mongodb.MongoDB(data))
    needed = [
        server
        for server in every
        if server.name in options.only and not all(os.environ.get(name) for name in server.variables)
    ]
    try:
        data.acquire()
    except (directory.InUse, OSError) as refusal:
        print(f"embedded: {refusal}", file=sys.stderr)
        return supervisor.EXIT_FAILED
    return front.run(
        lambda pipe, group: supervisor.Supervisor(
            data, servers=needed, command=command, pipe=pipe, group=group
        ).run()
    )


def _control(options: argparse.Namespace) -> int:
    from auction_project.tools.embedded import control, directory

    try:
        print(control.ask(directory.Directory(options.data), action=options.action, name=options.name))
    except control.Refused as refusal:
        print(f"embedded: {refusal}", file=sys.stderr)
        return 1
    return 0


def _status(options: argparse.Namespace) -> int:
    from auction_project.tools.embedded import directory

    data = directory.Directory(options.data)
    state = data.read_state()
    if not data.is_held() or not state.get("running"):
        print(f"Nothing runs on {data.path}.")
        return EXIT_NOT_RUNNING
    print(f"{'server':<28}{'state':<10}{'port':<8}process")
    for server in state["servers"].values():
        print(f"{server['label']:<28}{server['state']:<10}{server['port']:<8}{server['pid'] or '-'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
