"""Work on a report: curves, the confusion matrix, the table of images, the threshold; by mouse and by keyboard."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from tests.html_page import HOSTILE
from tests.runs.page.conftest import Open, Opened
from tests.small_reports import answers_of, report_of

from resnetkit.evaluation.answers import Answers
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.pages.formatting import percent

pytestmark = pytest.mark.slow

PETS = ("cat", "dog", "fish", "hamster")


@pytest.fixture
def answers() -> Answers:
    return answers_of(PETS, 230)


@pytest.fixture
def pets(open_report: Open, answers: Answers) -> Opened:
    return open_report(report_of(answers))


def in_cell(answers: Answers, truth: int, answer: int) -> list[str]:
    rows = (answers.labels == truth) & (answers.predicted == answer)
    return sorted(answers.identifiers[row] for row in rows.nonzero()[0])


def names_in_table(page: Opened) -> list[str]:
    return page.texts("#image-table tbody th")


def test_the_curves_tell_values_at_an_epoch_by_pointer_and_by_key(pets: Opened) -> None:
    assert pets.texts(".readout") == [
        "epoch 5: val 0.2400, train 0.2000",
        "epoch 5: val 90.00 %",
        "epoch 5: rate 0.02000",
    ]
    pets.page.locator("#epoch").focus()
    pets.press("Home")
    assert pets.text(".readout") == "epoch 1: val 1.200, train 1.000"
    assert pets.text("#epoch-number") == "1"
    chart = pets.page.locator("#curves .plain-scale svg").first
    width = chart.bounding_box()["width"]
    chart.hover(position={"x": (52 + (332 - 52) * 0.52) / 340 * width, "y": 100})
    assert pets.text(".readout") == "epoch 3: val 0.4000, train 0.3333"
    assert pets.page.locator("#epoch").input_value() == "2"


def test_the_log_scale_takes_the_place_of_the_plain_one_where_it_says_something(pets: Opened) -> None:
    def shown() -> list[bool]:
        return [one.is_visible() for one in pets.page.locator("#curves .plain-scale, #curves .log-scale").all()]

    assert shown() == [True, False, True, True, False]
    pets.page.locator("#log-scale").check()
    assert shown() == [False, True, True, False, True]


def test_a_cell_opens_its_images(pets: Opened, answers: Answers) -> None:
    counts = {(truth, answer): len(in_cell(answers, truth, answer)) for truth in range(4) for answer in range(4)}
    cells = pets.texts(".matrix tbody td")
    assert cells == [f"{counts[truth, answer] or ''}" for truth in range(4) for answer in range(4)]
    pets.click('.matrix button[aria-label^="true dog, answer fish:"]')
    assert pets.text("#cell-images h3") == f"dog, taken for fish: {counts[1, 2]} images"
    assert sorted(pets.texts(".tiles .path")) == in_cell(answers, 1, 2)
    assert pets.page.locator(".tiles img").count() == counts[1, 2]
    assert pets.page.evaluate("[...document.querySelectorAll('.tiles img')].every((image) => image.naturalWidth === 8)")
    pets.click("#cell-images button")
    assert sorted(names_in_table(pets)) == in_cell(answers, 1, 2)
    assert pets.text("#table-count").startswith(f"{counts[1, 2]} images, {counts[1, 2]} of them wrong")


def test_the_matrix_is_walked_by_arrows_and_opened_by_enter(pets: Opened, answers: Answers) -> None:
    pets.page.locator("#matrix-share").focus()
    pets.press("Tab", "Tab")  # the region that scrolls, and one cell for all
    assert pets.focused().startswith("true cat, answer cat:")
    pets.press("ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft")
    assert pets.focused().startswith("true dog, answer dog:")
    pets.press("ArrowRight", "Enter")
    assert pets.focused() == "cell-images"
    assert pets.text("#cell-images h3").startswith("dog, taken for fish:")
    pets.click("#cell-images button >> text=Close")
    assert not pets.page.locator("#cell-images").is_visible()
    assert pets.focused().startswith("true dog, answer fish:")


def test_the_pairs_open_their_images_too(pets: Opened, answers: Answers) -> None:
    truth, answer, number = pets.texts("#pairs tbody td")[:3]
    pets.click("#pairs button")
    assert pets.text("#cell-images h3") == f"{truth}, taken for {answer}: {number} images"


@pytest.mark.parametrize(("share", "of"), [("row", "labels"), ("column", "predicted")])
def test_cells_show_shares_of_a_class_or_of_an_answer(pets: Opened, answers: Answers, share: str, of: str) -> None:
    pets.page.locator("#matrix-share").select_option(share)
    number = len(in_cell(answers, 0, 3))
    whole = (getattr(answers, of) == (0 if share == "row" else 3)).sum()
    assert pets.text('.matrix [aria-label^="true cat, answer hamster:"]') == f"{100 * number / whole:.0f}"


def test_classes_are_sorted_by_confusion_and_by_size(pets: Opened, answers: Answers) -> None:
    wrong = ~answers.is_right
    confused = {
        name: int((wrong & ((answers.labels == i) | (answers.predicted == i))).sum()) for i, name in enumerate(PETS)
    }
    sizes = {name: int((answers.labels == i).sum()) for i, name in enumerate(PETS)}
    for order, numbers in (("confusion", confused), ("size", sizes)):
        pets.page.locator("#matrix-order").select_option(order)
        names = pets.texts(".matrix tbody th")
        assert [numbers[name] for name in names] == sorted(numbers.values(), reverse=True)
        assert pets.texts(".matrix thead th") == names
    pets.page.locator("#matrix-order").select_option("name")
    assert pets.texts(".matrix tbody th") == list(PETS)


def test_the_table_is_turned_by_pages(pets: Opened) -> None:
    assert len(names_in_table(pets)) == 50
    assert pets.text("#page-number") == "Page 1 of 5"
    assert pets.page.locator("#page-before").is_disabled()
    for _ in range(4):
        pets.click("#page-after")
    assert (len(names_in_table(pets)), pets.text("#page-number")) == (30, "Page 5 of 5")
    assert pets.page.locator("#page-after").is_disabled()


def test_the_table_is_searched_and_filtered(pets: Opened, answers: Answers) -> None:
    pets.page.locator("#find").fill("DOG/1")
    wanted = {name for name in answers.identifiers if name.startswith("dog/1")}
    assert set(names_in_table(pets)) == wanted
    pets.page.locator("#kind").select_option("wrong")
    wrong = {answers.identifiers[row] for row in (~answers.is_right).nonzero()[0]}
    assert set(names_in_table(pets)) == wanted & wrong
    pets.click("#no-filter")
    assert pets.text("#table-count") == f"230 images, {len(wrong)} of them wrong"
    pets.page.locator("#true-class").select_option("2")
    pets.page.locator("#answer-class").select_option("0")
    assert sorted(names_in_table(pets)) == in_cell(answers, 2, 0)
    pets.page.locator("#find").fill("nothing like it")
    assert pets.text("#table-count") == "0 images, 0 of them wrong"
    assert pets.text("#page-number") == "Page 1 of 1"


def test_the_table_is_sorted_by_its_headings_by_key_too(pets: Opened, answers: Answers) -> None:
    heading = pets.page.locator("#image-table thead button >> text=Margin")
    heading.focus()
    pets.press("Enter")
    margins = [float(text.split()[0]) for text in pets.texts("#image-table td:last-child")]
    assert margins == sorted(margins)
    assert pets.page.locator("#image-table th[aria-sort]").get_attribute("aria-sort") == "ascending"
    pets.press("Enter")
    assert float(pets.text("#image-table td:last-child").split()[0]) > margins[-1]
    pets.click("#image-table thead button >> text=File")
    first = min(answers.identifiers, key=lambda name: (name.split("/")[0], int(name.split("/")[1][:-4])))
    assert names_in_table(pets)[0] == first, "numbers in names as numbers"


def test_paths_of_what_is_chosen_are_copied_whole(pets: Opened) -> None:
    names = names_in_table(pets)
    boxes = pets.page.locator("#image-table tbody input")
    boxes.nth(2).check()
    boxes.nth(5).check()
    assert pets.copied() == [f"/data/pets/{names[2]}", f"/data/pets/{names[5]}"]
    assert pets.text("#table-said") == "2 paths copied"
    pets.page.locator("#kind").select_option("chosen")
    assert names_in_table(pets) == [names[2], names[5]]
    pets.click("#choose-none")
    assert names_in_table(pets) == []
    pets.click("#no-filter")
    pets.click("#choose-all")
    assert pets.text("#table-count").endswith("; 230 chosen")


def test_where_nothing_may_be_copied_paths_are_there_to_be_taken(open_report: Open, answers: Answers) -> None:
    page = open_report(report_of(answers, root=None))
    page.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.page.locator("#find").fill("cat/")
    page.click("#copy-paths")
    page.page.wait_for_selector("#paths:not([hidden])")
    assert sorted(page.page.locator("#paths").input_value().split("\n")) == sorted(
        name for name in answers.identifiers if name.startswith("cat/")
    )


def test_the_table_is_saved_as_it_is_filtered(pets: Opened, answers: Answers) -> None:
    pets.page.locator("#kind").select_option("wrong")
    with pets.page.expect_download() as download:
        pets.click("#save-csv")
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(), newline="")))
    expected = {
        answers.identifiers[row]: (PETS[answers.labels[row]], PETS[answers.predicted[row]], "test", "false")
        for row in (~answers.is_right).nonzero()[0]
    }
    assert {r["image"]: (r["true_class"], r["predicted_class"], r["split"], r["correct"]) for r in rows} == expected
    row = answers.identifiers.index(rows[0]["image"])
    assert rows[0]["probability"] == f"{answers.confidences[row]:.6f}"


def test_the_slider_tells_what_is_answered_and_how_many_are_right(pets: Opened, answers: Answers) -> None:
    pets.page.locator("#threshold").focus()
    for key, threshold in (("ArrowRight", 0.001), ("PageUp", 0.101), ("End", 1.0), ("Home", 0.0)):
        pets.press(key)
        kept = answers.confidences >= threshold
        said = pets.text("#threshold-said")
        if not kept.any():
            assert said == "None of 230 images is answered."
            continue
        right = Accuracy.of(int(answers.is_right[kept].sum()), int(kept.sum()))
        top1 = percent(right.value, 2).replace("\N{NO-BREAK SPACE}", " ")
        assert said.startswith(f"{right.num_images} of 230 images answered")
        assert said.endswith(
            f"{right.correct} of them right: {top1} (95 % interval {100 * right.low:.2f} to {100 * right.high:.2f})"
        )


def test_scores_of_classes_are_sorted(pets: Opened) -> None:
    pets.click("#classes button >> text=Recall")
    recalls = [float(text.split()[0]) for text in pets.texts("#classes tbody td:nth-child(5)")]
    assert recalls == sorted(recalls)


def test_of_a_thousand_classes_the_most_confused_are_shown(open_report: Open) -> None:
    names = [f"class {number:03}" for number in range(1000)]
    answers = answers_of(names, 2000, skill=5.0)
    page = open_report(report_of(answers, has_pictures=False))
    assert page.text("#matrix-part") == "The 30 classes of 1,000 that are confused most."
    assert page.page.locator(".matrix tbody tr").count() == 30
    truth, answer, number = page.texts("#pairs tbody td")[:3]
    page.click("#pairs button")
    assert page.text("#cell-images h3") == f"{truth}, taken for {answer}: {number} image{'' if number == '1' else 's'}"
    assert page.page.locator("#true-class option").count() > 800


def test_without_images_the_matrix_is_still_sorted_and_opens_nothing(open_report: Open, answers: Answers) -> None:
    page = open_report(report_of(answers, images=None, mistakes=[]))
    page.page.locator("#matrix-order").select_option("size")
    assert page.page.locator(".matrix .cell").count() > 8
    assert page.page.locator(".matrix button, #pairs button, #images").count() == 0


NAMES = (HOSTILE, "\u202egnp.exe\nrm -rf ~", "=1+1", "caf\udce9")


def test_names_are_text_wherever_they_are_shown_copied_and_saved(open_report: Open) -> None:
    answers = answers_of(NAMES, 60, skill=1.0)
    page = open_report(report_of(answers, root=f"/data/{HOSTILE}"))
    for order in ("size", "confusion"):
        page.page.locator("#matrix-order").select_option(order)
    page.click(".matrix button.wrong")
    shown = page.page.evaluate("document.body.innerText")
    assert HOSTILE in shown
    assert r"\u202egnp.exe\x0arm -rf ~" in shown
    assert r"caf\udce9" in shown
    assert "\u202e" not in shown
    page.page.locator("#find").fill("gnp")
    assert all(path.startswith(f"/data/{HOSTILE}/") and path.endswith(".png") for path in page.copied()), "a line each"
    page.click("#no-filter")
    with page.page.expect_download() as download:
        page.click("#save-csv")
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8", "replace"), newline="")))
    assert len(rows) == 60
    assert {row["true_class"] for row in rows} >= {HOSTILE, "'=1+1", "\u202egnp.exe\nrm -rf ~"}
    assert page.page.locator("script").count() == 2


def test_a_run_that_has_not_finished_complains_of_nothing(open_report: Open, answers: Answers) -> None:
    report = replace(report_of(answers), is_finished=False, scores={}, judged=None, mistakes=[], images=None)
    page = open_report(replace(report, thresholds=None))
    page.page.locator("#epoch").focus()
    page.press("Home")
    assert page.text(".readout") == "epoch 1: val 1.200, train 1.000"
    alone = open_report(replace(report, thresholds=None, history=report.history[:1]))
    assert alone.text(".readout") == "epoch 1: val 1.200, train 1.000"
