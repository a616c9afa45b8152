"""What the demo auctions: titles, texts, starting prices (minor units of EUR) and how each piece is drawn. `shelf` has what it
sells at fixed prices."""

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


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """One product. `category` is a slug of the shelf's, `facts` are names with values. The clerk receives `stock` units at a
    time."""

    sku: str
    title: str
    text: str
    condition: str
    shape: Shape
    colour: tuple[int, int, int]
    category: str
    facts: tuple[tuple[str, str], ...] = ()
    stock: int = 1
    owner: Literal["house", "seller"] = "house"


class Piece(Thing, frozen=True, kw_only=True):
    """A product that is auctioned. A lot offers `listed` of its units. Those of a `scarce` piece break now and then. The buyer of one
    with `pay_minutes` has so long to pay in the shop; else the card is charged at once."""

    start: int
    buy_now: bool = False
    listed: int = 1
    reserve: int | None = None
    scarce: bool = False
    pay_minutes: int = 0


PIECES: tuple[Piece, ...] = (
    Piece(
        sku="CLK-1887",
        title="Mantel clock, Paris, about 1887",
        text="Gilt bronze and white marble, eight-day movement striking on a bell. Runs; last serviced this year.",
        condition="GOOD",
        shape="clock",
        colour=(176, 141, 87),
        category="clocks-watches",
        facts=(("Movement", "Eight days, striking"), ("Material", "Gilt bronze, marble")),
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
        category="ceramics",
        facts=(("Height", "32 cm"), ("Glaze", "Celadon")),
        start=9_500,
        stock=12,
        pay_minutes=5,
    ),
    Piece(
        sku="OIL-2203",
        title="Harbour at dusk, oil on canvas",
        text="60 by 80 cm, unsigned, in a carved oak frame. Cleaned and relined.",
        condition="GOOD",
        shape="painting",
        colour=(70, 96, 132),
        category="paintings",
        facts=(("Size", "60 × 80 cm"), ("Frame", "Oak")),
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
        category="seating",
        facts=(("Wood", "Walnut"), ("Cover", "Leather")),
        start=21_000,
        stock=12,
        pay_minutes=3 * 24 * 60,
    ),
    Piece(
        sku="WAT-1969",
        title="Chronograph, steel, 1969",
        text="Column-wheel chronograph, 36 mm, on its original bracelet. With box and papers.",
        condition="LIKE_NEW",
        shape="watch",
        colour=(92, 98, 110),
        category="clocks-watches",
        facts=(("Diameter", "36 mm"), ("Year", "1969")),
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
        category="photography",
        facts=(("Film", "35 mm"), ("Lens", "50 mm")),
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
        category="jewellery",
        facts=(("Stone", "Sapphire, 2.1 ct"), ("Size", "54")),
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
        category="globes",
        facts=(("Diameter", "30 cm"), ("Year", "1901")),
        start=14_000,
        stock=12,
        pay_minutes=24 * 60,
    ),
    Piece(
        sku="VLN-0034",
        title="Violin, Mittenwald school",
        text="Two-piece maple back, warm brown varnish, with bow and case. Set up and playable.",
        condition="GOOD",
        shape="violin",
        colour=(142, 78, 40),
        category="music",
        facts=(("Size", "4/4"), ("Back", "Maple, two pieces")),
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
        category="lighting",
        facts=(("Socket", "E27"), ("Shade", "Opal glass")),
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
        category="books",
        facts=(("Edition", "500"), ("Binding", "Half-cloth")),
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
        category="prints",
        facts=(("Paper", "Kozo"), ("Signed", "Yes")),
        start=4_800,
        stock=6,
        buy_now=True,
        listed=6,
        scarce=True,
    ),
)
