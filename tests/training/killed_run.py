"""A training by its command that is killed on the way, as by `kill -9` or a power cut.

`python -m tests.training.killed_run STEP train ...` ends itself with SIGKILL before that step.
"""

import os
import signal
import sys

from training.__main__ import main
from training.step import AdversarialStep


def kill_before(kill_step):
    """Let every training in this process be killed before a step."""
    run = AdversarialStep.run

    def run_or_kill(engine, step, draw_real):
        if step == kill_step:
            os.kill(os.getpid(), signal.SIGKILL)
        return run(engine, step, draw_real)

    AdversarialStep.run = run_or_kill


if __name__ == "__main__":
    kill_before(int(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
