import av
import numpy as np
import pytest

from hsimul3r.film import Film


def pictures(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """A bright square that walks to the right over grey noise."""
    width, height = size
    rng = np.random.default_rng(0)
    frames = [rng.integers(90, 110, (height, width, 3), np.uint8) for _ in range(count)]
    for i, frame in enumerate(frames):
        frame[10:30, 5 * i : 5 * i + 20] = (250, 30, 30)
    return frames


def written(path, frames, size):
    with Film(path, size, fps=30, crf=18) as film:
        for frame in frames:
            film.add(frame)
    return path


def test_a_film_holds_every_picture_at_its_time(tmp_path):
    frames = pictures(12, (96, 64))
    with av.open(str(written(tmp_path / "a.mp4", frames, (96, 64)))) as container:
        (stream,) = container.streams.video
        assert float(stream.average_rate or 0) == 30
        found = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(found) == 12
    for shown, drawn in zip(found, frames):
        assert np.abs(shown.astype(int) - drawn).mean() < 12
        assert (shown[15:25, :, 0].mean(0).argmax() - drawn[15:25, :, 0].mean(0).argmax()) in range(-20, 21)


def test_the_same_pictures_make_the_same_file(tmp_path):
    frames = pictures(20, (160, 120))
    first, second = (written(tmp_path / name, frames, (160, 120)).read_bytes() for name in ("a.mp4", "b.mp4"))
    assert first == second


def test_an_odd_size_loses_its_last_row_and_column(tmp_path):
    with av.open(str(written(tmp_path / "a.mp4", pictures(2, (97, 65)), (97, 65)))) as container:
        (stream,) = container.streams.video
        assert (stream.width, stream.height) == (96, 64)


def test_what_fails_on_the_way_is_not_hidden_by_the_film(tmp_path):
    with pytest.raises(ZeroDivisionError), Film(tmp_path / "a.mp4", (96, 64), fps=30):
        raise ZeroDivisionError
