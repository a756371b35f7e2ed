"""Islands and disputed land far from the outline of their country and from its towns.

Natural Earth at 1:50m leaves such islands out, or the simplification of the outlines does, and
GeoNames lists no place of 500 inhabitants there. The coordinates are rounded: they serve to
recognise that a point is near a country, not to locate one. Several countries may list the same
place: the table states which labels photographs from there have, and no opinion on whose it is.
"""

from collections.abc import Mapping

OUTLYING_PLACES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "AS": {
        "Rose": (-14.55, -168.15),
    },
    "AU": {
        "Ashmore Reef": (-12.26, 123.04),
        "Cato": (-23.25, 155.53),
        "Lord Howe": (-31.55, 159.08),
        "Macquarie": (-54.62, 158.86),
        "Mellish Reef": (-17.4, 155.85),
        "Middleton Reef": (-29.45, 159.12),
        "Willis": (-16.29, 149.96),
    },
    "BR": {
        "Rocas": (-3.86, -33.8),
        "Saint Peter and Paul": (0.92, -29.35),
        "Trindade": (-20.52, -29.33),
    },
    "BV": {
        "Bouvet": (-54.42, 3.35),
    },
    "CA": {
        "Sable": (43.93, -59.91),
    },
    "CK": {
        "Aitutaki": (-18.86, -159.78),
        "Mangaia": (-21.93, -157.93),
        "Manihiki": (-10.4, -161.0),
        "Palmerston": (-18.05, -163.2),
        "Penrhyn": (-9.0, -158.05),
        "Pukapuka": (-10.88, -165.85),
        "Suwarrow": (-13.25, -163.1),
    },
    "CL": {
        "Diego Ramírez": (-56.5, -68.7),
        "Salas y Gómez": (-26.47, -105.36),
        "San Félix": (-26.28, -80.1),
    },
    "CN": {
        "Itanagar": (27.1, 93.6),
        "Fiery Cross": (9.55, 112.89),
        "Spratly": (9.9, 115.5),
    },
    "CO": {
        "Malpelo": (4.0, -81.61),
        "Roncador": (13.58, -80.08),
        "Serranilla": (15.8, -79.85),
    },
    "CR": {
        "Cocos": (5.53, -87.06),
    },
    "EC": {
        "Darwin": (1.68, -92.0),
    },
    "FJ": {
        "Ceva-i-Ra": (-21.74, 174.63),
        "Ono-i-Lau": (-20.65, -178.72),
    },
    "FM": {
        "Oroluk": (7.5, 155.3),
    },
    "FR": {
        "Clipperton": (10.3, -109.22),
    },
    "GB": {
        "Rockall": (57.6, -13.69),
        "Saint Kilda": (57.8, -8.57),
    },
    "GS": {
        "Shag Rocks": (-53.55, -42.0),
        "Thule": (-59.45, -27.3),
        "Zavodovski": (-56.3, -27.57),
    },
    "HN": {
        "Swan": (17.41, -83.93),
    },
    "IN": {
        "Aksai Chin": (35.2, 79.3),
        "Gilgit": (35.92, 74.31),
        "Skardu": (35.3, 75.6),
    },
    "IO": {
        "Egmont": (-6.65, 71.35),
        "Peros Banhos": (-5.33, 71.85),
    },
    "IS": {
        "Kolbeinsey": (67.13, -18.68),
    },
    "JM": {
        "Pedro Cays": (17.0, -77.8),
    },
    "JP": {
        "Iturup": (45.0, 147.7),
        "Iwo Jima": (24.78, 141.32),
        "Minamitorishima": (24.29, 153.98),
        "Okinotorishima": (20.42, 136.08),
        "Senkaku": (25.75, 123.47),
        "Torishima": (30.48, 140.3),
    },
    "KI": {
        "Banaba": (-0.86, 169.53),
        "Caroline": (-10.0, -150.22),
        "Flint": (-11.43, -151.82),
        "Kanton": (-2.8, -171.7),
        "Malden": (-4.02, -154.93),
        "Orona": (-4.5, -172.2),
        "Starbuck": (-5.64, -155.9),
        "Vostok": (-10.06, -152.31),
    },
    "MH": {
        "Bikini": (11.6, 165.4),
        "Taongi": (14.6, 168.97),
    },
    "MP": {
        "Farallon de Pajaros": (20.55, 144.9),
        "Pagan": (18.1, 145.76),
    },
    "MX": {
        "Alacranes": (22.38, -89.68),
        "Clarión": (18.36, -114.72),
        "Guadalupe": (29.03, -118.28),
        "Socorro": (18.79, -110.97),
    },
    "MY": {
        "Layang-Layang": (7.37, 113.83),
    },
    "NC": {
        "Chesterfield": (-19.88, 158.3),
        "Hunter": (-22.4, 172.05),
        "Huon": (-18.05, 162.95),
        "Walpole": (-22.6, 168.95),
    },
    "NZ": {
        "Antipodes": (-49.68, 178.77),
        "Bounty": (-47.75, 179.05),
        "Campbell": (-52.54, 169.15),
        "Raoul": (-29.27, -177.92),
        "Snares": (-48.02, 166.6),
    },
    "PF": {
        "Eiao": (-8.0, -140.7),
        "Fatu Hiva": (-10.5, -138.65),
        "Hereheretue": (-19.87, -145.0),
        "Maria": (-21.8, -154.7),
        "Moruroa": (-21.83, -138.9),
        "Pukapuka": (-14.82, -138.82),
        "Rapa": (-27.6, -144.33),
        "Scilly": (-16.55, -154.67),
        "Tematangi": (-21.65, -140.6),
        "Tureia": (-20.8, -138.5),
    },
    "PG": {
        "Carteret": (-4.75, 155.4),
        "Ninigo": (-1.25, 144.3),
        "Nukumanu": (-4.55, 159.4),
    },
    "PH": {
        "Pag-asa": (11.05, 114.28),
        "Scarborough": (15.15, 117.75),
    },
    "PK": {
        "Kargil": (34.56, 76.13),
        "Leh": (34.15, 77.58),
        "Jammu": (32.73, 74.86),
    },
    "PN": {
        "Ducie": (-24.68, -124.79),
        "Oeno": (-23.93, -130.75),
    },
    "PT": {
        "Selvagens": (30.14, -15.87),
    },
    "RU": {
        "Bennett": (76.7, 149.3),
        "Henrietta": (77.1, 156.5),
        "Ushakov": (80.8, 79.5),
        "Victoria": (80.15, 36.75),
        "Vize": (79.5, 77.0),
    },
    "SB": {
        "Anuta": (-11.6, 169.85),
        "Ontong Java": (-5.27, 159.33),
        "Sikaiana": (-8.4, 162.9),
        "Tikopia": (-12.3, 168.83),
    },
    "SC": {
        "Aldabra": (-9.42, 46.33),
        "Alphonse": (-7.0, 52.72),
        "Cosmoledo": (-9.7, 47.57),
        "Coëtivy": (-7.13, 56.27),
        "Desroches": (-5.69, 53.66),
        "Farquhar": (-10.1, 51.18),
    },
    "SH": {
        "Gough": (-40.32, -9.93),
    },
    "SJ": {
        "Bear Island": (74.43, 19.0),
        "Hopen": (76.55, 25.1),
        "Kong Karls Land": (78.8, 28.0),
    },
    "TF": {
        "Amsterdam": (-37.83, 77.55),
        "Europa": (-22.37, 40.36),
        "Glorioso": (-11.57, 47.29),
        "Juan de Nova": (-17.06, 42.72),
        "Tromelin": (-15.89, 54.52),
    },
    "TO": {
        "'Ata": (-22.33, -176.2),
        "Niuafo'ou": (-15.6, -175.63),
    },
    "TV": {
        "Nanumea": (-5.67, 176.1),
        "Niulakita": (-10.79, 179.47),
    },
    "TW": {
        "Pratas": (20.7, 116.72),
        "Taiping": (10.38, 114.36),
    },
    "UM": {
        "Howland": (0.81, -176.62),
        "Jarvis": (-0.37, -160.02),
        "Johnston": (16.73, -169.53),
        "Midway": (28.21, -177.37),
        "Navassa": (18.4, -75.01),
        "Palmyra": (5.88, -162.08),
        "Wake": (19.28, 166.65),
    },
    "US": {
        "French Frigate Shoals": (23.75, -166.14),
        "Gardner Pinnacles": (25.0, -168.0),
        "Kure": (28.39, -178.3),
        "Laysan": (25.77, -171.73),
        "Lisianski": (26.06, -173.97),
        "Midway": (28.21, -177.37),
        "Nihoa": (23.06, -161.92),
        "Pearl and Hermes": (27.86, -175.85),
        "Saint Paul": (57.15, -170.25),
    },
    "VE": {
        "Bartica": (6.4, -58.6),
        "Lethem": (3.4, -59.8),
        "Mabaruma": (8.2, -59.8),
        "Aves": (15.67, -63.62),
    },
    "VN": {
        "Namyit": (10.18, 114.37),
        "Spratly": (8.65, 111.92),
    },
    "VU": {
        "Torres": (-13.25, 166.6),
    },
}
"""Latitude and longitude in degrees by ISO 3166-1 code of the country and name of the place."""
