"""The four sample captures. Places of the goals are in the object's frame, of rooms and walks in the world."""

from hsimul3r.benchmark.posing.keyposes import Arm, KeyPose, Leg
from hsimul3r.benchmark.scene import CameraWalk, Case, Color, Covering, PersonLook, PoseGoal, RoomLook, Side, Touch
from hsimul3r.body.model import embedded_body

FREE = float("nan")
ROOM_CENTRE_M, ROOM_HALF_M = (0.0, -1.1), (3.2, 3.2)
WINDOW: tuple[Side, float] = ("left", 0.8)
PICTURE_PLACES: tuple[tuple[Side, float], ...] = (
    *(("back", s) for s in (-2.6, -1.75, -0.75, 0.2, 1.0, 1.9, 2.7)),
    *(("left", s) for s in (-2.3, -1.3, 2.0, 2.65)),
    *(("right", s) for s in (-2.65, -2.0, -1.3, -0.5, 0.5, 1.3, 2.3)),
)
SOLES = (Touch(part="left_foot", target="floor", count=14), Touch(part="right_foot", target="floor", count=14))


def sit_chair() -> Case:
    """A woman of 1.68 m sits on a dining chair, hands on the thighs."""
    key = KeyPose(
        left_leg=Leg(hip=86, abduct=7, turn=4, knee=84),
        right_leg=Leg(hip=86, abduct=8, turn=6, knee=94),
        left_arm=Arm(flex=22, lower=76, elbow=56, pronate=70),
        right_arm=Arm(flex=26, lower=74, elbow=52, pronate=70),
        pitch=-9, spine=0, twist=4, head_down=-4, head_left=10,
    )  # fmt: skip
    goal = PoseGoal(
        betas=embedded_body().betas_with(1.68, 0.6, -0.5, 0.4),
        key=key.axis_angles(),
        root_m=(0.0, 0.06, 0.56),
        touches=(*SOLES, *_seated()),
        anchors_m={"pelvis": (0.0, 0.055, FREE), "left_ankle": (0.13, -0.40, FREE), "right_ankle": (-0.14, -0.33, FREE)},
        hands_on_thighs=("left", "right"),
    )
    look = PersonLook(
        skin=(0.86, 0.66, 0.54), hair=(0.20, 0.11, 0.06), haircut="bun", outfit="shirt",
        top=(0.72, 0.20, 0.22), top_accent=(0.93, 0.88, 0.80), trousers=(0.13, 0.17, 0.27), shoes=(0.85, 0.85, 0.82),
    )  # fmt: skip
    room = RoomLook(
        walls=_walls("wallpaper", "bricks", "plaster", color=(0.60, 0.33, 0.25), paper=(0.80, 0.78, 0.68)),
        palette=((0.80, 0.78, 0.68), (0.22, 0.36, 0.33), (0.55, 0.34, 0.22), (0.78, 0.60, 0.34)),
        floor_color=(0.50, 0.34, 0.21), floor="planks", shelves=(("back", 1.35),), window=WINDOW,
        pictures=PICTURE_PLACES, plants=((-1.9, 1.55), (2.65, -0.9)),
        clutter=((0.35, 1.75), (-2.7, 0.9), (2.8, 1.0), (-1.0, 1.8)), magazines=((-1.35, 0.55), (1.3, -0.4), (0.75, 1.1)),
        centre_m=ROOM_CENTRE_M, half_m=ROOM_HALF_M, rug_centre=(-0.2, -1.5), rug_yaw_deg=12,
    )  # fmt: skip
    walk = CameraWalk(
        azimuth_deg=(-50, -17, 15, 46),
        distance_m=(2.5, 2.3, 2.4, 2.55),
        height_m=(1.45, 1.35, 1.5, 1.4),
        target_m=(0, -0.1, 0.64),
    )
    return Case(
        name="sit_chair", furniture="dining_chair", object_colors={"wood": (0.84, 0.70, 0.50), "fabric": (0.12, 0.42, 0.46)},
        goal=goal, look=look, room=room, walk=walk, yaw_deg=14, seed=1,
    )  # fmt: skip


def sit_sofa() -> Case:
    """A man of 1.82 m sits on a sofa, leaning back, one hand beside him."""
    key = KeyPose(
        left_leg=Leg(hip=70, abduct=8, turn=8, knee=86),
        right_leg=Leg(hip=70, abduct=6, turn=6, knee=94),
        left_arm=Arm(flex=18, lower=72, elbow=58, pronate=70),
        right_arm=Arm(flex=24, lower=76, elbow=46, pronate=70),
        pitch=-20, spine=6, twist=-4, head_down=4, head_left=-14,
    )  # fmt: skip
    goal = PoseGoal(
        betas=embedded_body().betas_with(1.82, -0.4, 0.7, -0.3),
        key=key.axis_angles(),
        root_m=(-0.28, -0.06, 0.55),
        touches=(*SOLES, *_seated(), Touch(part="back", target="object", count=10)),
        anchors_m={"pelvis": (-0.28, -0.06, FREE), "left_ankle": (-0.14, -0.56, FREE), "right_ankle": (-0.42, -0.50, FREE)},
        hands_on_thighs=("left", "right"),
    )
    look = PersonLook(
        skin=(0.62, 0.43, 0.32), hair=(0.05, 0.04, 0.035), haircut="cropped", beard=0.6, outfit="tee",
        top=(0.88, 0.84, 0.74), top_accent=(0.85, 0.45, 0.15), trousers=(0.36, 0.31, 0.24), shoes=(0.16, 0.13, 0.12),
    )  # fmt: skip
    room = RoomLook(
        walls=_walls("bricks", "plaster", "wallpaper", color=(0.66, 0.40, 0.30), paper=(0.62, 0.24, 0.18)),
        palette=((0.62, 0.24, 0.18), (0.13, 0.18, 0.32), (0.84, 0.74, 0.54), (0.22, 0.34, 0.28)),
        floor_color=(0.62, 0.45, 0.29), floor="planks", shelves=(("back", -2.1),), window=WINDOW,
        pictures=PICTURE_PLACES, plants=((2.0, 1.6), (-2.75, -0.9)),
        clutter=((2.75, 0.9), (-2.75, 0.6), (1.4, 1.8), (-1.2, 1.85)), magazines=((0.9, -1.5), (-1.3, -1.0), (1.5, 0.3)),
        centre_m=ROOM_CENTRE_M, half_m=ROOM_HALF_M, rug_centre=(0.4, -1.7), rug_yaw_deg=-8, window_w=110,
    )  # fmt: skip
    walk = CameraWalk(
        azimuth_deg=(-40, -14, 14, 40),
        distance_m=(2.9, 2.65, 2.7, 2.95),
        height_m=(1.5, 1.4, 1.35, 1.55),
        target_m=(0.12, 0.0, 0.62),
    )
    return Case(
        name="sit_sofa", furniture="two_seat_sofa", object_colors={"wood": (0.30, 0.19, 0.11), "fabric": (0.22, 0.34, 0.52)},
        goal=goal, look=look, room=room, walk=walk, yaw_deg=-10, seed=2,
    )  # fmt: skip


def lean_table() -> Case:
    """A man of 1.76 m stands behind a table and leans on it with both hands."""
    key = KeyPose(
        left_leg=Leg(hip=32, abduct=7, turn=8, knee=8, ankle=4),
        right_leg=Leg(hip=34, abduct=7, turn=8, knee=12, ankle=8),
        left_arm=Arm(flex=38, lower=74, turn=10, elbow=8, pronate=72, extend=62, curl=3),
        right_arm=Arm(flex=38, lower=74, turn=10, elbow=8, pronate=72, extend=62, curl=3),
        pitch=28, spine=14, head_down=-20, head_left=-12,
    )  # fmt: skip
    hands = tuple(Touch(part=f"{side}_hand", target="top", count=26, gap_m=0.001) for side in ("left", "right"))
    goal = PoseGoal(
        betas=embedded_body().betas_with(1.76, 0.3, 0.2, 0.8),
        key=key.axis_angles(),
        root_m=(0.0, 0.68, 0.90),
        touches=(*SOLES, *hands),
        anchors_m={"left_wrist": (0.30, 0.27, FREE), "right_wrist": (-0.27, 0.29, FREE), "pelvis": (0.0, 0.70, FREE)},
        balance_m=(0.0, 0.56),
    )
    look = PersonLook(
        skin=(0.80, 0.58, 0.45), hair=(0.36, 0.24, 0.13), haircut="parted", beard=0.6, outfit="sweater",
        top=(0.16, 0.36, 0.26), top_accent=(0.75, 0.72, 0.62), trousers=(0.20, 0.24, 0.36), shoes=(0.35, 0.20, 0.12),
    )  # fmt: skip
    room = RoomLook(
        walls=_walls("plaster", "wallpaper", "bricks", color=(0.74, 0.68, 0.56), paper=(0.58, 0.66, 0.64)),
        palette=((0.58, 0.66, 0.64), (0.80, 0.76, 0.62), (0.30, 0.42, 0.45), (0.66, 0.38, 0.26)),
        floor_color=(0.42, 0.27, 0.16), floor="planks", shelves=(("back", 0.2),), window=WINDOW,
        pictures=PICTURE_PLACES, plants=((-2.2, 1.6), (2.6, 1.5)),
        clutter=((-0.9, 1.8), (1.5, 1.8), (2.8, -0.2), (-2.8, -0.9)), magazines=((-1.5, 0.2), (1.5, 0.0), (-1.1, -1.6)),
        centre_m=ROOM_CENTRE_M, half_m=ROOM_HALF_M, rug_centre=None, window_w=100,
    )  # fmt: skip
    walk = CameraWalk(
        azimuth_deg=(-46, -17, 15, 45),
        distance_m=(2.95, 2.8, 2.75, 2.9),
        height_m=(1.55, 1.5, 1.45, 1.6),
        target_m=(0, -0.25, 0.78),
    )
    return Case(
        name="lean_table", furniture="dining_table", object_colors={"wood": (0.80, 0.62, 0.40)},
        goal=goal, look=look, room=room, walk=walk, yaw_deg=9, seed=3,
    )  # fmt: skip


def foot_stool() -> Case:
    """A woman of 1.63 m stands with her right foot on a low stool, a hand on the raised thigh."""
    key = KeyPose(
        left_leg=Leg(hip=2, abduct=4, turn=8, knee=5, ankle=2),
        right_leg=Leg(hip=70, abduct=5, turn=6, knee=78, ankle=6),
        left_arm=Arm(flex=0, lower=91, elbow=20, pronate=30, curl=22),
        right_arm=Arm(flex=36, lower=76, elbow=40, pronate=70, curl=12),
        pitch=4, spine=4, twist=-4, head_down=-4, head_left=-8,
    )  # fmt: skip
    goal = PoseGoal(
        betas=embedded_body().betas_with(1.63, -0.6, 0.3, 0.2),
        key=key.axis_angles(),
        root_m=(0.10, 0.40, 0.88),
        touches=(SOLES[0], Touch(part="right_foot", target="top", count=14)),
        anchors_m={"left_ankle": (0.12, 0.42, FREE), "right_ankle": (-0.06, 0.06, 0.385)},
        hands_on_thighs=("right",),
        balance_m=(0.07, 0.30),
    )
    look = PersonLook(
        skin=(0.74, 0.52, 0.38), hair=(0.10, 0.07, 0.05), haircut="bun", outfit="tee",
        top=(0.88, 0.66, 0.16), top_accent=(0.15, 0.20, 0.35), trousers=(0.32, 0.16, 0.24), shoes=(0.90, 0.90, 0.92),
    )  # fmt: skip
    room = RoomLook(
        walls=_walls("wallpaper", "plaster", "bricks", color=(0.62, 0.50, 0.42), paper=(0.36, 0.46, 0.56)),
        palette=((0.36, 0.46, 0.56), (0.82, 0.80, 0.72), (0.86, 0.62, 0.30), (0.20, 0.26, 0.36)),
        floor_color=(0.66, 0.50, 0.34), floor="planks", shelves=(("back", -1.2),), window=WINDOW,
        pictures=PICTURE_PLACES, plants=((1.2, 1.6), (-2.7, 1.3)),
        clutter=((0.2, 1.8), (2.7, 1.2), (-2.2, 1.8), (2.8, -1.0)),
        magazines=((1.2, 0.5), (-1.2, 0.3), (0.9, -1.3), (-1.0, -1.2)),
        centre_m=ROOM_CENTRE_M, half_m=ROOM_HALF_M, rug_centre=None, window_w=100,
    )  # fmt: skip
    walk = CameraWalk(
        azimuth_deg=(-42, -15, 14, 40), distance_m=(2.75, 2.6, 2.55, 2.8), height_m=(1.45, 1.5, 1.4, 1.5), target_m=(0, 0, 0.80)
    )
    return Case(
        name="foot_stool", furniture="step_stool", object_colors={"wood": (0.75, 0.22, 0.16)},
        goal=goal, look=look, room=room, walk=walk, yaw_deg=-16, seed=4,
    )  # fmt: skip


SAMPLES = {"sit_chair": sit_chair, "sit_sofa": sit_sofa, "lean_table": lean_table, "foot_stool": foot_stool}


def _walls(
    back: Covering, left: Covering, right: Covering, *, color: Color, paper: Color
) -> dict[Side, tuple[Covering, Color]]:
    """Coverings in their colour; the wall behind the photographer is painted."""

    def wall(covering: Covering) -> tuple[Covering, Color]:
        return covering, paper if covering == "wallpaper" else color

    return {"back": wall(back), "left": wall(left), "right": wall(right), "front": ("paint", (0.8, 0.77, 0.7))}


def _seated() -> tuple[Touch, ...]:
    """Buttocks and thighs on the object; more of the buttocks, so that the pelvis tilts until they rest."""
    thighs = (Touch(part=f"{side}_thigh", target="object", count=3) for side in ("left", "right"))
    return (*(Touch(part="buttocks", target="object", count=count) for count in (3, 5, 8)), *thighs)
