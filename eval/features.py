"""What distances of sets need of a clip: its features by every detector, computed once and kept on disk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from eval.datasets.base import Clip
from eval.pending import Pending
from eval.results import FeatureCache, Store


class Seen(NamedTuple):
    """Frames whose features are wanted: where they are kept, of which clip, the frames' hash, and they themselves."""

    store: Store
    clip_id: str
    of: str
    frames: np.ndarray


class Extraction:
    """Completes the features of a run's clips; what is on disk already is not computed again."""

    def __init__(self, pending: Pending) -> None:
        self.pending, self.metrics, self.protocol = pending, pending.metrics, pending.protocol
        self.reference, self.pixels = pending.reference, pending.pixels
        self.cache = FeatureCache()

    def of_true_clips(self, clips: Sequence[Clip], frames: Mapping[str, np.ndarray]) -> None:
        """Features of true clips, computed unless some run on this machine has done so before."""
        wanted = [
            Seen(self.reference, clip.id, self.pixels.known[clip.id], frames[clip.id]) for clip in clips
        ]
        for seen in wanted:
            keys = self.pending.feature_keys(seen.of)
            if (
                not self.pending.run.force
                and self.pending.sets(*seen[:3])
                and (kept := self.cache.load(seen.of, keys))
            ):
                self.reference.save_features(seen.clip_id, kept, keys)
        for seen, seconds in zip(wanted, self.of(wanted), strict=True):
            if seconds:
                keys = self.pending.feature_keys(seen.of)
                self.cache.save(seen.of, self.reference.load_features(seen.clip_id, keys), keys)

    def of(self, wanted: Sequence[Seen]) -> list[dict[str, float]]:
        """Compute and save what is missing of the features of some clips; the seconds that each took, by metric."""
        spent: list[dict[str, float]] = [{} for _ in wanted]
        lost = [self.pending.sets(*seen[:3]) for seen in wanted]
        arrays: list[dict[str, np.ndarray]] = [{} for _ in wanted]
        for metric in self.metrics.extractors:
            places = [place for place, missing in enumerate(lost) if metric in missing]
            if not places:
                continue
            began = time.perf_counter()
            clips = [wanted[place].frames for place in places]
            found = metric.features(clips, self.protocol.targets, self.protocol.middle)
            seconds = (time.perf_counter() - began) / len(places)
            for place, features in zip(places, found, strict=True):
                arrays[place] |= features
                spent[place][metric.name] = seconds
        for seen, features in zip(wanted, arrays, strict=True):
            if features:
                seen.store.save_features(seen.clip_id, features, self.pending.feature_keys(seen.of))
        return spent
