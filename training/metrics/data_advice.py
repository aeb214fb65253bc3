"""The options that name a checkpoint's data set on the command line, for advice in messages."""

import itertools
import shlex

from training.checkpoint import CheckpointHeader

# What else decides which images there are, and what they and their labels are called.
CARRIED_FLAGS = ("--crop", "--max-images", "--title", "--terms", "--value-names")
PLACE_ADVICE = "with the place of the images as in its training"


def describe_data_options(header: CheckpointHeader) -> str:
    """Write the options that give the images a model learned, but for where they lie.

    What its header does not say is taken from the command it was trained with.
    """
    name = str(header.dataset.get("name", "DATA"))
    resolution, channels = header.model.img_resolution, header.model.img_channels
    words = ["--data", name, "--resolution", str(resolution), "--channels", str(channels)]
    return shlex.join([*words, *_list_carried(str(header.training.get("command", "")))])


def _list_carried(command: str) -> list[str]:
    """List the options of a training command that decide on the images, as --flag=value."""
    try:
        words = shlex.split(command)
    except ValueError:  # a header may say anything
        return []
    carried = []
    for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
        flag, equals, value = word.partition("=")
        if flag in CARRIED_FLAGS:
            carried.append(f"{flag}={value if equals else following}")
    return carried
