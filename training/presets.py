"""Presets: options that belong together; flags given on the command line win."""

from typing import Any

# A faster critic instead of more critic steps: two time scales (Heusel et al. 2017). The penalty
# and layer norm are for DCGAN too: without them, a discriminator of batch norms tells flat drawings
# from grainy fakes at once, and DCGAN learns nothing from it. Clipping has no place beside them.
_TWO_TIME_SCALES: dict[str, Any] = {
    "critic_norm": "layer",
    "gp_weight": 10.0,
    "weight_clip": 0.0,
    "critic_steps": 1,
    "optimizer": "adam",
    "learning_rate_g": 2e-4,
    "learning_rate_d": 4e-4,
}

PRESETS: dict[str, dict[str, Any]] = {
    # Shadab 2022; label_gan: Wachsmann 2017.
    "thesis": {"width": 64, "batch_size": 128, "critic_norm": "batch", "score_every": 500},
    # A first result within minutes on a CPU.
    "quick": {
        "width": 32,
        "batch_size": 64,
        "steps": 2000,
        **_TWO_TIME_SCALES,
    },
    # The values follow the table of docs/ABLATION.md: change them when it says otherwise.
    "best": {"width": 64, "batch_size": 64, **_TWO_TIME_SCALES},
}
# Real images give labels their meaning: a predictor that learns from generated ones may agree with
# the generator on a code of their own. A critic that knows the labels asks for them, too. The table
# of docs/LABELS.md says how much that is.
_SHARED_MEANING: dict[str, Any] = {
    "predictor_data": "real",
    "has_projection": True,
}
# What a model has of its own in a preset. Wachsmann's critic has no normalisation.
_MODEL_PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "label_gan": {
        "thesis": {"batch_size": 64, "critic_norm": "none"},
        "quick": _SHARED_MEANING,
        "best": _SHARED_MEANING,
    },
}


def get_preset(name: str, model: str) -> dict[str, Any]:
    """Return the options of a preset for a model."""
    return {**PRESETS[name], **_MODEL_PRESETS.get(model, {}).get(name, {})}
