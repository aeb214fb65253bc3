"""What the controls of the tabs hold reaches what is drawn: truncation and path."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import numpy as np
import torch

from explorer.latents import interpolate_lerp
from explorer.ui.encoding import encode_sprite
from explorer.ui.stills import build_frame_renderer
from explorer.ui.tabs import compare, interpolate, sample
from tests.explorer.ui.live_app import LiveApp
from tests.explorer.ui.test_values import decode


def draw(app: LiveApp, tab: ModuleType, **values: Any) -> Any:
    """Call the function that a tab draws with, as the page does; controls go by their labels.

    Those that no value is given for keep what they begin with.
    """
    events = [
        event
        for event in app.demo.fns.values()
        if event.fn and event.fn.__module__ == tab.__name__ and event.fn.__name__ == "draw"
    ]
    controls = events[0].inputs
    labels = [getattr(control, "label", None) for control in controls]
    assert set(values) <= set(labels)
    found = [
        values.get(str(label), getattr(control, "value", None))
        for label, control in zip(labels, controls, strict=True)
    ]
    assert events[0].fn is not None
    return events[0].fn(*found)


def test_sample_draws_with_its_truncation(live: LiveApp) -> None:
    sheet = draw(live, sample, **{"Model": "one", "How many seeds": 3, "Truncation": 0.5})
    found = [decode(frame["src"]) for frame in sheet["frames"]]
    np.testing.assert_array_equal(found, live.sampler.sample_seeds("one", range(3), 0.5))
    assert sheet["truncation"] == 0.5


def test_compare_draws_with_its_truncation(live: LiveApp) -> None:
    options = {"Seeds, such as 1, 5, 9-12": "4,6", "Truncation": 0.5}
    sheets = draw(live, compare, Models=["two", "one"], **options)
    for name, column in zip(("two", "one"), sheets["columns"], strict=True):
        found = [decode(frame) for frame in column["frames"]]
        np.testing.assert_array_equal(found, live.sampler.sample_seeds(name, [4, 6], 0.5))


def test_interpolate_draws_its_path_with_its_truncation(live: LiveApp) -> None:
    options = {"Model": "one", "Seed A": 4, "Seed B": 9, "Path": "lerp", "Truncation": 0.5}
    morph = draw(live, interpolate, **options)
    ends = live.sampler.make_latents("one", [4, 9], 0.5)
    path = torch.stack([interpolate_lerp(*ends, step / 60) for step in range(61)])
    assert morph["sprite"] == encode_sprite(live.sampler.sample_images("one", path))
    # A seed on the way lies in the middle of it.
    way = draw(live, interpolate, **{**options, "Through seeds, such as 5, 9-12": "7"})
    assert (way["stops"], way["request"]["seeds"]) == (["4", "7", "9"], (4, 7, 9))
    assert (way["kind"], way["count"]) == ("seed", 61)
    # With what it is told of the path, the page asks for the exact frame.
    request = json.loads(json.dumps({**morph["request"], "t": 0.25}))
    frame = decode(build_frame_renderer(live.context)(request)["src"])
    np.testing.assert_array_equal(frame, live.sampler.sample_images("one", path[15:16])[0])
