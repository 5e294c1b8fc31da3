"""Small wandb and mlflow: what the trackers ask of them, kept in memory."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple


class FakeWandbRun:
    def __init__(self) -> None:
        self.history: list[tuple[int, dict[str, Any]]] = []
        self.summary: dict[str, float] = {}
        self.artifacts: list[Any] = []
        self.exit_codes: list[int] = []

    def log(self, values: dict[str, Any], step: int) -> None:
        self.history.append((step, values))

    def log_artifact(self, artifact: Any) -> None:
        self.artifacts.append(artifact)

    def finish(self, exit_code: int) -> None:
        self.exit_codes.append(exit_code)


class FakeArtifact:
    def __init__(self, name: str, type: str) -> None:
        self.name, self.type, self.files = name, type, dict[str, str]()

    @contextmanager
    def new_file(self, name: str, encoding: str) -> Iterator[StringIO]:
        assert encoding == "utf-8"
        yield (file := StringIO())
        self.files[name] = file.getvalue()


def fake_wandb() -> Any:
    module: Any = ModuleType("wandb")
    module.runs, module.inits = defaultdict(FakeWandbRun), []
    module.Settings, module.Artifact = SimpleNamespace, FakeArtifact
    module.Table = lambda columns, data: (columns, data)

    def init(**settings: Any) -> FakeWandbRun:
        module.inits.append(settings)
        return module.runs[settings["id"]]  # type: ignore[no-any-return]

    module.init = init
    return module


class Param(NamedTuple):
    key: str
    value: str


class Metric(NamedTuple):
    key: str
    value: float
    timestamp: int
    step: int


class FakeMlflowRun:
    def __init__(self, name: str) -> None:
        self.name, self.status = name, "RUNNING"
        self.params: list[Param] = []
        self.metrics: list[Metric] = []
        self.artifacts: dict[str, str] = {}


def fake_mlflow() -> Any:
    module: Any = ModuleType("mlflow")
    module.entities = SimpleNamespace(Param=Param, Metric=Metric)
    module.uri, module.addresses, module.stores = "", list[str](), defaultdict(dict)
    module.is_tracking_uri_set, module.get_tracking_uri = lambda: bool(module.uri), lambda: module.uri

    class MlflowClient:
        def __init__(self, tracking_uri: str) -> None:
            module.addresses.append(tracking_uri)
            self.runs: dict[str, FakeMlflowRun] = module.stores[tracking_uri.rpartition("@")[2]]

        def get_experiment_by_name(self, name: str) -> None:
            return None

        def create_experiment(self, name: str) -> str:
            return name

        def create_run(self, experiment: str, run_name: str) -> Any:
            key = f"{experiment}/{len(self.runs)}"
            self.runs[key] = FakeMlflowRun(run_name)
            return SimpleNamespace(info=SimpleNamespace(run_id=key))

        def update_run(self, run: str, status: str) -> None:
            self.runs[run].status = status

        set_terminated = update_run

        def log_batch(self, run: str, metrics: tuple[Metric, ...] = (), params: tuple[Param, ...] = ()) -> None:
            assert len(params) <= 100
            self.runs[run].metrics += metrics
            self.runs[run].params += params

        def log_text(self, run: str, text: str, file: str) -> None:
            self.runs[run].artifacts[file] = text

    module.MlflowClient = MlflowClient
    return module
