"""Presets: options that belong together; flags given on the command line win."""

from typing import Any

# A faster critic instead of more critic steps: two time scales (Heusel et al. 2017), with the
# penalty and layer norm of WGAN-GP. Clipping has no place beside them.
_TWO_TIME_SCALES: dict[str, Any] = {
    "critic_norm": "layer",
    "gp_weight": 10.0,
    "weight_clip": 0.0,
    "critic_steps": 1,
    "optimizer": "adam",
    "learning_rate_g": 2e-4,
    "learning_rate_d": 4e-4,
}
# A discriminator that sees images in other colours, places and parts (Zhao et al. 2020) cannot tell
# flat drawings from grainy fakes at once, as it does otherwise: DCGAN gains more from it than from
# spectral norm or a penalty, which it does not go together with.
_AUGMENTED: dict[str, Any] = {"diff_augment": "color,translation,cutout"}

PRESETS: dict[str, dict[str, Any]] = {
    # Shadab 2022; label_gan: Wachsmann 2017.
    "thesis": {"width": 64, "batch_size": 128, "critic_norm": "batch"},
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
    "dcgan": {"quick": _AUGMENTED, "best": _AUGMENTED},
    "label_gan": {
        "thesis": {"batch_size": 64, "critic_norm": "none"},
        "quick": {**_TWO_TIME_SCALES, **_SHARED_MEANING},
        "best": {**_TWO_TIME_SCALES, **_SHARED_MEANING},
    },
}
_OTHER_MODELS: dict[str, dict[str, Any]] = {"quick": _TWO_TIME_SCALES, "best": _TWO_TIME_SCALES}


def get_preset(name: str, model: str) -> dict[str, Any]:
    """Return the options of a preset for a model."""
    return {**PRESETS[name], **_MODEL_PRESETS.get(model, _OTHER_MODELS).get(name, {})}


def describe_presets() -> str:
    """Write what each preset means for every model, and for single ones beside that."""
    texts = []
    for name, shared in PRESETS.items():
        own = {model: values[name] for model, values in _MODEL_PRESETS.items() if name in values}
        if name in _OTHER_MODELS:
            own["other models"] = _OTHER_MODELS[name]
        parts = [f"{model}: {_format_options(values)}" for model, values in own.items()]
        texts.append("; ".join([f"{name}: {_format_options(shared)}", *parts]))
    return ". ".join(texts)


def _format_options(values: dict[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in values.items())
