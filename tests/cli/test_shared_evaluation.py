"""``torchrun … evaluate``: several processes share the images, and say what one says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from resnetkit.runs.answer_files import read_answers

EVALUATE = ["-m", "resnetkit", "evaluate"]
TOGETHER = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d"]
TOGETHER += ["--rdzv-endpoint", "127.0.0.1:0"]


def evaluate(starting: list[str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *starting, *EVALUATE, *words, "--engine", "torch"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, env=environment)


@pytest.mark.slow
def test_two_processes_say_what_one_says(pretrained: Path, tmp_path: Path) -> None:
    said, answers = [], []
    for name, starting in (("one", []), ("two", TOGETHER)):
        file = tmp_path / f"{name}.npz"
        finished = evaluate(starting, str(pretrained), "digits", "--split", "all", "--json", "--answers", str(file))
        assert finished.returncode == 0, finished.stderr
        said.append(json.loads(finished.stdout))
        answers.append(read_answers(file))
    assert said[0] == said[1]
    assert said[0]["num_trained_on"] > 0
    for split, one in answers[0].items():
        two = answers[1][split]
        assert list(one.identifiers) == list(two.identifiers)
        np.testing.assert_array_equal(one.probabilities, two.probabilities)
        np.testing.assert_array_equal(one.trained_on, two.trained_on)


@pytest.mark.slow
def test_a_score_below_the_least_is_one_exit_code(pretrained: Path) -> None:
    finished = evaluate(TOGETHER, str(pretrained), "--min-top1", "1.0")
    assert finished.returncode == 1
    assert finished.stderr.count("check failed: top-1") == 1
    assert "another process" not in finished.stderr
