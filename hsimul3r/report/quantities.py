"""Figures of an artifact's `report` in words and units, read off their names (`tilt_deg`, `gap_m`, `median_px`)."""

import math
from dataclasses import dataclass

UNITS = {
    "m": "m", "cm": "cm", "mm": "mm", "px": "px", "deg": "°", "rad": "rad", "n": "N", "kg": "kg", "s": "s", "mb": "MB",
    "percent": "%", "pct": "%", "hz": "Hz", "ms": "ms", "m_s": "m/s", "kg_m3": "kg/m³", "rad_s": "rad/s", "deg_s": "°/s",
    "share": "", "body weights": "body weights", "m/s": "m/s",
}  # fmt: skip
ACRONYMS = {
    "sp3d": "SP-3D", "iou": "IoU", "rms": "RMS", "cpu": "CPU", "oks": "OKS", "pd": "PD", "k1": "k1", "rss": "RSS",
    "eq3": "Eq. 3", "eq4": "Eq. 4",
}  # fmt: skip
SMALLEST = 0.001


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One line of a table."""

    label: str
    value: str
    unit: str


def quantity(name: str, value: float) -> Quantity:
    """A named figure for people: the unit from the name's end, small lengths in centimetres or millimetres."""
    label, unit = split_unit(name)
    if unit == "m" and 0.0 < abs(value) < 0.01:
        value, unit = 1000.0 * value, "mm"
    elif unit == "m" and 0.0 < abs(value) < 1.0:
        value, unit = 100.0 * value, "cm"
    return Quantity(label=label, value=number(value), unit=unit)


def split_unit(name: str) -> tuple[str, str]:
    """The words of a name and the unit in it, as `gap_m`, `error_px_mean` or 'gap [m]'; '' where it names none."""
    if name.endswith("]") and " [" in name:
        words, unit = name[:-1].rsplit(" [", 1)
        return _words(words), UNITS.get(unit, unit)
    for suffix in sorted(UNITS, key=len, reverse=True):
        if name.endswith("_" + suffix):
            return _words(name[: -len(suffix) - 1]), UNITS[suffix]
    words = name.split("_")
    for inner in ("px", "cm", "mm", "deg", "percent"):
        if inner in words[1:]:
            return _words("_".join(word for word in words if word != inner)), UNITS[inner]
    return _words(name), ""


def number(value: float) -> str:
    """At most three significant digits, integers as they are, nothing finer than `SMALLEST`."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == round(value) and abs(value) < 1e6:
        return f"{value:.0f}".replace("-", "−")
    if abs(value) < SMALLEST:
        return f"< {SMALLEST:g}" if value > 0 else f"> −{SMALLEST:g}"
    text = f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def _words(name: str) -> str:
    words = name.replace("_", " ").replace("/", " of ").strip()
    words = words[:1].upper() + words[1:]
    return " ".join(ACRONYMS.get(word.lower(), word) for word in words.split(" "))
