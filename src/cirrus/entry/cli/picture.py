"""Pictures in a terminal: two pixels a character cell, above and below, in 24-bit colour."""

from __future__ import annotations

import io
import os
import shutil
import sys

HALF, RESET = "▀", "\x1b[0m"


def draw(data: bytes) -> bool:
    """Draw an image file as large as the terminal takes; False where terminal or file are not fit for it."""
    if os.environ.get("TERM", "dumb") == "dumb" or "NO_COLOR" in os.environ:
        return False
    try:
        from PIL import Image
    except ImportError:
        return False
    try:
        with Image.open(io.BytesIO(data)) as opened:
            picture = opened.convert("RGB")
    except OSError:
        return False
    columns, lines = shutil.get_terminal_size()
    scale = min(columns / picture.width, 2 * (lines - 2) / picture.height, 1.0)
    width, height = max(1, int(picture.width * scale)), max(2, int(picture.height * scale) // 2 * 2)
    small = picture.resize((width, height))
    pixels = list(small.getdata())
    for row in range(0, height, 2):
        cells = zip(pixels[row * width : (row + 1) * width], pixels[(row + 1) * width : (row + 2) * width], strict=True)
        sys.stdout.write("".join(f"\x1b[38;2;{_colour(up)};48;2;{_colour(down)}m{HALF}" for up, down in cells))
        sys.stdout.write(f"{RESET}\n")
    return True


def _colour(pixel: tuple[int, int, int]) -> str:
    return ";".join(map(str, pixel))
