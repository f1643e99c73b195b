"""Are the right body parts said to touch the right things?"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ContactScore:
    """Precision and recall in percent, over (part, target) pairs."""

    precision: float
    recall: float


def contact_score(estimated: Iterable[tuple[str, str]], true: Iterable[tuple[str, str]]) -> ContactScore:
    """Compare sets of (part, target); an empty set has made no mistake: its precision (recall) is 100."""
    a, b = set(estimated), set(true)
    return ContactScore(
        precision=100 * len(a & b) / len(a) if a else 100.0,
        recall=100 * len(a & b) / len(b) if b else 100.0,
    )
