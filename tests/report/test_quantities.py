import pytest

from hsimul3r.report.quantities import number, quantity
from hsimul3r.report.sections import comparisons


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("gap_m", 0.0042, ("Gap", "4.2", "mm")),
        ("seat_height_m", 0.453, ("Seat height", "45.3", "cm")),
        ("stature_m", 1.7512, ("Stature", "1.75", "m")),
        ("object_tilt_deg", -3.25, ("Object tilt", "−3.25", "°")),
        ("rms_velocity_m_s", 0.01, ("RMS velocity", "0.01", "m/s")),
        ("tracks_px_median", 0.402, ("Tracks median", "0.402", "px")),
        ("points", 1234.0, ("Points", "1234", "")),
        ("tilt of chair [deg]", 2.0, ("Tilt of chair", "2", "°")),
        ("penetration [m]", 0.0125, ("Penetration", "1.25", "cm")),
        ("time person0 touches chair [share]", 1.0, ("Time person0 touches chair", "1", "")),
        ("peak force [body weights]", 1.12, ("Peak force", "1.12", "body weights")),
        ("peak_force_n", 15712.3, ("Peak force", "15712", "N")),
    ],
)
def test_unit_and_label_come_from_the_name(name: str, value: float, expected: tuple[str, str, str]) -> None:
    q = quantity(name, value)
    assert (q.label, q.value, q.unit) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (100.0, "100"),
        (120.04, "120"),
        (0.999, "0.999"),
        (1e-9, "< 0.001"),
        (-0.0004, "> −0.001"),
        (float("nan"), "–"),
        (float("-inf"), "−∞"),
    ],
)
def test_numbers_keep_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_before_and_after_are_paired() -> None:
    pairs = comparisons({"sp3d_before_percent": 20.0, "sp3d_after_percent": 3.0, "alone_before_m": 1.0, "steps": 4.0})
    assert [(b.label, b.value, a.value, a.unit) for b, a in pairs] == [("SP-3D", "20", "3", "%")]
