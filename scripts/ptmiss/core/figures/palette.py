"""Pictures with 256 colours, a third of the bytes of all: those that mean something are kept."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image

_MOST = 256
_COARSE = 3
"""Bits of a channel by which colours of one cell differ."""


def reduced(pixels: np.ndarray, kept: Iterable[tuple[int, int, int]]) -> Image.Image:
    """Return an opaque picture, pixels of shape (height, width, 4), with a palette.

    kept: colours that stay what they are. The others of the palette are the most frequent one of
    each of the most frequent cells of similar colours, and a pixel takes the nearest. Palettes of
    Pillow merge light greys, or give a thin line the colour of another.
    """
    coded = pixels.view("<u4")[..., 0] & 0xFFFFFF
    colours, counts = np.unique(coded, return_counts=True)
    cells = _channels(colours) >> _COARSE
    _, cells = np.unique(cells @ [1, 256, 65536], return_inverse=True)
    common = np.lexsort((-counts, cells))
    first = common[np.unique(cells[common], return_index=True)[1]]
    frequent = first[np.argsort(-np.bincount(cells, counts), kind="stable")]
    wanted = np.array([r | g << 8 | b << 16 for r, g, b in kept], dtype=colours.dtype)
    chosen = list(dict.fromkeys([*wanted.tolist(), *colours[frequent].tolist()]))[:_MOST]
    palette = _channels(np.array(chosen))
    squares = (palette**2).sum(axis=1) - 2 * _channels(colours) @ palette.T
    nearest = np.zeros(1 << 24, dtype=np.uint8)
    nearest[colours] = squares.argmin(axis=1)
    image = Image.fromarray(nearest[coded], "P")
    image.putpalette(palette.astype(np.uint8).tobytes())
    return image


def _channels(colours: np.ndarray) -> np.ndarray:
    """Return red, green and blue of shape (n, 3)."""
    return np.stack([colours >> shift & 255 for shift in (0, 8, 16)], axis=1).astype(np.int64)
