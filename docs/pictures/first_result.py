"""The picture at the head of the README, from a finished run: a photo, the person found in it, the scene under gravity.

python docs/pictures/first_result.py runs/foot_stool
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import av
import tyro
from PIL import Image

OUT: Final = Path(__file__).with_name("first_result.jpg")
HEIGHT_PX: Final = 420
GAP_PX: Final = 6


@dataclass(frozen=True, kw_only=True)
class Args:
    """What is shown."""

    run: Annotated[Path, tyro.conf.Positional]
    view: int = 1
    out: Path = OUT


def main(args: Args) -> None:
    photo = sorted((args.run / "00_capture").glob("view_*.png"))[args.view]
    body = args.run / "40_humans" / f"body_{args.view}.png"
    panels = [_middle(_tall(Image.open(path).convert("RGB"))) for path in (photo, body)] + [_tall(_end(args.run))]
    width = sum(panel.width for panel in panels) + GAP_PX * (len(panels) - 1)
    sheet = Image.new("RGB", (width, HEIGHT_PX), "white")
    left = 0
    for panel in panels:
        sheet.paste(panel, (left, 0))
        left += panel.width + GAP_PX
    sheet.save(args.out, quality=85)


def _end(run: Path) -> Image.Image:
    """The film's last frame: both controllers side by side."""
    with av.open(str(run / "simulation.mp4")) as film:
        return list(film.decode(video=0))[-1].to_image()


def _tall(picture: Image.Image) -> Image.Image:
    return picture.resize((round(picture.width * HEIGHT_PX / picture.height), HEIGHT_PX), Image.Resampling.LANCZOS)


def _middle(picture: Image.Image, share: float = 0.62) -> Image.Image:
    left = round(picture.width * (1 - share) / 2)
    return picture.crop((left, 0, picture.width - left, picture.height))


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
