"""Learning-rate schedules as they are written down in a file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from empirical.train.configuration import FrozenModel
from scaling_theory.schedule import Schedule, ScheduleName

Share = Annotated[float, Field(ge=0, le=1)]


class ScheduleConfig(FrozenModel):
    """The settings of `scaling_theory.schedule.Schedule`, checked at the edge."""

    name: ScheduleName = "constant"
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    decay_share: Share = 0.2
    final_share: Share = 0.0

    @property
    def shape(self) -> Schedule:
        """The schedule itself."""
        return Schedule(self.name, self.warmup_share, self.decay_share, self.final_share)
