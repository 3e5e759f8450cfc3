"""Gives road users an identity over time: Roboflow's `trackers`, on capture time.

Which algorithm, and why: docs/performance.md, section Trackers (scripts/bench_trackers.py).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import supervision as sv
import trackers
from trackers.utils.state_representations import XCYCWHStateEstimator

from pipeline.perception.meetings import Meetings

LOST_S = 1.5
"""A road user that is not seen for this long gets a new identity when it appears again."""

_BACKWARDS_S = 1.0
"""A clock that steps back further than this starts a new time line."""
_TICK_S = 0.001
_NOISE_HZ = 9.0
"""The library's noise of motion is that of one frame, at whatever rate it is told. At 9 frames a second a
speed wanders by half a box size a second within a second, whatever the rate of analysis."""
_NEW_SPEED = 4.0
"""Times the library's uncertainty about a newcomer's speed. That of 9 frames a second is half a box size a
second, as if whoever comes stood: a rider at 12 m/s covers six of its lengths in one."""
_NEW_REACH = 0.3
"""By this share of their size a newcomer's box and what may be its second one are widened on each side: at 6
pictures a second a rider who passes across the view at 12 m/s leaves no overlap."""
_WIDENED = trackers.BIoU(_NEW_REACH)


class Algorithm(Protocol):
    """What is used of an algorithm of `trackers`."""

    def update(
        self, detections: sv.Detections, frame: None = None, timestamp: float | None = None
    ) -> sv.Detections:
        """Set `tracker_id`, -1 where there is none (yet)."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...


class _Motion(XCYCWHStateEstimator):
    """A box's place, size and their speeds; a newcomer may be fast."""

    def set_kf_covariances(
        self,
        measurement_noise: npt.NDArray[np.float64] | None = None,
        process_noise: npt.NDArray[np.float64] | None = None,
        state_covariance: npt.NDArray[np.float64] | None = None,
    ) -> None:
        """As the library's; `state_covariance` is that of a newcomer."""
        if state_covariance is not None:
            state_covariance = state_covariance.copy()
            across_and_down = self._VEL_IDX[:2]
            state_covariance[across_and_down, across_and_down] *= _NEW_SPEED**2
        super().set_kf_covariances(measurement_noise, process_noise, state_covariance)


class _BoTSORT(trackers.BoTSORTTracker):
    """Looks further around newcomers, whose speed is not known."""

    def _get_iou_matrix(
        self,
        tracklets: list[Any],
        detections: npt.NDArray[np.float32],
        tracklet_boxes_by_id: dict[int, npt.NDArray[np.float64]],
    ) -> npt.NDArray[np.float64]:
        """The library's, which asks for all that are known, and for all newcomers."""
        if not tracklets or any(one.tracker_id != -1 for one in tracklets):
            return super()._get_iou_matrix(tracklets, detections, tracklet_boxes_by_id)
        boxes = np.array([tracklet_boxes_by_id[id(one)] for one in tracklets])
        overlap: npt.NDArray[np.float64] = _WIDENED.compute(boxes, detections)
        return overlap


def bot_sort(confidence: float, lost_s: float = LOST_S) -> Algorithm:
    """BoT-SORT (Aharon et al., 2022) without camera motion: traffic cameras stand still."""
    algorithm: Algorithm = _BoTSORT(
        # The library counts the buffer in frames at 30 a second, and in seconds once it is given times.
        lost_track_buffer=round(lost_s * 30),
        frame_rate=_NOISE_HZ,
        track_activation_threshold=confidence,
        high_conf_det_threshold=confidence,
        minimum_consecutive_frames=2,
        # Association multiplies overlap by confidence, and a small detector's riders have 0.3 of it.
        minimum_iou_threshold_first_assoc=0.07,
        minimum_iou_threshold_second_assoc=0.3,
        minimum_iou_threshold_unconfirmed_assoc=0.05,
        instant_first_frame_activation=False,
        enable_cmc=False,
        state_estimator_class=_Motion,
    )
    return algorithm


class Tracker:
    """One camera's identities. They are never used twice, not even after `reset`."""

    def __init__(self, algorithm: Algorithm) -> None:
        self._algorithm = algorithm
        self._meetings = Meetings()
        self._first_id = 1
        self._next_id = 1
        self._last_s: float | None = None

    def reset(self) -> None:
        """Start anew: whoever comes now is somebody else."""
        self._algorithm.reset()
        self._meetings.reset()
        self._first_id = self._next_id
        self._last_s = None

    def update(self, users: sv.Detections, time_s: float) -> sv.Detections:
        """The users of this moment that have an identity, with `tracker_id` set.

        Association is blind to classes: one motorbike is a person in one frame and a motorbike in the next.
        """
        if self._last_s is not None and time_s <= self._last_s - _BACKWARDS_S:
            self.reset()
        # Cameras repeat timestamps; the algorithms skip the motion of such a frame, so time creeps on.
        if self._last_s is not None:
            time_s = max(time_s, self._last_s + _TICK_S)
        self._last_s = time_s
        tracked = self._algorithm.update(users, timestamp=time_s)
        ids = np.asarray(tracked.tracker_id, np.intp)
        known = tracked.select(ids >= 0)
        numbers = ids[ids >= 0] + self._first_id
        self._next_id = max(self._next_id, int(numbers.max(initial=0)) + 1)
        known.tracker_id = self._meetings.identify(numbers, known.xyxy.astype(np.float32), time_s)
        return known
