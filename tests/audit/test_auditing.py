"""An audit of folders into which known mistakes were put: all of them are found, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from tests.audit.altered import picture, save, write_photos

from resnetkit.audit.auditing import Audit, audit_data
from resnetkit.audit.checks import CHECKS, Check
from resnetkit.data.source import BadImagesError, DataSource
from resnetkit.errors import Code, ResnetkitError


def counts_of(audit: Audit) -> dict[str, int]:
    return {name: count for name, count in audit.counts.items() if count}


def pairs_of(audit: Audit, name: str) -> set[tuple[str, str]]:
    (found,) = (finding for finding in audit.as_dict()["findings"] if finding["name"] == name)
    return {(image["path"], image["other"]["path"]) for image in found["images"]}


def test_clean_photos_have_no_findings(tmp_path: Path) -> None:
    audit = audit_data(str(write_photos(tmp_path)))
    assert not audit.findings
    assert {"num_leaks", "num_conflicts", "num_duplicates", "num_near_duplicates"} < audit.as_dict().keys()


def test_what_was_put_in_is_found_and_nothing_else(tmp_path: Path) -> None:
    write_photos(tmp_path)
    save(picture(2).resize((67, 56)), tmp_path / "val/cat/leak.jpg", quality=60)
    save(picture(4), tmp_path / "val/cat/same.png")
    save(ImageOps.mirror(picture(3)), tmp_path / "train/cat/conflict.png")
    save(picture(6), tmp_path / "train/cat/again.png")
    save(picture(8), tmp_path / "train/cat/anew.jpg", quality=60)
    audit = audit_data(str(tmp_path))
    assert counts_of(audit) == {"leaks": 2, "conflicts": 1, "duplicates": 1, "near_duplicates": 1}
    assert pairs_of(audit, "leaks") == {
        ("val/cat/leak.jpg", "train/cat/2.png"),
        ("val/cat/same.png", "train/cat/4.png"),
    }
    assert pairs_of(audit, "conflicts") == {("train/dog/3.png", "train/cat/conflict.png")}
    assert {frozenset(pair) for pair in pairs_of(audit, "duplicates")} == {
        frozenset({"train/cat/again.png", "train/cat/6.png"})
    }
    assert [finding.severity for finding in audit.findings] == ["error", "error", "warning", "warning"]


def test_a_validation_split_that_repeats_training_leaks_whole(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for number in range(20):
            save(picture(number), tmp_path / split / ("cat", "dog")[number % 2] / f"{number}.png")
    audit = audit_data(str(tmp_path))
    assert counts_of(audit) == {"leaks": 20}
    assert audit.findings[0].sentence == "20 images of val are also in train"
    assert len(pairs_of(audit, "leaks")) == 20


def test_a_leak_by_way_of_another_copy_is_one_too(tmp_path: Path) -> None:
    """Of three images with the same picture, only the pairs next to each other may be alike enough."""
    write_photos(tmp_path)
    save(picture(1000), tmp_path / "train/cat/leaked.png")
    save(picture(1000), tmp_path / "val/cat/same.png")
    audit = audit_data(str(tmp_path))
    assert counts_of(audit)["leaks"] == 2


def test_a_check_that_needs_a_classifier_is_left_out_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHECKS, "new", Check("new things", lambda subject: (), ("new",), needs_judge=True))
    audit = audit_data(str(write_photos(tmp_path, train=4, val=4)))
    assert "new things" in audit.left_out
    assert "new" not in audit.counts, "nothing was looked for, so there is no count of it"


def test_unreadable_files_are_findings(tmp_path: Path) -> None:
    write_photos(tmp_path)
    (tmp_path / "train/cat/broken.png").write_bytes(b"\x89PNG no more")
    audit = audit_data(str(tmp_path))
    assert counts_of(audit) == {"unreadable": 1}
    assert audit.findings[0].unread[0].path.endswith("train/cat/broken.png")
    assert audit.as_dict()["num_images"] == {"train": 24, "val": 12}


def test_data_of_which_nothing_can_be_read_are_refused(tmp_path: Path) -> None:
    for file in write_photos(tmp_path).rglob("*.png"):
        file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(BadImagesError, match="36 of 36 image files cannot be used"):
        audit_data(str(tmp_path))


def test_the_network_is_looked_for_before_any_image_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: DataSource) -> None:
        raise ResnetkitError(Code.WEIGHTS, "no such weights")

    monkeypatch.setattr("resnetkit.audit.subject._look_at", lambda *args: pytest.fail("decoded"))
    with pytest.raises(ResnetkitError, match="no such weights"):
        audit_data(str(write_photos(tmp_path)), embedder=refuse)


def test_near_copies_of_what_leaks_are_found_in_their_own_split_too(tmp_path: Path) -> None:
    """The pixels of one are those of a training image, which stands for it where looks are compared."""
    write_photos(tmp_path)
    save(picture(2), tmp_path / "val/cat/same.png")
    save(picture(2), tmp_path / "val/cat/anew.jpg", quality=60)
    assert counts_of(audit_data(str(tmp_path))) == {"leaks": 2, "near_duplicates": 1}


def test_odd_images_are_told_by_what_they_are(tmp_path: Path) -> None:
    write_photos(tmp_path, train=40)
    draw, cats = np.random.default_rng(0), tmp_path / "train/cat"
    save(Image.new("RGB", (96, 80), "red"), cats / "blank.png")
    save(Image.fromarray(draw.integers(0, 8, (80, 96, 3), np.uint8)), cats / "dark.png")
    save(Image.fromarray(draw.integers(247, 255, (80, 96, 3), np.uint8)), cats / "bright.png")
    faint = (np.asarray(picture(2000), np.float32) - 128) * 0.05 + 128
    save(Image.fromarray(faint.astype(np.uint8)), cats / "low_contrast.png")
    save(picture(2001, (12, 10)), cats / "tiny.png")
    save(picture(2002, (400, 80)), cats / "extreme_aspect.png")
    clear = picture(2003).convert("RGBA")
    clear.putalpha(128)
    save(clear, cats / "transparent.png")
    save(picture(2004).convert("P"), cats / "palette.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    save(picture(2005), cats / "turned.jpg", exif=exif)
    save(picture(2006), cats / "several.tif", save_all=True, append_images=[picture(2007)])
    save(Image.fromarray(draw.integers(0, 65535, (80, 96), np.uint16)), cats / "deep.png")
    audit = audit_data(str(tmp_path))
    found = {
        finding.name: [Path(audit.subject.identifiers[mark.row]).stem for mark in finding.marks]
        for finding in audit.findings
    }
    assert found == {name: [name] for name in found}
    assert set(found) == {
        *("blank", "dark", "bright", "low_contrast", "tiny", "extreme_aspect"),
        *("transparent", "palette", "turned", "several", "deep"),
    }


def test_uneven_and_small_classes(tmp_path: Path) -> None:
    for number in range(40):
        save(picture(number), tmp_path / "train/cat" / f"{number}.png")
        save(picture(100 + number), tmp_path / "val/cat" / f"{number}.png")
    for number in range(3):
        save(picture(200 + number), tmp_path / "train/dog" / f"{number}.png")
    audit = audit_data(str(tmp_path))
    assert counts_of(audit) == {"rare_classes": 1, "small_classes": 1, "absent_from_val": 1}
    assert "'dog' (3)" in audit.findings[0].sentence


def test_data_without_training_images_have_no_rare_classes(tmp_path: Path) -> None:
    for file in write_photos(tmp_path / "photos").rglob("train/*/*.png"):
        file.unlink()
    rows = [f"{file},{file.parent.name},test\n" for file in sorted((tmp_path / "photos/val").rglob("*.png"))]
    (tmp_path / "list.csv").write_text("path,label,split\n" + "".join(rows))
    assert counts_of(audit_data(str(tmp_path / "list.csv"))) == {}
