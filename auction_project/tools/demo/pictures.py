"""Draws the pictures of the demo's catalogue: flat shapes on a studio ground, the same picture every time."""

import io
import math
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFilter

from auction_project.tools.demo.catalogue import Thing

SIZE = 1200  # of the canvas that the shapes are drawn on
OUTPUT_SIZE = 800
DETAIL = (330, 300, 930, 900)  # of the canvas: what a picture of a detail shows
_Colour = tuple[int, int, int]
_Draw = ImageDraw.ImageDraw


def draw(thing: Thing) -> bytes:
    """A PNG of OUTPUT_SIZE x OUTPUT_SIZE pixels."""
    return _encode(_painted(thing))


def draw_detail(thing: Thing) -> bytes:
    """The same from near."""
    return _encode(_painted(thing).crop(DETAIL))


def _painted(thing: Thing) -> Image.Image:
    image = _ground(thing.colour)
    _shadow(image)
    _SHAPES[thing.shape](ImageDraw.Draw(image), thing.colour)
    return image


def _encode(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.resize((OUTPUT_SIZE, OUTPUT_SIZE), Image.Resampling.LANCZOS).save(content, "PNG")
    return content.getvalue()


def _mix(colour: _Colour, other: _Colour, share: float) -> _Colour:
    return tuple(round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))  # type: ignore[return-value]


def _light(colour: _Colour, share: float = 0.35) -> _Colour:
    return _mix(colour, (255, 255, 255), share)


def _dark(colour: _Colour, share: float = 0.4) -> _Colour:
    return _mix(colour, (12, 14, 20), share)


def _ground(colour: _Colour) -> Image.Image:
    """A studio backdrop: paper that turns into the table."""
    top, bottom = _mix((246, 242, 234), colour, 0.10), _mix((222, 214, 202), colour, 0.18)
    image = Image.new("RGB", (SIZE, SIZE))
    pen = ImageDraw.Draw(image)
    for y in range(SIZE):
        share = 1 / (1 + math.exp(-(y - SIZE * 0.72) / 60))
        pen.line([(0, y), (SIZE, y)], fill=_mix(top, bottom, share))
    return image


def _shadow(image: Image.Image) -> None:
    shade = Image.new("L", (SIZE, SIZE), 0)
    ImageDraw.Draw(shade).ellipse((300, 955, 900, 1045), fill=120)
    image.paste((60, 52, 46), mask=shade.filter(ImageFilter.GaussianBlur(30)))


def _clock(pen: _Draw, colour: _Colour) -> None:
    pen.polygon([(380, 1000), (820, 1000), (760, 900), (440, 900)], fill=_dark(colour, 0.2))
    pen.rounded_rectangle((430, 420, 770, 910), 40, fill=(236, 232, 226))
    pen.ellipse((410, 300, 790, 680), fill=colour)
    pen.ellipse((450, 340, 750, 640), fill=(252, 250, 244))
    for hour in range(12):
        angle = math.radians(hour * 30)
        x, y = 600 + 125 * math.sin(angle), 490 - 125 * math.cos(angle)
        pen.ellipse((x - 7, y - 7, x + 7, y + 7), fill=_dark(colour, 0.7))
    pen.line([(600, 490), (600, 400)], fill=(30, 30, 34), width=12)
    pen.line([(600, 490), (670, 530)], fill=(30, 30, 34), width=12)
    pen.ellipse((560, 240, 640, 320), fill=_light(colour))


def _vase(pen: _Draw, colour: _Colour) -> None:
    outline = [
        (0.18, 260),
        (0.13, 330),
        (0.12, 400),
        (0.24, 520),
        (0.30, 640),
        (0.26, 780),
        (0.15, 930),
        (0.17, 1000),
    ]
    left = [(600 - r * 1000, y) for r, y in outline]
    right = [(600 + r * 1000, y) for r, y in reversed(outline)]
    pen.polygon(left + right, fill=colour)
    shine = [(600 - r * 700, y) for r, y in outline[1:-1]] + [
        (600 - r * 420, y) for r, y in reversed(outline[1:-1])
    ]
    pen.polygon(shine, fill=_light(colour, 0.3))
    pen.ellipse((420, 238, 780, 282), fill=_dark(colour, 0.35))


def _painting(pen: _Draw, colour: _Colour) -> None:
    pen.rectangle((210, 260, 990, 960), fill=(120, 84, 48))
    pen.rectangle((250, 300, 950, 920), fill=(164, 122, 72))
    for y in range(330, 890):
        share = (y - 330) / 560
        pen.line([(280, y), (920, y)], fill=_mix((236, 164, 110), colour, min(1.0, share * 1.7)))
    pen.ellipse((560, 500, 660, 600), fill=(250, 214, 150))
    pen.polygon(
        [(280, 660), (480, 560), (620, 650), (780, 540), (920, 640), (920, 680), (280, 680)],
        fill=_dark(colour, 0.3),
    )
    for x, height in ((400, 180), (520, 240), (760, 200)):
        pen.line([(x, 760), (x, 760 - height)], fill=(36, 34, 44), width=8)
        pen.polygon([(x + 8, 760 - height), (x + 8, 720), (x + 100, 720)], fill=(244, 232, 214))
        pen.polygon([(x - 80, 750), (x + 110, 750), (x + 80, 790), (x - 50, 790)], fill=(52, 40, 40))


def _chair(pen: _Draw, colour: _Colour) -> None:
    pen.polygon([(330, 320), (470, 280), (620, 720), (470, 760)], fill=colour)
    pen.polygon([(380, 340), (470, 310), (600, 690), (500, 720)], fill=(34, 32, 34))
    pen.polygon([(440, 690), (870, 640), (900, 720), (470, 790)], fill=colour)
    pen.polygon([(460, 660), (860, 610), (880, 660), (480, 720)], fill=(44, 42, 44))
    pen.rectangle((620, 740, 670, 930), fill=(70, 70, 76))
    pen.line([(645, 930), (430, 1000)], fill=(90, 90, 98), width=24)
    pen.line([(645, 930), (860, 1000)], fill=(90, 90, 98), width=24)


def _watch(pen: _Draw, colour: _Colour) -> None:
    pen.rounded_rectangle((500, 150, 700, 420), 30, fill=_dark(colour, 0.2))
    pen.rounded_rectangle((500, 780, 700, 1050), 30, fill=_dark(colour, 0.2))
    for y in (*range(180, 400, 44), *range(820, 1040, 44)):
        pen.line([(500, y), (700, y)], fill=_light(colour, 0.2), width=6)
    pen.ellipse((360, 360, 840, 840), fill=_light(colour, 0.35))
    pen.ellipse((400, 400, 800, 800), fill=(28, 32, 44))
    pen.rectangle((838, 570, 890, 630), fill=colour)
    for cx, cy in ((510, 600), (690, 600), (600, 700)):
        pen.ellipse((cx - 55, cy - 55, cx + 55, cy + 55), fill=(212, 208, 196))
        pen.line([(cx, cy), (cx + 20, cy - 34)], fill=(40, 40, 40), width=6)
    pen.line([(600, 600), (540, 480)], fill=(246, 244, 236), width=16)
    pen.line([(600, 600), (710, 520)], fill=(246, 244, 236), width=12)


def _camera(pen: _Draw, colour: _Colour) -> None:
    pen.rounded_rectangle((230, 440, 970, 920), 60, fill=colour)
    pen.rounded_rectangle((230, 440, 970, 560), 50, fill=(196, 198, 202))
    pen.rectangle((300, 390, 430, 450), fill=(176, 178, 184))
    pen.rectangle((520, 470, 680, 530), fill=(30, 34, 42))
    pen.ellipse((420, 540, 780, 900), fill=(24, 26, 30))
    pen.ellipse((470, 590, 730, 850), fill=(70, 76, 90))
    pen.ellipse((520, 640, 680, 800), fill=(20, 26, 48))
    pen.ellipse((548, 664, 610, 726), fill=(150, 176, 226))
    pen.ellipse((850, 470, 910, 530), fill=(190, 60, 50))


def _ring(pen: _Draw, colour: _Colour) -> None:
    pen.ellipse((380, 520, 820, 1000), outline=(206, 208, 214), width=56)
    pen.polygon([(600, 560), (440, 420), (500, 320), (700, 320), (760, 420)], fill=colour)
    pen.polygon([(600, 560), (540, 420), (660, 420)], fill=_light(colour, 0.45))
    pen.polygon([(440, 420), (500, 320), (540, 420)], fill=_light(colour, 0.2))
    pen.polygon([(760, 420), (700, 320), (660, 420)], fill=_dark(colour, 0.25))
    for x in (400, 800):
        pen.polygon([(x, 560), (x - 44, 500), (x, 450), (x + 44, 500)], fill=(236, 242, 250))


def _lamp(pen: _Draw, colour: _Colour) -> None:
    pen.ellipse((400, 940, 800, 1020), fill=_dark(colour, 0.2))
    pen.line([(600, 970), (600, 640), (760, 430)], fill=colour, width=30)
    pen.ellipse((575, 615, 625, 665), fill=_light(colour))
    pen.pieslice((540, 220, 920, 600), 150, 330, fill=(252, 246, 228))
    pen.polygon([(560, 500), (900, 320), (930, 350), (590, 530)], fill=_light(colour, 0.2))


def _globe(pen: _Draw, colour: _Colour) -> None:
    pen.polygon([(560, 860), (640, 860), (700, 1000), (500, 1000)], fill=(96, 62, 40))
    pen.ellipse((330, 260, 870, 800), outline=(186, 148, 84), width=26)
    pen.ellipse((370, 300, 830, 760), fill=_mix(colour, (214, 220, 206), 0.45))
    for blob in ((430, 380, 600, 520), (480, 500, 580, 680), (620, 360, 780, 500), (660, 500, 760, 640)):
        pen.ellipse(blob, fill=_mix(colour, (172, 132, 84), 0.7))
    for inset in (0, 80, 160):
        pen.ellipse((370 + inset, 300, 830 - inset, 760), outline=_dark(colour, 0.1), width=3)
    pen.rectangle((585, 790, 615, 880), fill=(186, 148, 84))


def _violin(pen: _Draw, colour: _Colour) -> None:
    pen.ellipse((420, 640, 780, 1020), fill=colour)
    pen.ellipse((450, 440, 750, 720), fill=colour)
    pen.ellipse((400, 610, 470, 710), fill=_ground_tone())
    pen.ellipse((730, 610, 800, 710), fill=_ground_tone())
    pen.rectangle((570, 160, 630, 760), fill=(34, 28, 26))
    pen.ellipse((560, 110, 640, 190), fill=_dark(colour, 0.3))
    pen.rectangle((540, 800, 660, 820), fill=(226, 190, 140))
    for x in (580, 593, 606, 619):
        pen.line([(x, 170), (x, 930)], fill=(232, 228, 220), width=3)
    for x in (500, 700):
        pen.arc((x - 22, 740, x + 22, 880), 20, 340, fill=(40, 26, 20), width=8)


def _ground_tone() -> _Colour:
    return (232, 224, 212)


def _book(pen: _Draw, colour: _Colour) -> None:
    pen.polygon([(300, 360), (820, 280), (900, 880), (380, 980)], fill=_dark(colour, 0.25))
    pen.polygon([(320, 340), (800, 270), (880, 860), (400, 950)], fill=colour)
    pen.polygon([(400, 950), (880, 860), (900, 890), (420, 985)], fill=(240, 234, 220))
    for x, y, r in (
        (520, 470, 16),
        (640, 420, 10),
        (700, 560, 22),
        (560, 640, 12),
        (660, 720, 16),
        (500, 780, 9),
    ):
        pen.ellipse((x - r, y - r, x + r, y + r), fill=(248, 226, 160))
    pen.line([(520, 470), (640, 420), (700, 560), (560, 640), (660, 720)], fill=(214, 198, 150), width=4)


def _print(pen: _Draw, colour: _Colour) -> None:
    pen.rectangle((260, 240, 940, 980), fill=(250, 247, 240))
    pen.rectangle((310, 290, 890, 880), fill=_mix(colour, (236, 228, 208), 0.75))
    for row in range(5):
        y = 460 + row * 90
        for x in range(300 + (row % 2) * 60, 880, 120):
            box = (max(310, x - 60), y - 60, min(890, x + 60), y + 60)
            pen.pieslice(box, 180, 360, fill=_mix(colour, (255, 255, 255), row * 0.12))
            pen.arc(box, 180, 360, fill=(250, 247, 240), width=8)
    pen.ellipse((690, 330, 800, 440), fill=(206, 84, 62))
    pen.line([(720, 930), (850, 920)], fill=(90, 88, 86), width=4)


_SHAPES: dict[str, Callable[[_Draw, _Colour], None]] = {
    "clock": _clock,
    "vase": _vase,
    "painting": _painting,
    "chair": _chair,
    "watch": _watch,
    "camera": _camera,
    "ring": _ring,
    "lamp": _lamp,
    "globe": _globe,
    "violin": _violin,
    "book": _book,
    "print": _print,
}
