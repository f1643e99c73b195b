"""The list of candidates keeps its promises."""

import re
from collections import Counter

from hsimul3r.benchmark.cases import ORDER, SHIPPED, all_cases, difficulty_of, subjects
from hsimul3r.benchmark.objects.catalogue import CATALOGUE, build_furniture
from hsimul3r.benchmark.posing.templates import POSES
from hsimul3r.body.model import embedded_body


def test_enough_candidates_with_unique_names():
    kinds = Counter(case.kind for case in all_cases())
    assert kinds["pose"] >= 330
    assert kinds["motion"] >= 66
    names = [case.name for case in all_cases()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)


def test_any_prefix_has_all_kinds_and_difficulties():
    first = all_cases()[:30]
    assert {case.kind for case in first} == {"pose", "motion"}
    assert min(Counter(case.difficulty for case in first)[difficulty] for difficulty in ORDER) >= 5


def test_objects_exist_and_enough_of_them_are_used():
    used = {name for case in all_cases() for name in case.objects}
    assert used <= set(CATALOGUE)
    assert len(used) >= 19


def test_several_objects_are_hard_and_a_chair_alone_is_easy():
    chair, table = build_furniture("dining_chair"), build_furniture("dining_table")
    assert difficulty_of(POSES["sit_upright"], [chair]) == "easy"
    assert difficulty_of(POSES["sit_at_table_hands"], [chair, table]) == "hard"
    assert difficulty_of(POSES["hands_on_chair_back"], [chair]) == "medium"
    assert difficulty_of(POSES["hands_on_chair_back"], [build_furniture("two_seat_sofa")]) == "hard"


def test_shipped_cases_are_eight_poses_of_each_difficulty():
    shipped = [case for case in all_cases() if case.name in SHIPPED]
    assert len(SHIPPED) == 24 == len(shipped)
    assert Counter(case.difficulty for case in shipped) == dict.fromkeys(ORDER, 8)
    assert {case.kind for case in shipped} == {"pose"}


def test_subjects_are_of_both_sexes_and_many_statures():
    people = subjects()
    statures = [float(embedded_body().stature(person.betas)) for person in people]
    assert min(statures) < 1.56 and max(statures) > 1.88
    assert [person.sex for person in people[:3]].count("male") == 2
