"""docs/scikit-learn.md is one program that runs; here on fewer images and for fewer epochs."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "scikit-learn.md"
SHORTER = {
    "digits.images / 16, digits.target": "digits.images[:300] / 16, digits.target[:300]",
    "epochs=5, settings={": "epochs=1, settings={'runtime.threads': 1, 'model.depths': [1, 1, 1], ",
    '"epochs": [2, 5]': '"epochs": [1, 2]',
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:a run of", "ignore:class", "ignore:train has")
def test_its_program_runs(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = "".join(re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL))
    for long, short in SHORTER.items():
        assert program.count(long) == 1, long
        program = program.replace(long, short)
    known: dict[str, Any] = {}
    exec(compile(program, DOCUMENT.name, "exec"), known)
    printed = capsys.readouterr().out
    assert printed.endswith("('0', '1', '2', '3', '4', '5', '6', '7', '8', '9') (3, 10)\n")
    assert known["search"].best_params_["epochs"] in (1, 2)
    assert known["array"].shape == (300, 64)
    np.testing.assert_allclose(known["calibrated"].predict_proba(known["images"]).sum(1), 1, atol=1e-6)
