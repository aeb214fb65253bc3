"""Failures a user can act on: what was found, what was expected and what to do."""


class ProjectError(Exception):
    """Report an expected failure; shown as one sentence, without a traceback."""


class ConfigError(ProjectError):
    """Report an option outside its range or an unknown name."""


class DatasetError(ProjectError):
    """Report a data set that is missing, empty or damaged."""


class CheckpointError(ProjectError):
    """Report a checkpoint or run folder that cannot be read or written."""


class MetricError(ProjectError):
    """Report a score that cannot be computed: no weights, no reference, too few samples."""


class TrainingError(ProjectError):
    """Report a training that cannot go on: non-finite loss, no space left."""


class DivergenceError(TrainingError):
    """Report numbers that are not finite: what was found, in which network, at which step."""

    def __init__(self, finding: str, network: str, step: int) -> None:
        super().__init__(finding)
        self.finding, self.network, self.step = finding, network, step
