"""Shipped studies: their networks can be built, their numbers are the papers', their budgets are what is promised."""

import re
from pathlib import Path
from typing import get_args

import pytest
import torch

from resnetkit.anatomy.cost import count_cost
from resnetkit.anatomy.spec_words import PUBLISHED
from resnetkit.models.catalog import find_entry
from resnetkit.models.resnet import ResNet
from resnetkit.study import checks
from resnetkit.study.shipped import list_studies, open_study
from resnetkit.study.study import MeasuredReading, RecordedReading, Study

STUDIES = [open_study(name) for name in list_studies()]


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_all_budgets_are_there_and_say_what_differs_from_the_paper(study: Study) -> None:
    assert list(study.budgets) == ["smoke", "minutes", "hours", "paper"]
    assert study.question.strip().endswith("?")
    assert study.why
    assert all(budget.note for budget in study.budgets.values())
    assert study.budgets["smoke"].data == "digits"
    assert study.budgets["minutes"].num_seeds >= 5
    assert len({arm.panel == "" for arm in study.arms}) == 1, "all arms have a panel, or none"


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_results_do_not_depend_on_the_kind_of_processor(study: Study) -> None:
    for name, budget in study.budgets.items():
        assert budget.settings["runtime.precision"] == "fp32"
        assert name not in ("smoke", "minutes") or budget.settings["runtime.compile"] == "off"
        assert name not in ("smoke", "minutes") or budget.threads == 1


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_every_claim_is_asked_with_the_papers_budget(study: Study) -> None:
    asked = {arm.name for arm in study.arms_of(study.budgets["paper"])}
    assert asked == {arm.name for arm in study.arms}
    for name in ("smoke", "minutes", "hours"):
        arms = {arm.name for arm in study.arms_of(study.budgets[name])}
        assert any(set(claim.ascending) <= arms for claim in study.claims)


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_every_setting_has_an_effect(study: Study) -> None:
    for name, budget in study.budgets.items():
        for arm in study.arms_of(budget):
            warnings = checks._plan_unseen(arm, budget).warnings
            assert not [text for text in warnings if "no effect" in text], (name, arm.name)


@pytest.mark.slow  # that they can be planned is quick to see: test_shipped_studies_are_sound
def test_every_network_can_be_built() -> None:
    names = {budget.network_of(arm) for s in STUDIES for budget in s.budgets.values() for arm in s.arms_of(budget)}
    for name in names:
        spec = find_entry(name).spec
        with torch.device("meta"):
            num_weights = sum(weights.numel() for weights in ResNet(spec).parameters())
        assert num_weights == count_cost(spec, 32).parameters, name


def test_figures_are_those_that_are_told_of_the_networks_elsewhere() -> None:
    compared = 0
    for study in STUDIES:
        for arm in study.arms:
            told = PUBLISHED.get(arm.model, "")
            if arm.published is not None and study.published_on in told:
                assert f"{arm.published.value:.2f}" in told, (study.name, arm.name)
                compared += 1
    assert compared >= 15


# arXiv:1512.03385, Table 3; arXiv:1603.05027, Tables 1 and 2, of 110 layers and of 164.
PAPERS = {
    "shortcut_options": [28.54, 25.03, 24.52, 24.19],
    "shortcuts": [
        *(6.61, "fails", "fails", 12.35),
        *("fails", "fails", 8.70, 9.81),
        *(12.86, 6.91, 12.22, "fails"),
    ],
    "activation_orders": [6.61, 8.17, 7.84, 6.71, 6.37, 5.93, 6.50, 6.14, 5.91, 5.46],
}


@pytest.mark.parametrize("name", PAPERS)
def test_figures_are_those_of_the_papers_tables(name: str) -> None:
    assert [arm.published.value for arm in open_study(name).arms if arm.published is not None] == PAPERS[name]


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_claims_are_what_the_papers_figures_say(study: Study) -> None:
    published = {arm.name: arm.published for arm in study.arms}
    for claim in study.claims:
        figures = [one for name in claim.ascending if (one := published[name]) is not None]
        errors = [float("inf") if one.value == "fails" else one.value for one in figures]
        if claim.reading == "test_error":
            assert errors == sorted(errors), claim.says


DOCUMENT = Path(__file__).parents[2] / "docs" / "studies.md"


def test_the_document_has_every_study_and_its_example_is_sound(tmp_path: Path) -> None:
    text = DOCUMENT.read_text()
    assert sorted(re.findall(r"^\| `(\w+)` \| .*arXiv", text, re.MULTILINE)) == list_studies()
    for reading in get_args(RecordedReading) + get_args(MeasuredReading):
        assert f"`{reading}`" in text
    example = tmp_path / "wider_or_deeper.toml"
    example.write_text(re.search(r"```toml\n(.*?)```", text, re.DOTALL).group(1))  # type: ignore[union-attr]
    checks.check_study(open_study(str(example)))
