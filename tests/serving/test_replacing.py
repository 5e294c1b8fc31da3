"""A classifier's file is replaced under load: no request is lost, and each answer is of the version that it names."""

import asyncio
import dataclasses
import os
import shutil
import signal
from pathlib import Path

import pytest
from tests.serving.conftest import ENGINE, SETTINGS, Known, is_running, known_of, put, run, small_files, until
from tests.serving.fake_versions import open_fake_version

from resnetkit.classifier.classifier import load_classifier
from resnetkit.classifier.decision import Decision, Sets, Sure
from resnetkit.errors import ResnetkitError
from resnetkit.serving import served_classifier, watching
from resnetkit.serving.opening import ToServe, open_to_serve
from resnetkit.serving.served import NotReady, WorkerLost
from resnetkit.serving.served_classifier import ServedClassifier
from resnetkit.serving.served_set import open_served
from resnetkit.sources.locate import Located

KILLED = "killed"


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "WATCH_SECONDS", 0.05)


@pytest.fixture
def place(file: Path, tmp_path: Path) -> Path:
    """A file of the test's own."""
    put(file, tmp_path / "own.safetensors")
    return tmp_path / "own.safetensors"


class Load:
    """Asks on and on, and checks each answer by the version that it names."""

    def __init__(self, served: ServedClassifier, known: dict[str, Known]) -> None:
        self._served, self._known = served, known
        self.versions: list[str] = []
        self._is_over = False
        self._tasks = [asyncio.create_task(self._ask(number)) for number in range(8)]

    async def _ask(self, number: int) -> None:
        while not self._is_over:
            places = [number, (number + 1) % 40]
            wanted = next(iter(self._known.values())).files
            answers = await self._served.answer_files([wanted[place] for place in places], deadline_seconds=60)
            self._known[answers.version].check(places, answers)
            assert answers.description.class_names[0].split()[0] == {v: n for n, v in NAMES.items()}[answers.version]
            self.versions.append(answers.version)

    async def end(self) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)


NAMES: dict[str, str] = {}


def version_of(file: Path) -> str:
    from resnetkit.files import sha256_of

    return sha256_of(file)[:12]


@pytest.mark.slow
def test_the_new_one_takes_over_and_a_damaged_one_does_not(file: Path, other: Path, place: Path) -> None:
    NAMES.update({"1": version_of(file), "2": version_of(other)})
    known = {version_of(each): known_of(each) for each in (file, other)}

    async def work() -> None:
        async with open_served([ToServe("small", str(place), engine=ENGINE)], SETTINGS) as opened:
            served = opened["small"]
            load = Load(served, known)
            await until(lambda: len(load.versions) > 50)
            before = served.worker_pid
            put(other, place)
            await until(lambda: served.version == NAMES["2"])
            assert served.state == "ready"
            await until(lambda: load.versions[-50:] == [NAMES["2"]] * 50 and not is_running(before))
            now = served.worker_pid
            place.with_suffix(".new").write_bytes(other.read_bytes()[:-100])
            place.with_suffix(".new").replace(place)
            await until(lambda: served.problem != "")
            assert "was replaced by what is not taken" in served.problem
            number = len(load.versions)
            await until(lambda: len(load.versions) > number + 50)
            put(other, place)  # as it was
            await until(lambda: served.problem == "")
            await load.end()
            assert (served.state, served.version, served.worker_pid) == ("ready", NAMES["2"], now)
            flips = sum(one != two for one, two in zip(load.versions, load.versions[1:], strict=False))
            # Answers come back in another order than they were asked for only around the change.
            assert flips < 16
            assert set(load.versions) == set(NAMES.values())

    run(work)


@pytest.mark.slow
def test_a_file_with_other_thresholds_changes_statuses_and_loses_no_request(
    file: Path, place: Path, tmp_path: Path
) -> None:
    strict = tmp_path / "strict.safetensors"
    decision = Decision(sure=Sure(1.0, 0.99), sets=Sets("lac", 1.0, 0.9))  # nothing is so sure, and every class is in
    dataclasses.replace(load_classifier(file), decision=decision).save(strict)
    open_to_serve(ToServe("", str(strict), engine=ENGINE), max_batch_images=8, tell=lambda _: None)
    pictures, versions = small_files(4), (version_of(file), version_of(strict))
    seen: list[str] = []

    async def ask_on(served: ServedClassifier, is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            answers = await served.answer_files(pictures, deadline_seconds=60)
            statuses, sets = {answer.status for answer in answers}, [answer.in_set for answer in answers]
            if answers.version == versions[0]:
                assert (statuses, sets) == ({"ok"}, [None] * 4)
            else:
                assert (answers.version, statuses) == (versions[1], {"unsure"})
                assert all(in_set is not None and in_set.all() for in_set in sets)
            assert answers.description.decision == (Decision() if answers.version == versions[0] else decision)
            seen.append(answers.version)

    async def work() -> None:
        async with open_served([ToServe("small", str(place), engine=ENGINE)], SETTINGS) as opened:
            is_over = asyncio.Event()
            asking = [asyncio.create_task(ask_on(opened["small"], is_over)) for _ in range(4)]
            await until(lambda: len(seen) > 8 or any(task.done() for task in asking))
            put(strict, place)
            await until(lambda: seen[-8:] == [versions[1]] * 8 or any(task.done() for task in asking))
            is_over.set()
            await asyncio.gather(*asking)

    run(work)
    assert set(seen) == set(versions)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that holds a number, which the fake workers answer."""
    place = tmp_path / "fake"
    place.write_text("1")
    monkeypatch.setattr(served_classifier, "open_version", open_fake_version)
    monkeypatch.setattr(served_classifier, "locate_weights", lambda source: Located(source, "weights", Path(source)))
    monkeypatch.setattr(served_classifier, "FIRST_DELAY_SECONDS", 0.01)
    return place


def replace(place: Path, text: str) -> None:
    place.with_suffix(".new").write_text(text)
    place.with_suffix(".new").replace(place)


def test_no_answer_is_lost_or_of_another_version_than_it_says(fake: Path) -> None:
    """Replaced again and again, by damaged files too, and its worker killed in between."""

    async def ask_on(served: ServedClassifier, seen: list[str], is_over: asyncio.Event) -> list[str]:
        own = []
        while not is_over.is_set():
            try:
                answers = await served.answer_files([b"image"] * 3, deadline_seconds=60)
            except (WorkerLost, NotReady):
                assert KILLED in seen
                await asyncio.sleep(0.01)
            else:
                assert [float(answer.logits[0, 0]) for answer in answers] == [float(answers.version)] * 3
                assert answers.description.class_names == (answers.version,)
                seen.append(answers.version)
                own.append(answers.version)
        return own

    async def work() -> None:
        async with open_served([ToServe("fake", str(fake))], SETTINGS) as opened:
            served, seen, is_over = opened["fake"], [], asyncio.Event()
            asking = [asyncio.create_task(ask_on(served, seen, is_over)) for _ in range(4)]
            for number in ("2", "3"):
                pid = served.worker_pid
                replace(fake, number)
                await until(lambda number=number, pid=pid: seen[-8:] == [number] * 8 and not is_running(pid))
            replace(fake, "damaged")
            await until(lambda: "fake is damaged" in served.problem)
            asked = len(seen)
            await until(lambda: len(seen) > asked + 8)
            assert (served.state, served.version) == ("ready", "3")
            replace(fake, "4")
            await until(lambda: served.version == "4")
            assert served.problem == ""
            seen.append(KILLED)
            pid = served.worker_pid
            os.kill(pid, signal.SIGKILL)
            await until(lambda: served.state == "ready" and served.worker_pid != pid and seen[-8:] == ["4"] * 8)
            is_over.set()
            for own in await asyncio.gather(*asking):
                assert own == sorted(own)  # each version takes over once
                assert set(own) == {"1", "2", "3", "4"}

    run(work)


def test_one_that_has_failed_says_why_and_comes_back_with_its_file(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_classifier, "MAX_FAILURES", 3)

    async def work() -> None:
        async with open_served([ToServe("fake", str(fake))], SETTINGS) as opened:
            served = opened["fake"]
            fake.unlink()
            await asyncio.sleep(0.2)
            assert served.state == "ready"  # it has been opened
            os.kill(served.worker_pid, signal.SIGKILL)
            await until(lambda: served.state == "failed")
            with pytest.raises(NotReady, match="fake is nothing"):
                await served.answer_files([b"image"], deadline_seconds=1)
            replace(fake, "7")
            await until(lambda: served.state == "ready")
            assert (await served.answer_files([b"image"], deadline_seconds=60)).version == "7"

    run(work)


@pytest.mark.slow
def test_a_file_that_is_touched_is_opened_by_nobody(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened_versions = []
    open_version = served_classifier.open_version

    async def counted(*given):
        opened_versions.append(given)
        return await open_version(*given)

    monkeypatch.setattr(served_classifier, "open_version", counted)

    async def work() -> None:
        async with open_served([ToServe("small", str(place), engine=ENGINE)], SETTINGS):
            place.touch()
            await asyncio.sleep(0.5)

    run(work)
    assert len(opened_versions) == 1


@pytest.mark.slow
def test_a_run_is_watched_by_its_classifier(file: Path, other: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.json").write_text("{}")
    put(file, folder / "classifier.safetensors")

    async def work() -> None:
        async with open_served([ToServe("small", str(folder), engine=ENGINE)], SETTINGS) as opened:
            put(other, folder / "classifier.safetensors")
            await until(lambda: opened["small"].version == version_of(other))

    run(work)
    shutil.rmtree(folder)
    with pytest.raises(ResnetkitError):
        run(work)
