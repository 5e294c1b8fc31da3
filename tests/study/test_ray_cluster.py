"""Runs on a cluster are the same runs; a cluster that does not answer is an error in time."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from resnetkit.errors import ResnetkitError
from resnetkit.machine import ray_cluster
from resnetkit.study.ray_cluster import RayPlace
from resnetkit.study.running import run_study
from resnetkit.study.study import Study
from resnetkit.training.run import train


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ResnetkitError, match=r"resnetkit\[ray\]"):
        RayPlace("local", 1)


def test_a_cluster_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SimpleNamespace(is_initialized=lambda: False, init=lambda **_: time.sleep(1))
    monkeypatch.setitem(sys.modules, "ray", silent)  # type: ignore[arg-type]
    monkeypatch.setattr(ray_cluster, "START_SECONDS", 0.05)
    with pytest.raises(ResnetkitError, match=r"no Ray cluster answers at '10.0.0.1:1'"):
        RayPlace("10.0.0.1:1", 1)


@pytest.mark.slow
def test_a_run_on_a_cluster_ends_in_the_same_bytes(two_arms: Study, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    budget = replace(two_arms.budgets["smoke"], num_seeds=1)
    study = replace(two_arms, arms=two_arms.arms[:1], claims=(), budgets={"smoke": budget})
    try:
        (outcome,) = run_study(study, out=tmp_path / "study", place="local").outcomes
    finally:
        ray.shutdown()
    arm = study.arms[0]
    alone = train("digits", model=arm.model, recipe=budget.recipe, settings=budget.settings_of(arm), out=tmp_path)
    assert outcome.run is not None
    assert outcome.run.classifier_file.read_bytes() == alone.folder.classifier_file.read_bytes()
