"""Which eyes of IDRiD are right eyes, as the authors of global spatial attention saw them.

IDRiD itself has no column for the side. The numbers are those of Xu, Huang, Nitanda, Asaoka and Yamanishi, *A Novel
Global Spatial Attention Mechanism in Convolutional Neural Network for Medical Image Classification*, arXiv:2007.15897,
2020, supplement 1.1: "the set of flipped images by index", the images flipped being those of the right eyes. An index
is the place of an image in its split, counted from 0, so ``IDRiD_001`` has index 0.
"""

from __future__ import annotations

# fmt: off
RIGHT_EYES: dict[str, frozenset[int]] = {
    "train": frozenset({
        0, 6, 8, 9, 12, 13, 16, 17, 19, 21, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 45, 46, 48, 51, 54, 56, 58, 60, 61,
        63, 64, 65, 66, 68, 70, 73, 75, 77, 79, 81, 84, 86, 89, 90, 93, 94, 98, 99, 100, 101, 102, 104, 106, 109, 111,
        115, 117, 118, 119, 123, 124, 127, 128, 131, 134, 135, 137, 139, 141, 144, 145, 147, 149, 151, 152, 156, 157,
        158, 159, 160, 163, 166, 168, 170, 171, 172, 174, 176, 177, 181, 183, 184, 186, 187, 188, 190, 192, 193, 194,
        195, 197, 200, 201, 202, 204, 206, 209, 211, 212, 214, 216, 217, 220, 222, 226, 230, 234, 235, 238, 241, 244,
        246, 248, 251, 252, 253, 256, 258, 259, 261, 264, 268, 270, 272, 273, 274, 275, 276, 279, 282, 284, 286, 288,
        289, 291, 292, 299, 300, 302, 304, 305, 306, 307, 309, 312, 314, 315, 318, 320, 321, 322, 325, 329, 331, 333,
        334, 337, 340, 341, 343, 345, 349, 351, 356, 357, 359, 361, 362, 367, 369, 370, 372, 373, 375, 377, 378, 381,
        383, 384, 387, 389, 392, 394, 396, 398, 402, 403, 405, 406, 407, 408, 409, 411, 412,
    }),
    "test": frozenset({
        1, 3, 4, 5, 8, 9, 14, 15, 16, 19, 21, 24, 26, 27, 31, 34, 35, 36, 38, 39, 41, 42, 45, 48, 50, 53, 55, 57, 60,
        62, 63, 64, 66, 67, 69, 71, 76, 81, 82, 84, 86, 87, 90, 94, 96, 100, 102,
    }),
}
# fmt: on
