"""Labels that are probably wrong, by what a network sees in the images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from resnetkit.audit.findings import Finding, Mark
from resnetkit.audit.label_judgement import Judgement
from resnetkit.audit.subject import Subject
from resnetkit.pages.formatting import plain_percent
from resnetkit.terminal import first_few, quoted

COLUMNS = ("rank", "path", "split", "label", "suggested", "label_probability", "suggested_probability", "is_suspect")
SHOWN_PAIRS = 3


def find_label_issues(subject: Subject) -> Iterator[Finding]:
    """Look for labels that heads which were fitted to other images do not believe."""
    judgement = subject.judgement
    suspects = judgement.ranked[judgement.is_suspect[judgement.ranked]].tolist()
    if suspects:
        yield Finding(
            "label_issues",
            "warning",
            "Labels that are probably wrong",
            len(suspects),
            _tell(subject, judgement, suspects),
            _advise(subject),
            tuple(_mark(subject, judgement, row) for row in suspects),
        )


def label_rows(subject: Subject) -> Iterator[tuple[str, ...]]:
    """Yield a row of :data:`COLUMNS` for each image whose label was judged, the most doubtful first."""
    judgement = subject.judgement
    for rank, row in enumerate(judgement.ranked.tolist(), start=1):
        suggested = judgement.suggested[row]
        yield (
            str(rank),
            subject.identifiers[row],
            subject.split_of(row),
            subject.class_of(row),
            subject.class_names[suggested],
            f"{judgement.given[row]:.6f}",
            f"{judgement.probabilities[row, suggested]:.6f}",
            "true" if judgement.is_suspect[row] else "false",
        )


def _tell(subject: Subject, judgement: Judgement, suspects: list[int]) -> str:
    names, num_judged = subject.class_names, int(judgement.is_judged.sum())
    pairs = Counter((int(judgement.labels[row]), int(judgement.suggested[row])) for row in suspects)
    told = [
        f"{quoted(names[one])} that look like {quoted(names[other])} ({count:,})"
        for (one, other), count in pairs.most_common()
    ]
    verb = "label is" if len(suspects) == 1 else "labels are"
    return f"{len(suspects):,} of {num_judged:,} {verb} probably wrong: {first_few(told, SHOWN_PAIRS)}"


def _advise(subject: Subject) -> str:
    """Tell what to do, and what the judgement does not know."""
    assert subject.label_judge is not None
    return (
        "Look at them, the first ones first: some are right, and rare. Wrong labels that look like their class are not "
        f"found. {subject.label_judge.told(subject)}"
    )


def _mark(subject: Subject, judgement: Judgement, row: int) -> Mark:
    suggested = int(judgement.suggested[row])
    note = (
        f"{quoted(subject.class_of(row))} ({plain_percent(judgement.given[row], 0)}), rather "
        f"{quoted(subject.class_names[suggested])} ({plain_percent(judgement.probabilities[row, suggested], 0)})"
    )
    return Mark(row, None, note, 1 - float(judgement.given[row]), suggested)
