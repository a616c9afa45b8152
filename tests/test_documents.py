"""What the documents name exists: files and directories, links, the targets of make and the commands of manage.py.

Of the blocks of code, only those of ARCHITECTURE.md are searched for files: ADR 23 shows how the layout once was.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core import management

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "GLOSSARY.md",
    "CONTRIBUTING.md",
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))),
)
IMAGES = ("apache/",)  # of containers
PREFIXES = ("", "auction_project", "auction_project/kernel")  # a document may leave these out
MADE_LATER = ("var/", "docker/.env")  # by a run, or by the reader

_FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
_FILE = re.compile(r"(?<![\w/.{])[\w-]+(?:/[\w-]+)+\.py\b")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_MAP_LINE = re.compile(r"^( *)(\w+/) (.*)$")
_PART = re.compile(r"\w+(?:/|\.py)")


def paths_of(text: str) -> Iterator[str]:
    """What inline code names with a slash in it: `bidding/store/`, `kernel/owned.py`."""
    for code in _CODE.findall(_FENCE.sub("", text)):
        if "/" in code and _PATH.fullmatch(code) and not code.startswith((*MADE_LATER, *IMAGES)):
            yield code


def files_of_blocks(text: str) -> Iterator[str]:
    """The Python files that blocks of code name."""
    for block in _FENCE.findall(text):
        yield from _FILE.findall(block)


def map_of(text: str) -> Iterator[str]:
    """What the first block of code names: a directory on each line, below the one that is indented less, and its
    parts."""
    above: list[str] = []
    for line in _FENCE.findall(text)[0].splitlines():
        if match := _MAP_LINE.match(line):
            above = [*above[: len(match[1]) // 2], match[2]]
            yield from ("".join([*above, part]) for part in ("", *_PART.findall(match[3])))


def exists(path: str) -> bool:
    return any((ROOT / prefix / path).exists() for prefix in PREFIXES)


def read(document: str) -> str:
    return (ROOT / document).read_text()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_that_a_document_names_exists(document: str) -> None:
    assert [path for path in paths_of(read(document)) if not exists(path)] == []


def test_every_file_and_directory_of_the_map_and_the_walks_exists() -> None:
    text = read("ARCHITECTURE.md")
    named = [*map_of(text), *files_of_blocks(text)]

    assert len(named) > 30
    assert [path for path in named if not exists(path)] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_to_a_file(document: str) -> None:
    targets = [target for target in _LINK.findall(read(document)) if "://" not in target]

    assert [
        target
        for target in targets
        if not (ROOT / document).parent.joinpath(target.partition("#")[0]).exists()
    ] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_target_and_command_exists(document: str) -> None:
    text = read(document)
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    code = [*_FENCE.findall(text), *_CODE.findall(_FENCE.sub("", text))]
    made = {name for line in code for name in re.findall(r"(?:^|&& |\n)make ([a-z-]+)", line)}
    run = {name for line in code for name in re.findall(r"manage\.py ([a-z_]+)", line)}

    assert (made - targets, run - set(management.get_commands())) == (set(), set())


def test_what_does_not_exist_is_found() -> None:
    planted = "```\nbidding/  rules\n  rooms/  gone\n```\n`bidding/rooms.py`\n"

    assert [path for path in (*map_of(planted), *paths_of(planted)) if not exists(path)] == [
        "bidding/rooms/",
        "bidding/rooms.py",
    ]
    assert list(files_of_blocks("```\n1 bidding/rooms/gap.py  text\n```\n")) == ["bidding/rooms/gap.py"]
