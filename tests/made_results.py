"""Results as the toolkit writes them, of a smooth moving pattern and systems with errors of known size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from reports.frames import pixels_of
from reports.records import Group, read_groups, sha256_of

SIDE, FRAMES, CLIPS = 32, 9, 4
SYSTEMS = {"blend": 20, "flow": 8, "mardini": 12, "mardini-guidance0": 16}
"""Amplitude of each system's error, in levels; times the number of the clip, so that the last clip is the worst."""


def true_clip(number: int) -> np.ndarray:
    """A smooth pattern that moves: ``uint8`` (9, 32, 32, 3)."""
    time_, y, x = np.meshgrid(np.arange(FRAMES), np.arange(SIDE), np.arange(SIDE), indexing="ij")
    waves = [np.sin((x + (number + 1) * time_) / 4 + c) + np.cos(y / (3 + c)) for c in range(3)]
    return np.round(127 + 45 * np.stack(waves, axis=-1)).astype(np.uint8)


def made_clip(truth: np.ndarray, number: int, system: str, given: tuple[int, ...]) -> np.ndarray:
    """The true clip with errors in the frames that were not given."""
    random = np.random.default_rng([number, len(system)])
    error = random.normal(0, SYSTEMS[system] * (1 + number), truth.shape)
    clip = np.clip(truth + error, 0, 255).astype(np.uint8)
    clip[list(given)] = truth[list(given)]
    return clip


def save(path: Path, frames: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, frames=frames)


def make_group(
    results: Path, task: str = "interpolation", given: tuple[int, ...] = (0, 8), dataset: str = "synthetic"
) -> None:
    """Records, per-clip rows and frames of four systems on four clips, as the toolkit writes them."""
    generated = [frame for frame in range(FRAMES) if frame not in given]
    clips = {f"synth/{number:05d}": true_clip(number) for number in range(CLIPS)}
    folder = results / task / f"{dataset}-{task}-v1"
    for clip, frames in clips.items():
        save(folder / "_reference" / "predictions" / f"{clip}.npz", frames)
    pixels = sha256_of(part for clip, frames in clips.items() for part in (clip, pixels_of(frames)))
    for system in SYSTEMS:
        rows = []
        for number, (clip, truth) in enumerate(clips.items()):
            frames = made_clip(truth, number, system, given)
            save(folder / system / "predictions" / f"{clip}.npz", frames)
            errors = np.mean((frames.astype(float) - truth)[generated] ** 2, axis=(1, 2, 3))
            psnr = (10 * np.log10(255**2 / errors)).tolist()
            ssim = [value / 60 for value in psnr]
            scores = {"psnr_all": float(np.mean(psnr)), "psnr_clip": float(np.mean(psnr))}
            scores |= {"ssim_vidim_all": float(np.mean(ssim))}
            if task == "interpolation":
                scores["ssim_vidim_mid"] = ssim[generated.index(4)]
            rows.append(
                {
                    "clip": clip,
                    "source": clip,
                    "tags": ["rotation", "zoom"][: number % 3],
                    "prediction": pixels_of(frames),
                    "scores": scores,
                    "frames": {"psnr": psnr, "ssim_vidim": ssim},
                }
            )
        entries = {
            name: {
                "value": float(np.mean([row["scores"][name] for row in rows])),
                "low": None,
                "high": None,
                "n": CLIPS,
                "interval": "percentile bootstrap over sources",
                "higher_is_better": True,
                "decimals": 2 if name.startswith("psnr") else 4,
                "metric": {"name": name.split("_")[0], "version": "1", "variant": {}, "weights": {}},
            }
            for name in rows[0]["scores"]
        }
        data = {"name": dataset, "pixels_sha256": pixels, "clips": CLIPS, "sources": CLIPS, "limit": None}
        record = {
            "task": task,
            "variant": system,
            "described": {"system": system},
            "protocol": f"{dataset}-{task}/v1",
            "frames": {"clip": FRAMES, "given": list(given), "generated": generated, "middle": 4},
            "dataset": {**data, "fps": 24.0},
            "seed": 3,
            "predictions_sha256": sha256_of(
                part for row in rows for part in (row["clip"], row["prediction"])
            ),
            "metrics": entries,
            "environment": {"commit": "0123456789ab", "packages": {"numpy": "2.0"}},
        }
        record["frames"] |= {"size": [SIDE, SIDE], "middle": 4 if task == "interpolation" else None}
        (folder / system / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / system / "record.json").write_text(json.dumps(record))


def group_of(results: Path, task: str = "interpolation") -> Group:
    (group,) = (group for group in read_groups([results]) if group.task == task)
    return group
