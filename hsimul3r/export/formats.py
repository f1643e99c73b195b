"""Names of the formats of motion files."""

from typing import Final, Literal, get_args

FormatName = Literal["unitree-csv", "mjlab", "isaaclab", "gmr", "holosoma", "amass", "captured", "estimated"]
"""What is read: of robots, then of people."""
WritableName = Literal["unitree-csv", "mjlab", "isaaclab", "gmr", "holosoma", "amass"]
FORMATS: Final[tuple[FormatName, ...]] = get_args(FormatName)
WRITABLE: Final[tuple[WritableName, ...]] = get_args(WritableName)
