"""What recipe.json says, whichever version wrote it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from resnetkit.errors import ResnetkitError
from resnetkit.runs.folder import RunFolder

EARLIER = Path(__file__).parents[1] / "golden" / "earlier_recipe.json"  # written before a record had its data's name


def test_a_record_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    shutil.copy(EARLIER, tmp_path / "recipe.json")
    record = RunFolder(tmp_path).read_record()
    assert (record.recipe.name, record.recipe.epochs, record.recipe.data.source) == ("tiny_images", 1, "digits")
    assert (record.data.name, record.data.audit, record.weights) == (None, None, None)
    assert record.data.num_image_files == 1293 + 145 + 359
    assert record.environment == {"torch": "2.13.0+cpu", "threads": 1}
    assert record.reasons[0].startswith("recipe tiny_images: ")


def test_a_record_is_written_as_it_was_read(tmp_path: Path) -> None:
    content = json.loads(EARLIER.read_text())
    content["weights"] = {"path": "w.pt", "sha256": "0" * 64}
    content["data"] |= {"name": "digits", "bad_images": [{"path": "a.png", "reason": "is empty"}]}
    content["data"]["audit"] = {
        "num_leaks": 1,
        "num_conflicts": 0,
        "num_duplicates": 2,
        "class_sizes": {"train": [3, 4]},
    }
    (tmp_path / "recipe.json").write_text(json.dumps(content))
    folder = RunFolder(tmp_path)
    folder.write_record(folder.read_record())
    written = json.loads(folder.recipe_file.read_text())
    assert list(written) == ["recipe", "command", "reasons", "warnings", "weights", "data", "environment"]
    assert {name: written[name] for name in written if name != "recipe"} == {
        name: content[name] for name in written if name != "recipe"
    }


@pytest.mark.parametrize("missing", ["recipe", "command", "data", "environment"])
def test_a_record_that_lacks_what_all_versions_wrote_is_damaged(tmp_path: Path, missing: str) -> None:
    content: dict[str, Any] = json.loads(EARLIER.read_text())
    del content[missing]
    (tmp_path / "recipe.json").write_text(json.dumps(content))
    with pytest.raises(ResnetkitError, match="is damaged") as caught:
        RunFolder(tmp_path).read_record()
    assert f"'{missing}'" in caught.value.why
