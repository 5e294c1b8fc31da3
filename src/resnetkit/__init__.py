"""resnetkit: define, inspect, train, evaluate and use residual networks.

>>> import resnetkit
>>> resnetkit.create_model("resnet20").num_features
64
>>> resnetkit.list_models("resnet5*_b")
['resnet56_b']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resnetkit.analysis.analyses import Analysis, analyze
    from resnetkit.anatomy.table import describe
    from resnetkit.classifier.classifier import Classifier
    from resnetkit.classifier.prediction import Prediction, Predictor
    from resnetkit.comparing.anything import compare
    from resnetkit.data.spec import DataSpec
    from resnetkit.errors import ResnetkitError
    from resnetkit.estimators.image_classifier import ResNetClassifier
    from resnetkit.estimators.image_features import ResNetFeatures
    from resnetkit.evaluation.scoring import evaluate
    from resnetkit.explanation.explaining import explain
    from resnetkit.explanation.explanation import Explanation
    from resnetkit.inference.predictors import open_predictor, predict
    from resnetkit.models.catalog import list_models
    from resnetkit.models.resnet import ResNet
    from resnetkit.models.spec import ResNetSpec
    from resnetkit.publishing.pushing import push
    from resnetkit.recipes.demands import Demands
    from resnetkit.sources.networks import create_model, load_weights
    from resnetkit.sources.weights import open_classifier
    from resnetkit.study.running import run_study
    from resnetkit.training.run import resume, train

_HOMES = {
    "Analysis": "resnetkit.analysis.analyses",
    "Classifier": "resnetkit.classifier.classifier",
    "DataSpec": "resnetkit.data.spec",
    "Demands": "resnetkit.recipes.demands",
    "Explanation": "resnetkit.explanation.explanation",
    "Prediction": "resnetkit.classifier.prediction",
    "Predictor": "resnetkit.classifier.prediction",
    "ResNet": "resnetkit.models.resnet",
    "ResNetClassifier": "resnetkit.estimators.image_classifier",
    "ResNetFeatures": "resnetkit.estimators.image_features",
    "ResNetSpec": "resnetkit.models.spec",
    "ResnetkitError": "resnetkit.errors",
    "analyze": "resnetkit.analysis.analyses",
    "compare": "resnetkit.comparing.anything",
    "create_model": "resnetkit.sources.networks",
    "describe": "resnetkit.anatomy.table",
    "evaluate": "resnetkit.evaluation.scoring",
    "explain": "resnetkit.explanation.explaining",
    "list_models": "resnetkit.models.catalog",
    "load_weights": "resnetkit.sources.networks",
    "open_classifier": "resnetkit.sources.weights",
    "open_predictor": "resnetkit.inference.predictors",
    "predict": "resnetkit.inference.predictors",
    "push": "resnetkit.publishing.pushing",
    "resume": "resnetkit.training.run",
    "run_study": "resnetkit.study.running",
    "train": "resnetkit.training.run",
}

__all__ = [
    "Analysis",
    "Classifier",
    "DataSpec",
    "Demands",
    "Explanation",
    "Prediction",
    "Predictor",
    "ResNet",
    "ResNetClassifier",
    "ResNetFeatures",
    "ResNetSpec",
    "ResnetkitError",
    "analyze",
    "compare",
    "create_model",
    "describe",
    "evaluate",
    "explain",
    "list_models",
    "load_weights",
    "open_classifier",
    "open_predictor",
    "predict",
    "push",
    "resume",
    "run_study",
    "train",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562), so that importing the package is instant."""
    if name not in _HOMES:
        raise AttributeError(f"module 'resnetkit' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
