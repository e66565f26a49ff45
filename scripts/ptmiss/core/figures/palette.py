"""Pictures with 256 colours, a third of the bytes of all: those that mean something are kept."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image

_MOST = 256
_COARSE = 3
"""Bits of a channel by which colours of one cell differ."""


def reduced(pixels: np.ndarray, kept: Iterable[tuple[int, ...]]) -> Image.Image:
    """Return an opaque picture, pixels of shape (height, width, 4), with a palette.

    kept: red, green and blue of colours that stay what they are. With them are the most frequent
    colours, of similar ones (in one cell) the first; a pixel takes the nearest. Palettes of Pillow
    merge light greys, or give a thin line the colour of another.
    """
    coded = pixels.view("<u4")[..., 0] & 0xFFFFFF
    colours, counts = np.unique(coded, return_counts=True)
    frequent = colours[np.argsort(-counts, kind="stable")]
    cells = (_channels(frequent) >> _COARSE) @ [1, 256, 65536]
    first = np.sort(np.unique(cells, return_index=True)[1])
    wanted = [red | green << 8 | blue << 16 for red, green, blue in kept]
    chosen = list(dict.fromkeys([*wanted, *frequent[first].tolist()]))[:_MOST]
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
