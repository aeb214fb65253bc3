"""Presets: options that belong together; flags given on the command line win."""

from typing import Any

# A faster critic instead of more critic steps: two time scales (Heusel et al. 2017), with the
# penalty of WGAN-GP and, where there are feature maps, its layer norm.
_TWO_TIME_SCALES: dict[str, Any] = {
    "gp_weight": 10.0,
    "critic_steps": 1,
    "learning_rate_g": 2e-4,
    "learning_rate_d": 4e-4,
}
_BATCH_NORM: dict[str, Any] = {"critic_norm": "batch"}
_LAYER_NORM: dict[str, Any] = {"critic_norm": "layer"}
# A discriminator that sees images in other colours, places and parts (Zhao et al. 2020) cannot tell
# flat drawings from grainy fakes at once, as it does otherwise. DCGAN gains more from it than from
# anything else alone, and most with layer norm; with spectral norm it does not go together.
_AUGMENTED: dict[str, Any] = {**_LAYER_NORM, "diff_augment": "color,translation,cutout"}

PRESETS: dict[str, dict[str, Any]] = {
    # Shadab 2022; label_gan: Wachsmann 2017.
    "thesis": {"width": 64, "batch_size": 128},
    # A first result within minutes on a CPU.
    "quick": {"width": 32, "batch_size": 64, "steps": 2000},
    # What each model adds follows the table of docs/ABLATION.md: change it when that says so.
    "best": {"width": 64, "batch_size": 64},
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
    "sgan": {"quick": _TWO_TIME_SCALES, "best": _TWO_TIME_SCALES},
    "dcgan": {"thesis": _BATCH_NORM, "quick": _AUGMENTED, "best": _AUGMENTED},
    # A critic with clipped weights is all that this model is: nothing takes its place.
    "wgan": {},
    "wgan_gp": {
        "thesis": _BATCH_NORM,
        "quick": {**_LAYER_NORM, **_TWO_TIME_SCALES},
        "best": {**_LAYER_NORM, **_TWO_TIME_SCALES},
    },
    "label_gan": {
        "thesis": {"batch_size": 64},
        "quick": {**_LAYER_NORM, **_TWO_TIME_SCALES, **_SHARED_MEANING},
        "best": {**_LAYER_NORM, **_TWO_TIME_SCALES, **_SHARED_MEANING},
    },
}


def get_preset(name: str, model: str) -> dict[str, Any]:
    """Return the options of a preset for a model."""
    return {**PRESETS[name], **_MODEL_PRESETS.get(model, {}).get(name, {})}


def describe_presets() -> str:
    """Write what each preset means for every model, and for some of them beside that."""
    texts = []
    for name, shared in PRESETS.items():
        takers: dict[str, list[str]] = {}
        for model, presets in _MODEL_PRESETS.items():
            for key, value in presets.get(name, {}).items():
                takers.setdefault(_format_option(key, value), []).append(model)
        groups: dict[str, list[str]] = {}
        for text, models in takers.items():
            groups.setdefault(", ".join(models), []).append(text)
        parts = [", ".join(_format_option(key, value) for key, value in shared.items())]
        parts += [f"{models}: {', '.join(options)}" for models, options in groups.items()]
        texts.append(f"{name}: {'; '.join(parts)}")
    return ". ".join(texts)


def _format_option(key: str, value: Any) -> str:
    words = key.removeprefix("has_").replace("_", " ")
    return words if value is True else f"{words} {value}"
