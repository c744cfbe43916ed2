"""The kinds of jobs that learn."""

from __future__ import annotations

from labelwright.annotator.lane import carries
from labelwright.store import trainings
from labelwright.training import loop_job
from labelwright.training.evaluation_job import Evaluate
from labelwright.training.train_job import Train

carries(trainings.KIND, Train)
carries("evaluate", Evaluate)
carries(loop_job.KIND, loop_job.Play)
