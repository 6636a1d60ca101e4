"""Evaluation protocols: which frames are given, which are asked for, at what size. Frozen and versioned.

A protocol's version changes whenever any number computed under it could change; records carry it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Protocol:
    """One way to turn a dataset into an interpolation task.

    Attributes:
        name: ``<dataset>-<number of generated frames>``.
        version: ``v1``, ``v2`` ...
        frames: frames of a clip, given ones included.
        given: indices (0-based) of the frames a system is shown, ascending.
        size: (height, width) in pixels at which all systems are scored; ``None``: as the clips are.
        features: which detectors are used when the user does not say: ``pretrained`` or ``random``.
        source: where the protocol is defined.
    """

    name: str
    version: str
    frames: int
    given: tuple[int, ...]
    size: tuple[int, int] | None
    features: str
    source: str

    @property
    def id(self) -> str:
        """``name/version``, as records print it."""
        return f"{self.name}/{self.version}"

    @property
    def targets(self) -> tuple[int, ...]:
        """Indices of the frames to generate."""
        return tuple(i for i in range(self.frames) if i not in self.given)

    @property
    def middle(self) -> int:
        """Index of the middle frame (0-based 4 of 9: the "5th frame" of VIDIM-Bench and MarDini)."""
        return self.frames // 2


VIDIM = "VIDIM-Bench (Jain et al. 2024, arXiv:2404.01203), as used by MarDini (arXiv:2410.20280, appendix D)"

PROTOCOLS: dict[str, Protocol] = {
    protocol.id: protocol
    for protocol in (
        Protocol("davis-7", "v1", 9, (0, 8), (256, 256), "pretrained", VIDIM + ", DAVIS-7 script"),
        Protocol("vidim-7", "v1", 9, (0, 8), None, "pretrained", VIDIM + ", the samples on its web site"),
        Protocol("folder-7", "v1", 9, (0, 8), None, "pretrained", "any folder of clips, cut as DAVIS-7"),
        Protocol(
            "synthetic-7", "v1", 9, (0, 8), (128, 128), "random", "mardini.synthetic, seeded procedural video"
        ),
    )
}
