"""Cues of Türkiye, the Caucasus, the Levant and Asia. See `cues`."""

from dataclasses import replace

from streetclip.demo.cues import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    WHITE,
    YELLOW,
    CountryCues,
    Line,
    Plate,
    WarningSign,
)


def countries() -> list[CountryCues]:
    """Türkiye and Georgia, the Levant, East, South-East and South Asia."""
    return [*_caucasus(), *_levant(), *_east(), *_south_east(), *_south()]


def _caucasus() -> list[CountryCues]:
    base = CountryCues(
        code="TR",
        cluster="Anatolia and Caucasus",
        driving_side="right",
        centre_line=Line(WHITE, "dashed"),
        edge_line=Line(WHITE, "solid"),
        plate=Plate(band=(24, 64, 160)),
        warning=WarningSign(),
        direction=BLUE,
        bollard=(WHITE, RED, WHITE),
        pole="concrete",
        trees=("poplar", "bush"),
        ground="steppe",
        terrain="mountains",
        roof="tile",
        script="latin",
        climate="dry",
    )
    return [
        base.with_cities(
            "Istanbul | Istanbul | concrete | minarets | marine",
            "Ankara | Ankara | brick | highrise | hazy",
            "İzmir | Izmir | white | tower | golden",
        ),
        replace(
            base,
            code="GE",
            script="georgian",
            plate=Plate(),
            roof="metal",
            trees=("oak", "poplar"),
            ground="pasture",
            terrain="peaks",
            pole="wood",
            climate="mild",
        ).with_cities(
            "Tbilisi | Tbilisi | timber | fortress | golden",
            "Batumi | Adjara | glass | highrise | marine",
            "Kutaisi | Imereti | limestone | cathedral | clear",
        ),
    ]


def _levant() -> list[CountryCues]:
    base = CountryCues(
        code="IL",
        cluster="Levant",
        driving_side="right",
        centre_line=Line(WHITE, "dashed"),
        edge_line=Line(YELLOW, "solid"),
        plate=Plate(background=YELLOW, band=(24, 64, 160)),
        warning=WarningSign(),
        direction=GREEN,
        bollard=(RED, WHITE, RED),
        pole="steel",
        trees=("cypress", "palm"),
        ground="desert",
        terrain="rolling",
        roof="flat",
        script="hebrew",
        climate="dry",
    )
    return [
        base.with_cities(
            "Jerusalem | Jerusalem | limestone | dome | golden",
            "Tel Aviv | Tel Aviv | white | highrise | marine",
            "Haifa | Haifa | ochre | hill | clear",
        ),
        replace(
            base,
            code="JO",
            plate=Plate(),
            script="arabic",
            trees=("olive", "bush"),
            direction=BLUE,
            bollard=(BLACK, WHITE, BLACK),
        ).with_cities(
            "Amman | Amman | limestone | minarets | golden",
            "Irbid | Irbid | concrete | highrise | hazy",
            "Aqaba | Aqaba | sandstone | cranes | clear",
        ),
    ]


def _east() -> list[CountryCues]:
    base = CountryCues(
        code="JP",
        cluster="East Asia",
        driving_side="left",
        centre_line=Line(WHITE, "dashed"),
        edge_line=Line(WHITE, "solid"),
        plate=Plate(text=GREEN, shape="short"),
        warning=WarningSign("diamond", YELLOW, BLACK),
        direction=BLUE,
        bollard=(ORANGE, WHITE, ORANGE),
        pole="concrete",
        trees=("pine", "bamboo"),
        ground="paddy",
        terrain="mountains",
        roof="kawara",
        script="kana",
        climate="mild",
    )
    return [
        base.with_cities(
            "Tokyo | Tokyo | glass | highrise | clear",
            "Kyoto | Kyoto | timber | pagoda | golden",
            "Sapporo | Hokkaido | concrete | tower | cool",
        ),
        replace(
            base,
            code="KR",
            driving_side="right",
            centre_line=Line(YELLOW, "double"),
            plate=Plate(),
            warning=WarningSign(fill=YELLOW),
            direction=GREEN,
            bollard=(YELLOW, BLACK, YELLOW),
            script="hangul",
            trees=("pine", "poplar"),
        ).with_cities(
            "Seoul | Seoul | glass | highrise | hazy",
            "Busan | Busan | candy | cranes | marine",
            "Gyeongju | North Gyeongsang | timber | pagoda | golden",
        ),
    ]


def _south_east() -> list[CountryCues]:
    base = CountryCues(
        code="TH",
        cluster="South-East Asia",
        driving_side="left",
        centre_line=Line(YELLOW, "dashed"),
        edge_line=Line(WHITE, "solid"),
        plate=Plate(shape="short"),
        warning=WarningSign("diamond", YELLOW, BLACK),
        direction=GREEN,
        bollard=(BLACK, WHITE, BLACK),
        pole="square",
        trees=("palm", "banana"),
        ground="paddy",
        terrain="rolling",
        roof="temple",
        script="thai",
        climate="wet",
    )
    return [
        base.with_cities(
            "Bangkok | Bangkok | glass | highrise | hazy",
            "Chiang Mai | Chiang Mai | timber | stupa | golden",
            "Phuket | Phuket | candy | hill | marine",
        ),
        replace(
            base,
            code="KH",
            driving_side="right",
            centre_line=Line(WHITE, "dashed"),
            plate=Plate(text=BLUE, shape="short"),
            bollard=(RED, WHITE, RED),
            terrain="flat",
            ground="laterite",
            script="khmer",
        ).with_cities(
            "Phnom Penh | Phnom Penh | ochre | stupa | golden",
            "Siem Reap | Siem Reap | sandstone | temple | hazy",
            "Battambang | Battambang | concrete | cathedral | clear",
        ),
        replace(
            base,
            code="MY",
            centre_line=Line(WHITE, "double"),
            plate=Plate(background=BLACK, text=WHITE),
            direction=BLUE,
            trees=("palm", "oak"),
            ground="jungle",
            roof="tile",
            script="latin",
        ).with_cities(
            "Kuala Lumpur | Kuala Lumpur | glass | twins | hazy",
            "George Town | Penang | candy | tower | marine",
            "Kuching | Sarawak | white | dome | clear",
        ),
    ]


def _south() -> list[CountryCues]:
    base = CountryCues(
        code="IN",
        cluster="South Asia",
        driving_side="left",
        centre_line=Line(WHITE, "dashed"),
        edge_line=Line(YELLOW, "solid"),
        plate=Plate(),
        warning=WarningSign(),
        direction=GREEN,
        bollard=(BLACK, YELLOW, BLACK),
        pole="steel",
        trees=("acacia", "palm"),
        ground="dust",
        terrain="flat",
        roof="flat",
        script="devanagari",
        climate="dry",
    )
    return [
        base.with_cities(
            "Delhi | Delhi | sandstone | fortress | hazy",
            "Mumbai | Maharashtra | concrete | highrise | marine",
            "Jaipur | Rajasthan | pink | dome | golden",
        ),
        replace(
            base,
            code="NP",
            plate=Plate(background=RED, text=WHITE, shape="short"),
            edge_line=Line(WHITE, "solid"),
            bollard=(BLACK, WHITE, BLACK),
            trees=("pine", "bamboo"),
            ground="paddy",
            terrain="peaks",
            pole="wood",
            direction=GREY,
            climate="mild",
        ).with_cities(
            "Kathmandu | Bagmati | brick | stupa | hazy",
            "Pokhara | Gandaki | candy | pagoda | clear",
            "Biratnagar | Koshi | concrete | chimneys | golden",
        ),
    ]
