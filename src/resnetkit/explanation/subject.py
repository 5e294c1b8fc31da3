"""The subject of an explanation: a classifier as methods see it, and the question that is asked of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.decision import Decision, Logits
from resnetkit.classifier.engine import Engine
from resnetkit.classifier.views import iter_views, view_logits
from resnetkit.explanation.explanation import Heat
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import UInt8Images
from resnetkit.machine.device import exact_float32
from resnetkit.models.resnet import ResNet

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Question:
    """Question why it is this class, or this class rather than that one. All methods explain one number, the score.

    Attributes:
        answer: position of the class.
        against: position of the other class; None: of none in particular.
        layer: the feature map to read, for methods that read one.
    """

    answer: int
    against: int | None
    layer: str

    def score(self, logits: Tensor) -> Tensor:
        """Scores ``(N,)`` of logits ``(N, K)``: the class's logit, or what it is above the other's."""
        own = logits[:, self.answer]
        return own if self.against is None else own - logits[:, self.against]


@dataclass(frozen=True)
class Subject:
    """A classifier whose answers are explained.

    Attributes:
        network: with the classifier's own tensors, none of which asks for a gradient; see :func:`without_gradients`.
        engine: what computes many answers fast.
    """

    network: ResNet
    preprocessing: Preprocessing
    decision: Decision
    engine: Engine

    @classmethod
    def of(cls, classifier: Classifier, engine: Engine) -> Subject:
        """Explain a classifier, which is left as it is, with an engine that was opened for it."""
        network = without_gradients(classifier.network)
        return cls(network, classifier.preprocessing, classifier.decision, engine)

    def views(self, pixels: UInt8Images) -> Tensor:
        """The views ``(V, C, S, S)`` of a prepared image: itself and, where the classifier averages over it, its mirror
        image.
        """
        weight = next(self.network.parameters())
        images = torch.from_numpy(pixels[None]).to(weight.device)
        return torch.cat(list(iter_views(images, self.preprocessing))).to(weight.dtype)

    def logits(self, pixels: UInt8Images) -> Logits:
        """The network's own logits ``(1, V, K)`` for a prepared image."""
        weight = next(self.network.parameters())
        with torch.no_grad():
            images = torch.from_numpy(pixels[None]).to(weight.device)
            answer: Logits = (
                view_logits(lambda view: self.network(view.to(weight.dtype)), images, self.preprocessing).cpu().numpy()
            )
        return answer

    def scores(self, question: Question, squares: UInt8Images) -> Scores:
        """Score many prepared images ``(N, C, S, S)`` by the engine: ``(N,)``, probabilities of the class in [0, 1].

        Asked for a class against another, the difference of their logits, the mean of the views'.
        """
        logits = self.engine.logits(squares)
        if question.against is None:
            return self.decision.probabilities(logits)[:, question.answer].astype(np.float64)
        exact = logits.astype(np.float64).mean(1)
        difference: Scores = exact[:, question.answer] - exact[:, question.against]
        return difference

    def merge(self, maps: Tensor) -> Heat:
        """The map ``(S, S)`` of an image from those of its views ``(V, S, S)``: the mirror image's is turned back."""
        if len(maps) > 1:
            maps = (maps[:1] + maps[1:].flip(2)) / 2
        merged: Heat = maps[0].detach().float().cpu().numpy()
        return merged


def without_gradients(network: ResNet) -> ResNet:
    """The same network in evaluation mode, of the same tensors, none of which asks for a gradient.

    The given one stays as it is, and other threads may use it meanwhile.
    """
    shared: dict[int, object] = {id(buffer): buffer for buffer in network.buffers()}
    shared |= {id(weight): nn.Parameter(weight.detach(), requires_grad=False) for weight in network.parameters()}
    return copy.deepcopy(network, shared).eval()


@contextmanager
def _recording() -> Iterator[None]:
    """Gradients are recorded here, whatever the caller has turned off."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def gradient_of(score: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """The gradient of each row's score ``(N,)`` by that row of ``values`` ``(N, …)``; rows must not mix."""
    with _recording(), exact_float32(values.device):
        leaf = values.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(score(leaf).sum(), leaf)
    return gradient
