"""Sizes and places of the head's features, in millimetres, from published anthropometry.

Head space while sculpting: x to the character's left, d forward, z up; z = 0 at the pupils, d = 0 at the tragion.
`to_blender` turns it into metres with the face towards -Y.

Sources, with the figure each was used for (means of young North American adults, men / women; the head takes a
value between the two):

* Farkas, Anthropometry of the Head and Face, 2nd ed., Raven Press 1994; the same landmarks are defined in Farkas et
  al., "International anthropometric study of facial morphology", J. Craniofacial Surgery 16(4), 2005:
  v-gn (height of the head) 229 / 215; g-op (length) 197 / 187; eu-eu (width) 151 / 144; zy-zy (cheekbones) 137 / 130;
  go-go (jaw angles) 97 / 91; n-gn (face) 121 / 112; n-sn (nose height) 53 / 49; sn-gn 72 / 64; al-al (nose width)
  35 / 31; sn-prn (tip protrusion) 20 / 20; en-en (inner canthi) 33 / 32; ex-ex (outer canthi) 91 / 88; en-ex (eye
  fissure) 31 / 31; ps-pi (fissure height) 11 / 11; ch-ch (mouth width) 54 / 50; sn-sto (upper lip) 22 / 20; ls-sto
  8 / 9; sto-li 9 / 9; sa-sba (ear length) 63 / 60; pra-pa (ear width) 35 / 33.
* Dodgson, "Variation and extrema of human interpupillary distance", SPIE 5291, 2004: 63.4 on average.
* Bekerman, Gottlieb and Vaiman, "Variations in eyeball diameters of the healthy adults", J. Ophthalmology 2014:
  24.2 across; Ruefer et al., "White-to-white corneal diameter", Graefe's Archive 243, 2005: iris 11.7.
* Migliaccio et al., "Hertel exophthalmometry in normal subjects", 1992: cornea 16 in front of the outer orbital rim.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EYE_CENTRE = np.array([31.7, 75.5, 0.0])
EYEBALL_RADIUS = 12.1
IRIS_RADIUS = 5.85
ENDOCANTHION = np.array([17.0, 83.2, -1.2])
EXOCANTHION = np.array([44.9, 79.6, 1.2])
CHEILION = np.array([25.8, 89.5, -66.6])
STOMION = np.array([0.0, 101.6, -67.0])
JAW_AXIS = np.array([0.0, 12.0, -24.0])  # the line through both condyles

# Cross-sections of the head without nose and neck: height, then (x, d) from the front midline to the back midline.
LEVELS: tuple[tuple[float, tuple[tuple[float, float], ...]], ...] = (
    (104.0, ((0, 47), (19, 42), (33, 21), (37, -8), (31, -31), (0, -44))),
    (85.0, ((0, 73), (20, 69), (40, 55), (54, 32), (61, 8), (61, -20), (49, -49), (24, -67), (0, -72))),
    (
        60.0,
        (
            (0, 90),
            (20, 87.5),
            (38, 78),
            (52, 61),
            (62, 38),
            (69, 10),
            (71, -20),
            (64, -54),
            (44, -77),
            (20, -86),
            (0, -88),
        ),
    ),
    (
        40.0,
        (
            (0, 96.5),
            (20, 94.5),
            (38, 86.5),
            (50, 72.5),
            (57, 58),
            (65, 36),
            (71, 10),
            (73.5, -20),
            (68, -54),
            (46, -79),
            (20, -89),
            (0, -91.5),
        ),
    ),
    (24.0, ((0, 98.5), (15, 97.5), (25, 95.3), (35, 91), (45, 82.5), (52, 72), (57, 58), (65, 34), (71, 10))),
    (
        16.0,
        (
            (0, 99.5),
            (12, 99),
            (25, 97),
            (36, 92.3),
            (46, 84),
            (53, 71),
            (58.5, 56),
            (65, 34),
            (70.5, 10),
            (73, -20),
            (67, -52),
            (45, -78),
            (20, -88),
            (0, -91),
        ),
    ),
    (9.0, ((0, 97.8), (9, 94.5), (16, 89.5), (24, 89), (32, 89), (41, 84.8), (48, 77), (53.5, 68))),
    (
        0.0,
        (
            (0, 95),
            (8, 90.5),
            (15, 84.5),
            (24, 86.5),
            (32, 87.5),
            (40, 84),
            (45, 79.8),
            (49, 75.2),
            (53, 68.5),
            (60, 52),
            (65, 34),
            (68.5, 12),
            (71.5, -15),
            (65, -49),
            (43, -75),
            (20, -85),
            (0, -88),
        ),
    ),
    (
        -12.0,
        (
            (0, 94),
            (10, 89),
            (16, 85.5),
            (24, 85.6),
            (32, 85.2),
            (40, 82),
            (48, 75.5),
            (55, 66),
            (61, 53),
            (66, 35),
            (68, 13),
        ),
    ),
    (
        -25.0,
        (
            (0, 96),
            (12, 90.5),
            (20, 88),
            (30, 86.6),
            (40, 82.6),
            (50, 74.6),
            (58, 63.2),
            (64, 49),
            (67, 32),
            (67.5, 13),
            (68.5, -10),
            (59, -44),
            (39, -66),
            (0, -80),
        ),
    ),
    (
        -40.0,
        (
            (0, 100),
            (14, 93.5),
            (22, 90),
            (32, 86.3),
            (42, 80.3),
            (50, 71.5),
            (57, 59.5),
            (62, 45),
            (64.5, 28),
            (64.5, 10),
            (61, -15),
            (50, -42),
            (32, -58),
            (0, -68),
        ),
    ),
    (
        -53.0,
        (
            (0, 102.3),
            (10, 101),
            (18, 97),
            (26, 91.3),
            (35, 85),
            (44, 76),
            (51, 65.5),
            (56.5, 52.5),
            (60, 37),
            (61.5, 20),
            (60, 5),
        ),
    ),
    (
        -67.0,
        (
            (0, 103),
            (10, 101.5),
            (18, 97.4),
            (25.5, 91.5),
            (34, 83.6),
            (42, 74),
            (48.5, 63),
            (53.7, 49.5),
            (57, 34),
            (57.5, 18),
            (55, 2),
            (0, -45),
        ),
    ),
    (
        -80.0,
        (
            (0, 99.5),
            (10, 98.2),
            (18, 94.4),
            (25, 89),
            (32, 82.2),
            (39.5, 72),
            (45.3, 60.5),
            (50, 46),
            (52.5, 31),
            (51.5, 15),
            (46, 0),
        ),
    ),
    (
        -88.0,
        ((0, 98.0), (10, 97.1), (18, 93.2), (25, 87.3), (32, 79.5), (39, 68), (44, 55), (47.5, 40), (48, 25), (43, 8)),
    ),
    (-97.0, ((0, 101.3), (9, 99.8), (17, 95), (24, 87.2), (31, 76.5), (36.5, 64), (39.5, 50), (39.5, 35), (34, 18))),
    (-105.0, ((0, 99.8), (8, 98), (15, 92.6), (21, 84), (26.5, 73), (30, 60), (30, 45), (26, 30))),
    (-111.0, ((0, 91), (7, 89.2), (13, 83.5), (18, 74.5), (22, 60), (21, 45))),
)
PROFILE: tuple[tuple[float, float], ...] = (  # midline points (d, z) between the levels
    (2.0, 113.0),
    (28.0, 110.5),
    (-24.0, 110.0),
    (61.0, 95.5),
    (-60.0, 95.0),
    (99.6, 12.5),
    (95.6, 4.0),
    (104.2, -59.0),
    (104.8, -63.0),
    (103.5, -74.5),
    (98.0, -84.0),
    (83.0, -113.0),
    (70.0, -112.5),
    (52.0, -110.0),
    (30.0, -105.0),
    (0.0, -92.0),
    (-30.0, -76.0),
)
NECK = (  # height, half width, middle d, half depth of the neck's ellipse
    (-195.0, 66.0, -31.0, 58.0),
    (-165.0, 55.0, -22.0, 53.0),
    (-135.0, 51.0, -15.0, 51.0),
    (-105.0, 50.5, -11.5, 52.0),
    (-75.0, 50.5, -15.0, 52.0),
    (-45.0, 50.0, -20.0, 50.0),
)


def to_blender(points_mm: Array) -> Array:
    """Sculpting space (x, d, z) in mm to Blender's axes in metres: (x, -d, z)."""
    return np.stack([points_mm[..., 0], -points_mm[..., 1], points_mm[..., 2]], axis=-1) * 1e-3
