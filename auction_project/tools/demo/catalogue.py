"""What the demo sells: titles, texts, starting prices (minor units of EUR) and how each piece is drawn."""

from typing import Literal

import msgspec

Shape = Literal[
    "clock",
    "vase",
    "painting",
    "chair",
    "watch",
    "camera",
    "ring",
    "lamp",
    "globe",
    "violin",
    "book",
    "print",
]


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One product. The clerk receives `stock` units at a time, and a lot offers `listed` of them. The units of a
    `scarce` piece break now and then."""

    sku: str
    title: str
    text: str
    condition: str
    shape: Shape
    colour: tuple[int, int, int]
    start: int
    stock: int = 1
    buy_now: bool = False
    listed: int = 1
    reserve: int | None = None
    owner: Literal["house", "seller"] = "house"
    scarce: bool = False


PIECES: tuple[Piece, ...] = (
    Piece(
        sku="CLK-1887",
        title="Mantel clock, Paris, about 1887",
        text="Gilt bronze and white marble, eight-day movement striking on a bell. Runs; last serviced this year.",
        condition="GOOD",
        shape="clock",
        colour=(176, 141, 87),
        start=18_000,
        reserve=26_000,
        stock=12,
    ),
    Piece(
        sku="VAS-0412",
        title="Celadon vase, 32 cm",
        text="Crackled celadon glaze over a baluster form. A firing mark at the foot, no repairs.",
        condition="LIKE_NEW",
        shape="vase",
        colour=(122, 158, 142),
        start=9_500,
        stock=12,
    ),
    Piece(
        sku="OIL-2203",
        title="Harbour at dusk, oil on canvas",
        text="60 by 80 cm, unsigned, in a carved oak frame. Cleaned and relined.",
        condition="GOOD",
        shape="painting",
        colour=(70, 96, 132),
        start=32_000,
        reserve=45_000,
        stock=12,
        owner="seller",
    ),
    Piece(
        sku="CHR-0050",
        title="Lounge chair, walnut and leather",
        text="Moulded walnut shell, black leather, swivel base. Light wear on the armrests.",
        condition="GOOD",
        shape="chair",
        colour=(110, 74, 52),
        start=21_000,
        stock=12,
    ),
    Piece(
        sku="WAT-1969",
        title="Chronograph, steel, 1969",
        text="Column-wheel chronograph, 36 mm, on its original bracelet. With box and papers.",
        condition="LIKE_NEW",
        shape="watch",
        colour=(92, 98, 110),
        start=64_000,
        reserve=90_000,
        stock=12,
        owner="seller",
    ),
    Piece(
        sku="CAM-0035",
        title="Rangefinder camera with 50 mm lens",
        text="Shutter accurate at all speeds, viewfinder clear, lens without haze.",
        condition="LIKE_NEW",
        shape="camera",
        colour=(58, 62, 68),
        start=27_500,
        stock=12,
    ),
    Piece(
        sku="RNG-0717",
        title="Sapphire ring, platinum",
        text="Oval sapphire of 2.1 ct between two brilliants. Size 54, with a laboratory report.",
        condition="NEW",
        shape="ring",
        colour=(48, 84, 160),
        start=88_000,
        stock=12,
    ),
    Piece(
        sku="GLB-1901",
        title="Terrestrial globe on a stand, 1901",
        text="Twelve gores on a papier-mâché sphere of 30 cm, brass meridian, turned stand.",
        condition="FAIR",
        shape="globe",
        colour=(104, 132, 120),
        start=14_000,
        stock=12,
    ),
    Piece(
        sku="VLN-0034",
        title="Violin, Mittenwald school",
        text="Two-piece maple back, warm brown varnish, with bow and case. Set up and playable.",
        condition="GOOD",
        shape="violin",
        colour=(142, 78, 40),
        start=39_000,
        stock=12,
        owner="seller",
    ),
    Piece(
        sku="LMP-0021",
        title="Desk lamp, brass and opal glass",
        text="New from the workshop: adjustable arm, hand-blown shade, dimmable.",
        condition="NEW",
        shape="lamp",
        colour=(186, 148, 70),
        start=12_900,
        stock=400,
        buy_now=True,
        listed=40,
    ),
    Piece(
        sku="BOK-0101",
        title="Atlas of the winter sky, facsimile",
        text="Facsimile in 500 copies on laid paper, half-cloth, slipcase.",
        condition="NEW",
        shape="book",
        colour=(40, 52, 92),
        start=6_400,
        stock=400,
        buy_now=True,
        listed=40,
    ),
    Piece(
        sku="PRT-0009",
        title="Woodcut print, waves, signed",
        text="Hand-pulled on kozo paper, signed and numbered. Only a few copies at a time come from the press.",
        condition="NEW",
        shape="print",
        colour=(54, 92, 120),
        start=4_800,
        stock=6,
        buy_now=True,
        listed=6,
        scarce=True,
    ),
)
