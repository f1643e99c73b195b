from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from run_fixture import WORLD, chair, floor_points, four_cameras, sitter, slumping_rollout, verdict

from hsimul3r.artifacts import AlignedScene, Rollout, SimScene
from hsimul3r.body.model import EMBEDDED
from hsimul3r.errors import RenderingUnavailable
from hsimul3r.geometry.overlay import object_color, person_color
from hsimul3r.progress import Progress
from sim_envs.render import RenderConfig, render_simulation
from sim_envs.scene_builder import load_model, qpos_names
from sim_envs.studio import Canvas, View, check_rendering, dressed_model
from stages import build_sim_scene

SMALL = RenderConfig(size_px=(480, 240), fps=8, speed=1.0, hold_start_s=0.25, hold_end_s=0.5, header_px=40, footer_px=40)
FRONT = View(target=np.array([0.0, 0.0, 0.7]), azimuth=-np.pi / 2 + 0.6, elevation=0.2, distance_m=3.2)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> SimScene:
    """The fixture's person on the chair, as the engine gets it."""
    cameras = four_cameras((64, 48))
    aligned = AlignedScene(
        provenance=WORLD, body_model=EMBEDDED, bodies=(sitter(),), assets=(chair(),), contacts=(), cameras=cameras,
        tracks=floor_points(cameras), report={},
    )  # fmt: skip
    out = tmp_path_factory.mktemp("sim")
    return build_sim_scene.run(aligned, cfg=build_sim_scene.BuildSimSceneConfig(), out=out, progress=Progress())


@pytest.fixture
def canvas(scene: SimScene):
    try:
        opened = Canvas.of_scene(scene, width=200, height=160)
    except RenderingUnavailable as error:
        pytest.skip(f"no OpenGL on this machine: {error}")
    with opened:
        yield opened


def lifted(scene: SimScene, controller: str, height_m: float, frames: int = 9) -> Rollout:
    """The person rises straight up by `height_m` in a second; the chair stays."""
    rollout = slumping_rollout(controller, scene.bodies[0], scene.assets[0], frames, drop_m=-height_m)
    qpos = np.tile(scene.qpos, (frames, 1))
    qpos[:, scene.qpos_names.index("person0/root:z")] += height_m * np.linspace(0, 1, frames)
    return replace(rollout, fps=8.0, qpos=qpos, qpos_names=scene.qpos_names)


def of_color(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """Pixels of that hue, in any light."""
    unit = picture / np.maximum(np.linalg.norm(picture.astype(float), axis=2, keepdims=True), 1e-9)
    return unit @ (np.array(color) / np.linalg.norm(color)) > 0.985


def test_dressed_model_has_the_states_of_the_judged_one(scene: SimScene) -> None:
    dressed, judged = dressed_model(scene, width=64, height=48), load_model(scene)
    assert qpos_names(dressed) == qpos_names(judged) == scene.qpos_names
    assert dressed.nskin == len(scene.bodies) and judged.nskin == 0


def test_picture_shows_person_and_chair_where_the_view_projects_them(canvas: Canvas, scene: SimScene) -> None:
    canvas.pose(scene.qpos)
    picture = canvas.draw(FRONT)
    joints = canvas.data.xpos[[canvas.model.body(f"person0/{name}").id for name in ("head", "spine2", "left_knee")]]
    person = of_color(picture, person_color(0))
    for x, y in FRONT.project(np.array(joints), width=200, height=160):
        assert person[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].mean() > 0.5
    legs = np.array([[x, y, 0.2] for x in (-0.2, 0.2) for y in (-0.2, 0.2)])
    blue = of_color(picture, object_color(0))
    hits = [blue[round(y), round(x)] for x, y in FRONT.project(legs, width=200, height=160)]
    assert sum(hits) >= 2 and blue.sum() > 200


def test_seat_pushes_the_sitter_up(canvas: Canvas, scene: SimScene) -> None:
    qpos = scene.qpos.copy()
    qpos[scene.qpos_names.index("person0/root:z")] -= 0.01
    canvas.pose(qpos)
    assert canvas.contact_normal("person0/buttocks/chair") @ [0, 0, 1] > 0.9


def test_film_shows_both_controllers_move(canvas: Canvas, scene: SimScene, tmp_path: Path) -> None:
    rollouts = (lifted(scene, "pd", 0.6), lifted(scene, "static", 0.0))
    verdicts = (verdict("pd", is_stable=False), verdict("static", is_stable=True))
    render_simulation(scene, rollouts, verdicts, tmp_path / ".partial-film.mp4", progress=Progress(), cfg=SMALL)
    with av.open(str(tmp_path / ".partial-film.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 2 + 9 + 4 and frames[0].shape == (240, 480, 3)
    people = [of_color(frame[40:200], person_color(0)) for frame in (frames[2], frames[-1])]
    tops = [[np.nonzero(half)[0].min() for half in (person[:, :240], person[:, 240:])] for person in people]
    assert tops[1][0] < tops[0][0] - 10 and abs(tops[1][1] - tops[0][1]) <= 4


def test_film_of_no_rollout_is_refused(scene: SimScene, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no rollout"):
        render_simulation(scene, (), (), tmp_path / "film.mp4", progress=Progress())


def test_check_names_the_renderer(canvas: Canvas) -> None:
    assert len(check_rendering()) > 2


def test_missing_opengl_says_what_to_install(scene: SimScene, monkeypatch: pytest.MonkeyPatch) -> None:
    egl = pytest.importorskip("mujoco.egl", reason="PyOpenGL finds no EGL here", exc_type=(ImportError, AttributeError))

    def fail(*_: int) -> None:
        raise ImportError("Cannot initialize a EGL device display")

    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setattr(egl, "GLContext", fail)
    with pytest.raises(RenderingUnavailable, match="apt-get install libegl1"):
        Canvas.of_scene(scene, width=64, height=48)
