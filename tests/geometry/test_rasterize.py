import numpy as np
import pytest

from hsimul3r.geometry.silhouette import rasterize_depth

SQUARE = np.array([[0, 1, 2], [0, 2, 3]])


def test_depth_of_a_slanted_plane_is_exact() -> None:
    """A plane z = a + b x seen by a pinhole at the origin: 1/z is linear in the pixel."""
    focal, center = 50.0, 20.0
    corners = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    z = 4.0 + 1.5 * corners[:, 0]
    uv = focal * corners / z[:, None] + center
    depth, face = rasterize_depth(uv, z, SQUARE, height=40, width=40)
    rows, columns = np.nonzero(face >= 0)
    x_over_z = (columns - center) / focal
    expected = 4.0 / (1.0 - 1.5 * x_over_z)
    assert len(rows) > 200
    assert depth[rows, columns] == pytest.approx(expected, rel=1e-6)
    assert np.isinf(depth[face < 0]).all()


def test_nearest_face_wins_in_any_order() -> None:
    uv = np.array([[5.0, 5], [15, 5], [15, 15], [5, 15]])
    both = np.concatenate([uv, uv])
    z = np.array([3.0] * 4 + [2.0] * 4)
    for faces in (np.concatenate([SQUARE, SQUARE + 4]), np.concatenate([SQUARE + 4, SQUARE])):
        depth, face = rasterize_depth(both, z, faces, height=20, width=20)
        assert depth[10, 10] == pytest.approx(2.0) and (faces[face[10, 10]] >= 4).all()
        assert (face >= 0).sum() == 11 * 11


def test_faces_behind_or_unseen_are_left_out() -> None:
    uv = np.array([[5.0, 5], [15, 5], [15, 15], [5, 15]])
    for z, pixels in ((np.full(4, -1.0), uv), (np.ones(4), np.full((4, 2), np.nan))):
        _, face = rasterize_depth(pixels, z, SQUARE, height=20, width=20)
        assert (face == -1).all()
