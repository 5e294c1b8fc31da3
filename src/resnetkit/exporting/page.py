"""The page of a proof."""

from __future__ import annotations

from resnetkit.exporting.proof import Proof
from resnetkit.exporting.targets import Target
from resnetkit.pages.templates import fill_template


def render_proof(proof: Proof, name: str, target: Target) -> str:
    """One self-contained HTML page; all names in it are escaped."""
    return fill_template("exporting/proof.html.jinja", proof=proof, title=name, target=target)
