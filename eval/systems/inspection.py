"""What is wrong with a folder of predictions, all of it, before anything is scored.

One logic for the runner, which refuses a folder with errors, and for ``python -m eval.check``, which lists them and
the warnings. Images, arrays and videos are read by their headers; pixels are looked at in one frame of a clip, and in
all of a clip only where that frame is suspicious, or the values are floats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mardini.errors import UserError

SHOWN = 5  # offenders named in a refusal
ARRAY_SUFFIXES = (".npy", ".npz")

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Kind:
    """A kind of finding: whether it stops a run, and what it means and asks for, ``{n}`` being how many there are."""

    severity: Severity
    sentence: str


KINDS: dict[str, Kind] = {
    "missing": Kind(
        "error",
        "{n} of {clips} clips are missing: each needs a folder of images, .npy, .npz or video named by its id, '/' "
        "kept as folders or replaced by '_'",
    ),
    "surplus": Kind(
        "error", "{n} entries belong to no clip of the dataset: remove them, or name them by clip id"
    ),
    "ambiguous": Kind("error", "{n} clips match no single entry: keep one entry per clip"),
    "unreadable": Kind("error", "{n} of {clips} clips cannot be read: write them again"),
    "length": Kind(
        "error",
        "{n} of {clips} clips have a wrong length: give {frames} frames (all) or {targets} (the generated ones)",
    ),
    "size": Kind("error", "{n} of {clips} clips have a wrong size: give frames in the size of the clip"),
    "depth": Kind("error", "{n} clips have 16 bits a channel: write 8-bit images"),
    "range": Kind("error", "{n} clips are no uint8, nor floats in [0, 1]: scale and convert them"),
    "unscaled": Kind(
        "error", "all {n} clips hold no value above 1, as if [0, 1] were stored: multiply by 255"
    ),
    "lossy": Kind(
        "warning", "{n} clips are coded with loss, which lowers their scores: write PNG, .npy, .npz or FFV1"
    ),
    "dark": Kind(
        "warning", "{n} clips are black, or hold no value above 1: look at them, are they meant so?"
    ),
    "alpha": Kind("warning", "{n} clips have an alpha channel, which is dropped"),
    "grey": Kind("warning", "{n} clips are grey, read as three equal channels"),
    "float": Kind("warning", "{n} clips are floats, rounded to 8 bits when read"),
    "capitals": Kind(
        "warning",
        "{n} clips have suffixes in capitals: fine here, but other tools (pytorch-fid) leave such files out silently",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: a key of ``KINDS``, the clip (or entry) it is about, and what was found there."""

    kind: str
    where: str
    detail: str = ""

    @property
    def severity(self) -> Severity:
        return KINDS[self.kind].severity

    def __str__(self) -> str:
        return f"{self.where} {self.detail}".strip()


def find_entries(folder: Path) -> list[Path]:
    """Folders that hold images, and array or video files, below ``folder``, sorted; hidden ones left out.

    Raises:
        UserError: ``folder`` is none.
    """
    from mardini.image import IMAGE_SUFFIXES
    from mardini.video import VIDEO_SUFFIXES

    if not folder.is_dir():
        raise UserError(f"predictions: {folder} is not a folder: give one with an entry per clip")
    entries: set[Path] = set()
    for file in folder.rglob("*"):
        if file.is_dir() or any(part.startswith(".") for part in file.relative_to(folder).parts):
            continue
        suffix = file.suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            entries.add(file.parent)
        elif suffix in VIDEO_SUFFIXES or suffix in ARRAY_SUFFIXES:
            entries.add(file)
    return sorted(entries)


def pair(
    folder: Path, clip_ids: Sequence[str], limited: bool = False
) -> tuple[dict[str, Path], list[Path], list[Finding]]:
    """Match the entries of a folder to clips by name, strictly.

    Args:
        folder: holds one entry per clip.
        clip_ids: the clips to be scored.
        limited: only a part of the dataset is scored, so surplus entries are no mistake.

    Returns:
        Clip id -> entry, the surplus entries, and what is wrong (``missing``, ``ambiguous``, ``surplus``).
    """
    entries = find_entries(folder)
    by_name: dict[str, list[Path]] = {}
    for entry in entries:
        relative = entry.relative_to(folder)
        by_name.setdefault((relative if entry.is_dir() else relative.with_suffix("")).as_posix(), []).append(
            entry
        )
    found: dict[str, Path] = {}
    used: set[Path] = set()
    findings = []
    for clip_id in clip_ids:
        candidates = [entry for key in {clip_id, clip_id.replace("/", "_")} for entry in by_name.get(key, [])]
        if not candidates:
            findings.append(Finding("missing", clip_id))
        elif len(candidates) > 1 or candidates[0] in used:
            names = " and ".join(sorted(str(entry.relative_to(folder)) for entry in candidates))
            findings.append(Finding("ambiguous", clip_id, f"is {names}"))
        else:
            found[clip_id] = candidates[0]
        used.update(candidates)
    surplus = [entry for entry in entries if entry not in used]
    if not limited:
        findings += [Finding("surplus", str(entry.relative_to(folder))) for entry in surplus]
    return found, surplus, findings


def inspect_all(
    entries: Mapping[str, Path],
    expected: Callable[[str], tuple[int, int]],
    lengths: tuple[int, int],
    title: str = "check",
) -> list[Finding]:
    """What is wrong with the entries themselves.

    Args:
        entries: clip id -> entry.
        expected: clip id -> (height, width).
        lengths: frames of a whole clip, and of its generated frames alone.
        title: of the progress bar, which appears after two seconds.
    """
    from tqdm import tqdm

    findings = []
    for clip_id, entry in tqdm(entries.items(), desc=title, unit="clip", delay=2, leave=False):
        findings += inspect(clip_id, entry, expected(clip_id), lengths)
    dark = [finding for finding in findings if finding.kind == "dark"]
    if len(dark) > 1 and len(dark) == len(entries):  # one may be a night; all of them are a mistake
        findings = [f for f in findings if f.kind != "dark"]
        findings += [Finding("unscaled", finding.where, finding.detail) for finding in dark]
    return findings


def inspect(clip_id: str, entry: Path, size: tuple[int, int], lengths: tuple[int, int]) -> list[Finding]:
    """What is wrong with one entry, which should have one of ``lengths`` frames of ``size`` (height, width)."""
    from eval.systems.headers import Header, header_of

    try:
        header: Header = header_of(entry)
    except UserError as error:
        return [Finding("unreadable", clip_id, f"({error})")]
    findings = [Finding(kind, clip_id, detail) for kind, detail in header.remarks.items()]
    if header.frames not in lengths:
        findings.append(Finding("length", clip_id, f"has {header.frames} frames"))
    wrong = sorted(header.sizes - {size})
    if wrong:
        got = " and ".join(f"{height}x{width}" for height, width in wrong)
        findings.append(Finding("size", clip_id, f"is {got}, not {size[0]}x{size[1]}"))
    if any(finding.severity == "error" for finding in findings):
        return findings
    try:
        if (largest := header.brightest()) <= 1:
            findings.append(Finding("dark", clip_id, f"has no value above {largest}"))
    except UserError as error:
        findings.append(Finding("unreadable", clip_id, f"({error})"))
    return findings


def sentence(kind: str, findings: Sequence[Finding], clips: int, lengths: tuple[int, int]) -> str:
    """What a kind of finding means and asks for, with the numbers filled in."""
    return KINDS[kind].sentence.format(
        n=len({finding.where for finding in findings}), clips=clips, frames=lengths[0], targets=lengths[1]
    )


def grouped(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by kind, in the order of ``KINDS``."""
    groups: dict[str, list[Finding]] = {kind: [] for kind in KINDS}
    for finding in findings:
        groups[finding.kind].append(finding)
    return {kind: group for kind, group in groups.items() if group}


def refuse(
    name: str, folder: Path, findings: Iterable[Finding], clips: int, lengths: tuple[int, int] = (0, 0)
) -> None:
    """Raise one ``UserError`` on all the errors among ``findings``, if there are any."""
    errors = grouped(finding for finding in findings if finding.severity == "error")
    if not errors:
        return
    parts = []
    for kind, group in errors.items():
        what, _, remedy = sentence(kind, group, clips, lengths).partition(": ")
        parts.append(f"{what} ({listing(map(str, group))}): {remedy}")
    raise UserError(f"predictions '{name}' in {folder}: {'; '.join(parts)}; python -m eval.check lists all")


def listing(items: Iterable[str]) -> str:
    """The first few items, and how many more there are."""
    items = list(items)
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more
