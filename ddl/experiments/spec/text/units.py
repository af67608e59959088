"""Durations and sizes as people write them: 4h, 90 min, 1d12h, 2:30:00; 16G, 512 MiB."""

from __future__ import annotations

import re

_SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
}
_PART = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)")
_CLOCK = re.compile(r"(?:([0-9]+)-)?([0-9]+):([0-5][0-9]):([0-5][0-9])")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgtp])(?:i?b)?", re.IGNORECASE)
_POWERS = {unit: 1024**power for power, unit in enumerate("kmgtp", 1)}

MOST_S = 10 * 365 * 86400.0
MOST_BYTES = 1024**6


def parse_duration(text: str) -> float:
    """Return seconds: "4h", "90 min", "1h30m", "2d", and as Slurm writes it "36:00:00" or "1-12:00:00".

    Raises:
        ValueError: it is no duration, zero, or longer than ten years.
    """
    seconds = _clock(text.strip()) or _sum_of_parts(text.strip().lower())
    if not seconds or seconds > MOST_S:
        raise ValueError(
            f"Received: {text!r}. Expected: a time with its unit, such as 30s, 90 min, 4h, 1d12h or 36:00:00."
        )
    return seconds


def parse_bytes(text: str) -> int:
    """Return bytes: "16G", "16 GiB", "500 MB". K, M, G, T are powers of 1024, as Slurm counts.

    Raises:
        ValueError: it is no size, or far too large.
    """
    found = _SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * _POWERS[found[2].lower()]) if found and len(text) < 30 else 0
    if not 0 < size <= MOST_BYTES:
        raise ValueError(
            f"Received: {text!r}. Expected: a size with its unit, such as 500M or 16G."
        )
    return size


def in_bytes(size: float) -> str:
    """Return a size as people read it: 17179869184 becomes "16G"."""
    for unit in ("", "K", "M", "G", "T"):
        if size < 1024 or unit == "T":
            break
        size /= 1024
    digits = f"{size:.1f}" if size < 10 and size != int(size) else f"{size:.0f}"
    return digits + unit + ("" if unit else " bytes")


def in_time(seconds: float) -> str:
    """Return a duration as people read it: 5400 becomes "1h30m"."""
    parts = []
    left = round(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


def _clock(text: str) -> float:
    found = _CLOCK.fullmatch(text)
    if not found or len(text) > 20:
        return 0.0
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _sum_of_parts(text: str) -> float:
    at, total = 0, 0.0
    while at < len(text) <= 60:
        part = _PART.match(text, at)
        if not part or part[2] not in _SECONDS:
            return 0.0
        total += float(part[1]) * _SECONDS[part[2]]
        at = part.end()
    return total
