"""A flame graph (SVG) of the stacks that py-spy has sampled: which functions of a process ran, and who called them.

A frame's width is its share of the samples; what it calls stands below it. Frames are named by module and function, so that
no path of the machine is in the file. The names carry all meaning: colours only tell our code from that of others, in light
and in dark mode. There is no script: the title of a frame is its tooltip.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from xml.sax.saxutils import escape

import msgspec

# A frame with a smaller share of all samples is left out; the first share by which the file is small enough is taken.
LEAST_SHARES = (0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05)
MOST_BYTES = 100_000
NAMED = 5  # functions that the description names
WIDTH, MARGIN, TOP, ROW = 1200, 10, 58, 18  # pixels
_LETTER = 6.7  # pixels of one, about
OURS = frozenset(
    {"auction_project", "bidding", "inventory", "orders", "notifications", "sagas", "benchmarks"}
)
_STACK = re.compile(r"(?P<frames>.+) (?P<samples>\d+)")
_FRAME = re.compile(r"(?P<function>[\w.<>]+) \((?P<path>[^()]+?)(?::\d+)?\)")
_BELOW = re.compile(r".*/(?:site-packages|python3\.\d+)/")
_STYLE = """
text { font: 11px ui-monospace, monospace; fill: #1f2328 }
.title { font: 600 16px system-ui, sans-serif } .note { font: 12px system-ui, sans-serif }
.o { fill: #f0b37e } .l { fill: #c8d1da } rect { stroke: #fff; stroke-width: .5 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .o { fill: #8a4b12 } .l { fill: #3d444d } rect { stroke: #0d1117 }
}
"""


class Frame(msgspec.Struct):
    """A function in the place that its callers give it, and the samples in which it was on the stack there."""

    name: str
    samples: int = 0
    callees: dict[str, "Frame"] = {}


def frame_name(frame: str) -> str:
    """module.function of a frame as py-spy writes it: `function (path:line)`. Raises ValueError for anything else."""
    parts = _FRAME.fullmatch(frame)
    if parts is None:
        raise ValueError(f"no frame: {frame}")
    return f"{_module(parts['path'])}.{parts['function']}"


def _module(path: str) -> str:
    """The dotted name of a source file. Of an absolute path that is not below a library, the last part alone."""
    path = _BELOW.sub("", path.strip("<>").removeprefix("frozen "))
    if path.startswith("/"):
        path = PurePosixPath(path).name
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def fold(stacks: Iterable[str]) -> Frame:
    """The tree of stacks, each a line `outermost;...;innermost samples`. Other lines do not count: of a thread that is outside
    Python, and those that the process changed while they were read, so that a name in them may be any text."""
    root = Frame("all")
    for line in stacks:
        stack = _STACK.fullmatch(line)
        if stack is None:
            continue
        try:
            names = [frame_name(frame) for frame in stack["frames"].split(";")]
        except ValueError:
            continue
        samples, frame = int(stack["samples"]), root
        frame.samples += samples
        for name in names:
            frame = frame.callees.setdefault(name, Frame(name))
            frame.samples += samples
    return root


def busiest(root: Frame) -> list[tuple[str, float]]:
    """The functions that ran themselves in most samples, with their share of all."""
    own: Counter[str] = Counter()
    frames = list(root.callees.values())
    for frame in frames:
        own[frame.name] += frame.samples - sum(callee.samples for callee in frame.callees.values())
        frames += frame.callees.values()
    return [(name, samples / root.samples) for name, samples in own.most_common(NAMED)]


def draw(root: Frame, *, title: str) -> str:
    """The graph, of at most MOST_BYTES."""
    for share in LEAST_SHARES:
        drawn = _draw(root, title, share)
        if len(drawn.encode()) <= MOST_BYTES:
            break
    return drawn


def _draw(root: Frame, title: str, least_share: float) -> str:
    rows = list(_rows(root, least_share))
    height = TOP + ROW * (1 + max((depth for _, depth, _ in rows), default=0)) + MARGIN
    note = (
        f"{root.samples:,} samples; frames below {100 * least_share:g} % are left out; orange is our own code"
    )
    most = "; ".join(f"{name} {100 * share:.1f} %" for name, share in busiest(root))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(f"{note}. What ran most: {most}.")}</desc>',
            f"<style>{_STYLE}</style>",
            f'<text class="title" x="{MARGIN}" y="24">{escape(title)}</text>',
            f'<text class="note" x="{MARGIN}" y="44">{escape(note)}</text>',
            *(_box(frame, depth, before, root.samples) for frame, depth, before in rows),
            "</svg>\n",
        ]
    )


def _rows(root: Frame, least_share: float) -> Iterator[tuple[Frame, int, int]]:
    """Each frame that is wide enough, with its depth and the samples to its left."""
    waiting = [(root, 0, 0)]
    while waiting:
        frame, depth, before = waiting.pop()
        yield frame, depth, before
        for callee in sorted(frame.callees.values(), key=lambda each: (-each.samples, each.name)):
            if callee.samples >= least_share * root.samples:
                waiting.append((callee, depth + 1, before))
            before += callee.samples


def _box(frame: Frame, depth: int, before: int, samples: int) -> str:
    scale = (WIDTH - 2 * MARGIN) / max(1, samples)
    x, y, width = MARGIN + scale * before, TOP + ROW * depth, scale * frame.samples
    kind = "o" if frame.name.partition(".")[0] in OURS else "l"
    share = 100 * frame.samples / max(1, samples)
    return (
        f"<g><title>{escape(frame.name)}: {share:.1f} %</title>"
        f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW}"/>'
        f"{_label(frame.name, x, y, width)}</g>"
    )


def _label(name: str, x: float, y: int, width: float) -> str:
    """As much of the name as fits: the function without the first parts of its module, or the beginning of the function."""
    letters = int((width - 4) / _LETTER)
    if letters < 3:
        return ""
    while len(name) > letters and "." in name:
        name = name.partition(".")[2]
    text = name if len(name) <= letters else f"{name[: letters - 1]}…"
    return f'<text x="{x + 2:.1f}" y="{y + 13}">{escape(text)}</text>'
