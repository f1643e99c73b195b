import numpy as np

from hsimul3r.geometry.sdf import ConvexUnion
from hsimul3r.interaction.ways import way_out
from interaction import toys

SEAT = ConvexUnion([toys.box((0.4, 0.4, 0.04), (0, 0, 0.43))])


def test_nearest_way_out_is_taken_where_it_leads_back():
    way = way_out(SEAT, np.array([[0, 0, 0.445]]), np.array([[0, 0, -1.0]]))
    np.testing.assert_allclose(way.distance, [-0.005], atol=1e-9)
    np.testing.assert_allclose(way.normal, [[0, 0, 1]], atol=1e-9)


def test_skin_that_looks_down_leaves_a_thin_seat_upwards():
    """1.5 cm above the underside: the nearest way out is down, where the skin looks."""
    way = way_out(SEAT, np.array([[0, 0, 0.425]]), np.array([[0, 0, -1.0]]))
    np.testing.assert_allclose(way.distance, [-0.025], atol=0.002)
    np.testing.assert_allclose(way.normal, [[0, 0, 1]], atol=1e-9)
    np.testing.assert_allclose(way.foot, [[0, 0, 0.45]], atol=0.002)


def test_back_of_a_knee_leaves_forwards():
    way = way_out(SEAT, np.array([[0, -0.17, 0.422]]), np.array([[0, 0.9, -0.436]]))
    assert way.normal[0, 1] < -0.8
    assert way.distance[0] < -0.02


def test_outside_is_untouched():
    points = np.array([[0, 0, 0.6], [0.5, 0, 0.43]])
    np.testing.assert_allclose(way_out(SEAT, points, np.array([[0, 0, 1.0], [1, 0, 0]])).distance, [0.15, 0.3], atol=1e-9)
