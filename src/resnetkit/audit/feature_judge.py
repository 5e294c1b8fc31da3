"""Labels judged by what one network sees: its features, and linear heads fitted to the labels of other images."""

from __future__ import annotations

import numpy as np

from resnetkit.audit.features import Features
from resnetkit.audit.label_judgement import Judgement, judge_labels
from resnetkit.audit.subject import Subject
from resnetkit.images.types import Indices
from resnetkit.terminal import progress_bar


class FeatureJudge:
    """Judges labels by the features of the subject's network, which somebody has trained before."""

    def judge(self, subject: Subject) -> Judgement:
        """Judge all labels."""
        return judge_rows(subject, np.arange(len(subject)), subject.features)

    def told(self, subject: Subject) -> str:
        """Say who has judged, and how many of these images the network was taught."""
        told = "Each was judged by a linear head fitted to the labels of other images, on what the network sees."
        assert subject.embedder is not None
        seen = subject.embedder.seen
        num_trained_on = 0 if seen is None else int(np.count_nonzero(seen.trained_on(subject.digests)))
        if not num_trained_on:
            return told
        return (
            f"{told} The network was trained on {num_trained_on:,} of these {len(subject):,} images with the labels "
            "that they have, so it has learned to see them that way, and wrong ones among them are missed: judge by a "
            "network that has not met them, or by some that are trained for it (--train)."
        )


def judge_rows(subject: Subject, rows: Indices, features: Features) -> Judgement:
    """The labels of the images at some rows, by features ``(n, F)`` of these and by these alone."""
    labels, sets = subject.labels[rows], subject.sets[rows]
    with progress_bar("judging labels", len(rows), wanted=subject.progress) as advance:
        return judge_labels(features, labels, sets, len(subject.class_names), advance)
