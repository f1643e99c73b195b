"""A video through tiny random networks of CUT3R and Human3R, to the end; what real weights make of one was never seen here."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from golden_pointmap_networks import tiny_cut3r, tiny_human3r

from hsimul3r.artifacts import AlignedScene, PersonTrack, SceneGeometry, VideoScene
from hsimul3r.cli import main
from hsimul3r.errors import BadCapture, NoPerson
from hsimul3r.film import Film
from hsimul3r.importers.clip import ImportedPerson
from hsimul3r.progress import Progress
from hsimul3r.run_store import RunStore
from hsimul3r.video import frame_stride, read_frames
from stages import follow_people, watch_video
from stages.adapters.choices import VideoChoice
from stages.adapters.human3r import Human3rStream
from stages.watch_video import Seen, WatchVideoConfig, tracks_of

CALL = (
    "ARCroco3DStereo(ARCroco3DStereoConfig(enc_num_heads=2, dec_num_heads=2, state_dec_num_heads=1, dino_heads=2, "
    "mhmr_img_res=84))"
)
SILENT = Progress(None)


def human3r_that_knows_people_again():
    """Tokens far enough apart that the same person is the same in the next frame, which random ones are not."""
    net = tiny_human3r()
    net.dec_norm.weight.data *= 20
    return net


def write_video(path: Path, frames: int = 8, size: tuple[int, int] = (144, 96), fps: int = 10, step: int = 3) -> Path:
    rng = np.random.default_rng(0)
    still = np.kron(rng.integers(0, 255, (size[1] // 6, size[0] // 6, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    with Film(path, size, fps=fps) as film:
        for n in range(frames):
            film.add(np.roll(still, step * n, axis=1))
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("video")
    write_video(folder / "walk.mp4", step=0)
    for name, net in (("human3r", human3r_that_knows_people_again()), ("cut3r", tiny_cut3r())):
        torch.save({"model": net.state_dict(), "args": argparse.Namespace(model=CALL)}, folder / f"{name}.pth")
    (folder / "alone").mkdir()
    (folder / "alone" / "video.mp4").write_bytes((folder / "walk.mp4").read_bytes())
    return folder


def config(place, kind: Literal["cut3r", "human3r"] = "human3r", **changes):
    model = VideoChoice(kind=kind, weights=str(place / f"{kind}.pth"), size=48)
    return WatchVideoConfig(model=model, **({"dense_every": 3, "min_confidence": 1.0} | changes))


def watch(place, out, **changes):
    out.mkdir(parents=True)
    return watch_video.run(place / "alone", cfg=config(place, **changes), out=out, progress=SILENT)


def test_frames_come_in_their_order_and_at_the_rate_asked_for(place):
    assert frame_stride(place / "walk.mp4", 30.0) == (1, 10.0, 8)
    assert frame_stride(place / "walk.mp4", 5.0) == (2, 5.0, 4)
    frames = dict(read_frames(place / "walk.mp4", stride=2, first=3))
    assert list(frames) == [4, 6] and frames[4].shape == (96, 144, 3)
    whole = dict(read_frames(place / "walk.mp4"))
    np.testing.assert_array_equal(whole[4], frames[4])
    (place / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(BadCapture, match=r"broken.mp4.*cannot be decoded"):
        frame_stride(place / "broken.mp4", 30.0)


def test_cameras_points_and_people_of_every_frame(place, tmp_path):
    scene = watch(place, tmp_path / "a.tmp")
    assert scene.numbers.tolist() == list(range(8)) and len(scene.cameras.T_cam_world) == 8
    np.testing.assert_allclose(scene.cameras.principal_px, np.tile([[73.0, 49.0]], (8, 1)))
    assert [view.view for view in scene.dense] == [0, 3, 6] and scene.dense[0].points.shape == (16, 24, 3)
    np.testing.assert_allclose(scene.dense[0].scale, 6.0)
    np.testing.assert_allclose(scene.dense[0].offset_px, [4.0, 4.0])
    assert scene.people and all((np.diff(track.frames) > 0).all() for track in scene.people)
    assert len(scene.people[0].frames) >= 2
    stream = Human3rStream(human3r_that_knows_people_again(), size=48)
    for number, photo in read_frames(place / "walk.mp4"):
        sight = stream.watch(photo)
        np.testing.assert_allclose(np.linalg.inv(scene.cameras.T_cam_world[number]), sight.frame.T_first_cam, atol=1e-6)
        for one in sight.people:
            track = next(t for t in scene.people if t.person == one.person)
            np.testing.assert_allclose(track.pose[track.frames.tolist().index(number)], one.pose)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("kind", ["human3r", "cut3r"])
def test_a_stopped_look_goes_on_where_it_was(place, tmp_path, monkeypatch, kind):
    whole = watch(place, tmp_path / "whole.tmp", kind=kind)
    looked = []

    def counting(path, *, stride, first):
        for number, photo in read_frames(path, stride=stride, first=first):
            if len(looked) == 5:
                raise Stopped
            looked.append(number)
            yield number, photo

    monkeypatch.setattr(watch_video, "read_frames", counting)
    with pytest.raises(Stopped):
        watch(place, tmp_path / "a.tmp", kind=kind, keep_every=2)
    looked.clear()
    (tmp_path / "a.tmp").rmdir()
    again = watch(place, tmp_path / "a.tmp", kind=kind, keep_every=2)
    assert looked == [4, 5, 6, 7] and not (tmp_path / "a.seen").exists()
    np.testing.assert_array_equal(again.cameras.T_cam_world, whole.cameras.T_cam_world)
    np.testing.assert_array_equal(again.dense[-1].points, whole.dense[-1].points)
    assert [track.person for track in again.people] == [track.person for track in whole.people]


def test_what_is_carried_does_not_grow(place):
    stream = Human3rStream(human3r_that_knows_people_again(), size=48)
    sizes = []
    for _, photo in read_frames(place / "walk.mp4"):
        stream.watch(photo)
        sizes.append({name: x.shape for name, x in stream.kept().items() if name not in ("people", "ids")})
    assert all(size == sizes[0] for size in sizes)


def test_a_video_goes_from_the_command_line_to_a_scene(place, tmp_path, capsys):
    words = [
        "reconstruct", str(place / "walk.mp4"), "--runs", str(tmp_path), "--video.model.kind", "human3r",
        "--video.model.weights", str(place / "human3r.pth"), "--video.model.size", "48", "--video.min-confidence", "1.0",
    ]  # fmt: skip
    assert main(words) == 0, capsys.readouterr().err
    run = tmp_path / "walk"
    with RunStore(run) as store:
        video, scene = store.load("20_video", VideoScene), store.load("30_scene", SceneGeometry)
        aligned = store.load("60_aligned", AlignedScene)
    assert len(video.numbers) == 8 and scene.cameras.is_registered.all() and scene.dense
    assert (run / "30_scene" / "surface.glb").is_file() and (run / "report.html").is_file()
    assert len(aligned.bodies) == 1 and len(aligned.bodies[0].pose) >= 2
    assert aligned.provenance.scale_source == "stature" and any("Human3R" in one for one in aligned.provenance.licences)
    stamp = (run / "20_video" / "stage.json").stat().st_mtime_ns
    assert main(words) == 0 and (run / "20_video" / "stage.json").stat().st_mtime_ns == stamp
    assert main(["reconstruct", *words[1:], "--licences", "commercial-safe"]) == 2
    assert "human3r" in capsys.readouterr().err


def test_cut3r_leaves_cameras_and_scene_and_says_that_it_sees_nobody(place, tmp_path, capsys):
    words = ["--video.model.kind", "cut3r", "--video.model.weights", str(place / "cut3r.pth"), "--video.model.size", "48"]
    words += ["--video.min-confidence", "1.0", "--runs", str(tmp_path)]
    assert main(["reconstruct", str(place / "walk.mp4"), *words]) == 2
    assert "CUT3R sees no people" in capsys.readouterr().err
    with RunStore(tmp_path / "walk") as store:
        assert len(store.load("30_scene", SceneGeometry).cameras.focal_px) == 8


def test_a_video_without_a_model_is_refused_with_the_option_that_helps(place, tmp_path, capsys):
    assert main(["reconstruct", str(place / "walk.mp4"), "--runs", str(tmp_path)]) == 2
    assert "--video.model.kind human3r" in capsys.readouterr().err


def test_a_video_that_is_too_long_is_refused_before_a_frame_is_seen(place, tmp_path):
    with pytest.raises(BadCapture, match="8 frames to look at, and 4 are allowed"):
        watch(place, tmp_path / "a.tmp", most_frames=4)


def test_of_two_sights_of_one_person_the_surer_stays_and_the_longest_comes_first():
    seen = Seen()
    for frame, person, score in ((0, 0, 0.9), (0, 1, 0.5), (1, 1, 0.4), (1, 1, 0.8), (3, 1, 0.7)):
        seen.add(
            frame=frame, person=person, score=score, pose=np.full((55, 3), score), betas=np.zeros(10), head_first=np.zeros(3)
        )
    first, second = tracks_of(seen)
    assert first.person == 1 and first.frames.tolist() == [0, 1, 3] and second.frames.tolist() == [0]
    np.testing.assert_allclose(first.score, [0.5, 0.8, 0.7])
    np.testing.assert_allclose(first.pose[1], 0.8)


def person(frames):
    frames = np.array(frames)
    return ImportedPerson(
        name="0", pose=np.zeros((len(frames), 55, 3)), root=frames[:, None] * [1.0, 0, 0], betas=np.zeros(10), frames=frames
    )


def test_of_a_person_who_is_lost_for_long_the_longest_part_is_taken():
    span = follow_people.longest_span(person([0, 1, 9, 11, 12, 20]), longest=2)
    assert span.frames.tolist() == [9, 11, 12] and span.root[:, 0].tolist() == [9, 11, 12]


def test_nobody_in_two_frames_is_an_error(place, tmp_path):
    scene = watch(place, tmp_path / "a.tmp", kind="cut3r")
    nothing = {"pose": np.zeros((1, 55, 3)), "head": np.zeros((1, 3)), "betas": np.zeros((1, 10)), "score": np.ones(1)}
    once = PersonTrack(person=0, frames=np.array([3]), **nothing)
    scene = replace(scene, people=(once,))
    with pytest.raises(NoPerson, match="Nobody was seen in two frames of 'video'"):
        follow_people.run(scene, None, cfg=follow_people.FollowPeopleConfig(), out=tmp_path, progress=SILENT)  # pyright: ignore
