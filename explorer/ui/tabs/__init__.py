"""The tabs: one file each, one line here."""

from collections.abc import Callable
from dataclasses import dataclass

from explorer.ui.context import AppContext, Page
from explorer.ui.tabs import compare, diagnose, interpolate, models, sample


@dataclass(frozen=True)
class Tab:
    """Register a tab: its title and the function that builds its widgets and events."""

    title: str
    build: Callable[[AppContext, Page], None]


TABS: dict[str, Tab] = {
    "sample": Tab("Sample", sample.build_tab),
    "interpolate": Tab("Interpolate", interpolate.build_tab),
    "compare": Tab("Compare", compare.build_tab),
    "diagnose": Tab("Diagnose", diagnose.build_tab),
    "models": Tab("Models", models.build_tab),
}
