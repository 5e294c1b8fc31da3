"""wandb and mlflow are asked for what stays on the machine, and for a server only where the user has asked."""

import os
from typing import Any

import pytest
from tests.tracking.conftest import follower, tell_updates

from resnetkit.runs.folder import RunFolder
from resnetkit.runs.result import finished_result


def check_holds_no_image(page: str, folder: RunFolder) -> None:
    """It is the report, which on this machine has images."""
    assert "95 % interval" in page
    assert "data:image" in folder.report_file.read_text()
    assert "data:image" not in page
    assert "<img" not in page


def follow(name: str, folder: RunFolder) -> None:
    listener, result = follower(name), finished_result(folder)
    assert result is not None
    listener.run_started(folder, folder.read_record(), 0)
    tell_updates(listener, 1, 4)
    listener.run_ended(result)


def test_wandb_is_offline_in_the_run_folder_and_gathers_nothing(wandb: Any, folder: RunFolder) -> None:
    follow("wandb", folder)
    (asked,) = wandb.inits
    assert asked["mode"] == "offline"
    assert (asked["dir"], asked["name"], asked["project"]) == (str(folder.path), folder.path.name, "resnetkit")
    assert asked["config"]["optimizer.learning_rate"] == folder.read_record().recipe.optimizer.learning_rate
    settings = vars(asked["settings"])
    assert settings == {
        "x_disable_stats": True,
        "x_disable_meta": True,
        "disable_git": True,
        "save_code": False,
        "silent": True,
        "console": "off",
    }
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"
    assert os.environ["WANDB_SILENT"] == "true"  # or it may ask for a key


def test_wandb_is_online_where_that_is_asked_for(
    wandb: Any, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "WANDB_MODE", "online")
    monkeypatch.setitem(os.environ, "WANDB_PROJECT", "birds")
    follow("wandb", folder)
    assert (wandb.inits[0]["mode"], wandb.inits[0]["project"]) == ("online", "birds")


def test_wandb_gets_scores_mistakes_and_the_report(wandb: Any, folder: RunFolder) -> None:
    follow("wandb", folder)
    result = finished_result(folder)
    assert result is not None
    (run,) = wandb.runs.values()
    scores = result.scores["test"]
    ends = (run.summary[f"scores/test_top1{end}"] for end in ("", "_low", "_high"))
    assert tuple(ends) == (scores.top1.value, scores.top1.low, scores.top1.high)
    columns, rows = run.history[-1][1]["confusion/test"]
    assert columns == ["true", "predicted", "images"]
    assert sum(row[2] for row in rows) == scores.top1.num_images - scores.top1.correct
    (report,) = run.artifacts
    assert (report.type, list(report.files)) == ("report", ["report.html"])
    check_holds_no_image(report.files["report.html"], folder)
    assert run.exit_codes == [0]


def test_mlflow_writes_files_in_the_run_folder_and_reports_nothing(mlflow: Any, folder: RunFolder) -> None:
    follow("mlflow", folder)
    (place,) = mlflow.stores
    assert place == (folder.path / "mlflow" / "store").as_uri()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    (run,) = mlflow.stores[place].values()
    assert (run.name, run.status) == (folder.path.name, "FINISHED")
    params = dict(run.params)
    assert float(params["optimizer.learning_rate"]) == folder.read_record().recipe.optimizer.learning_rate
    assert set(run.artifacts) == {"report.html", "confusion_test.csv"}
    assert run.artifacts["confusion_test.csv"].startswith("true,predicted,images\n")
    check_holds_no_image(run.artifacts["report.html"], folder)


def test_mlflow_tells_what_failed_again_and_no_score_twice(
    mlflow: Any, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(mlflow.MlflowClient, "log_text", fail)
        with pytest.raises(ConnectionError):
            follow("mlflow", folder)
    follow("mlflow", folder)
    (run,) = mlflow.stores[(folder.path / "mlflow" / "store").as_uri()].values()
    names = [metric.key for metric in run.metrics if metric.key.startswith("scores/")]
    assert len(names) == len(set(names)) > 0


def test_a_password_in_an_address_is_used_and_written_nowhere(mlflow: Any, folder: RunFolder) -> None:
    addresses = [f"https://ada:{password}@tracks.example:5000/api" for password in ("s3cr:et", "an0ther")]
    for mlflow.uri in addresses:
        follow("mlflow", folder)
    assert mlflow.addresses == addresses
    assert [len(store) for store in mlflow.stores.values()] == [1], "the same run of the same server"
    written = b"".join(path.read_bytes() for path in folder.path.rglob("*") if path.is_file())
    assert b"https://tracks.example:5000/api" in written
    assert b"s3cr" not in written
    assert b"an0ther" not in written
    error = ConnectionError(f"cannot reach {mlflow.uri}")
    folder.log(str(error))
    assert folder.log_file.read_text().endswith("cannot reach https://tracks.example:5000/api\n")


def test_mlflow_goes_where_the_user_says_and_anew_where_that_has_changed(mlflow: Any, folder: RunFolder) -> None:
    mlflow.uri = "http://one"
    follow("mlflow", folder)
    assert list(mlflow.stores) == ["http://one"]
    assert "MLFLOW_ALLOW_FILE_STORE" not in os.environ
    mlflow.uri = "http://two"
    follow("mlflow", folder)
    assert list(mlflow.stores) == ["http://one", "http://two"]
    assert [len(store) for store in mlflow.stores.values()] == [1, 1]
