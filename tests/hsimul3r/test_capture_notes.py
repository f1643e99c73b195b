import pytest
import yaml

from hsimul3r.capture_notes import read_notes, save_clicks
from hsimul3r.errors import BadCapture


def test_clicks_join_what_is_there(tmp_path):
    chair = {"name": "my chair", "category": "chair", "boxes": {"a.jpg": [1, 2, 3, 4]}, "clicks": {"b.jpg": [[9, 9, True]]}}
    before = {"stature_m": 1.7, "objects": [chair, {"name": "table"}]}
    (tmp_path / "capture.yaml").write_text(yaml.safe_dump(before))
    save_clicks(tmp_path, "my chair", "stool", {"a.jpg": [(5, 6, True), (7, 8, False)]})
    chair["clicks"]["a.jpg"] = [[5, 6, True], [7, 8, False]]
    assert read_notes(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["capture.yaml"]


def test_a_new_object_in_a_new_file(tmp_path):
    save_clicks(tmp_path, "stool", "stool", {"a.jpg": [(5, 6, True)]})
    assert read_notes(tmp_path) == {"objects": [{"name": "stool", "category": "stool", "clicks": {"a.jpg": [[5, 6, True]]}}]}


def test_comments_are_kept_beside(tmp_path):
    text = "stature_m: 1.7  # measured\n"
    (tmp_path / "capture.yaml").write_text(text)
    save_clicks(tmp_path, "stool", "stool", {"a.jpg": [(5, 6, True)]})
    assert (tmp_path / "capture.yaml.old").read_text() == text and read_notes(tmp_path)["stature_m"] == 1.7


@pytest.mark.parametrize(
    "text", ["objects: [", "objects: {name: chair}", "objects: [chair]", "objects: [{name: stool, clicks: [1]}]", "other: 1"]
)
def test_a_file_that_is_wrong_is_left_as_it_is(tmp_path, text):
    (tmp_path / "capture.yaml").write_text(text)
    with pytest.raises(BadCapture):
        save_clicks(tmp_path, "stool", "stool", {"a.jpg": [(5, 6, True)]})
    assert (tmp_path / "capture.yaml").read_text() == text
