"""The options of a model that learns labels: which, and how its predictor is taught."""

from dataclasses import dataclass

from training.options import option
from training.read_augment import READ_AUGMENTATIONS

PREDICTOR_DATA = ("fake", "real", "both")


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Hold the options of label_gan; other models take no notice of them."""

    labels: str = option(
        "",
        "labels that label_gan learns, with commas, and their kind where it is not to be guessed, "
        "such as gender,age:number; none given: all of the data set",
        kind=str,
        term="labels",
    )
    predictor_layer: int = option(
        2,
        "label_gan's predictor reads the labels after so many convolutions of the critic; 0: off "
        "the image itself",
        kind=int,
        low=0,
        high=8,
        term="predictor after convolutions",
        source="Wachsmann 2017",
    )
    predictor_weight: float = option(
        1.0,
        "weight, in the generator's loss, of how badly the predictor reads the labels",
        low=0.0,
        high=1e4,
        term="weight of the predictor's loss",
        source="Wachsmann 2017",
    )
    predictor_data: str = option(
        "fake",
        "images the predictor learns from: fake (with the labels asked for), real, or both",
        kind=str,
        choices=PREDICTOR_DATA,
        term="predictor's images",
    )
    predictor_noise: float = option(
        0.0,
        "deviation of the noise added to what the predictor reads, where images are in [-1, 1]",
        low=0.0,
        high=2.0,
        term="noise before the predictor",
        source="Wachsmann 2017",
    )
    predictor_augment: str = option(
        "",
        "change what the predictor reads, differentiably: any of "
        f"{','.join(READ_AUGMENTATIONS)}, with commas",
        kind=str,
        term="augmentation before the predictor",
    )
    predictor_moves_critic: bool = option(
        False,
        "let the critic's convolutions before the predictor learn from its loss as well, as in an "
        "auxiliary classifier GAN",
        kind=bool,
        term="critic moved by the predictor",
        source="Odena et al. 2017",
    )
    has_projection: bool = option(
        False,
        "let label_gan's critic judge how well images fit their labels, by projection",
        kind=bool,
        flag="--projection",
        term="projection of the labels in the critic",
        source="Miyato and Koyama 2018",
    )
