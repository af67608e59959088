"""What results need to name the pictures and classes of any source with boxes, as COCO's result files do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ddl.boxes.fitting import FITS, place
from ddl.data.source import Source, numbers_in_origin, origin_of
from ddl.data.sources.boxed_pictures.boxed_files import BoxedFiles


@dataclass(frozen=True)
class PictureFacts:
    """A picture as stored.

    Attributes:
        name: its file, or its number.
        size: height and width.
        number: its id in COCO's JSON, or its place in the source.
    """

    name: str
    size: tuple[int, int]
    number: int


def picture_facts(source: Source, index: int) -> PictureFacts:
    """Return the facts of a sample of a source, also of a subset or another view."""
    origin, place = origin_of(source), int(numbers_in_origin(source)[index])
    name = origin.name_of(place)
    if isinstance(origin, BoxedFiles):
        return PictureFacts(name, origin.size_of(place), int(origin.annotations.picture_ids[place]))
    height, width = origin.fields["image"].shape[:2]
    record = _record(origin.manifest, place)
    size = record.get("size")
    if isinstance(size, list) and len(size) == 2 and all(isinstance(n, int) for n in size):
        height, width = size
    number = record.get("id", place)
    return PictureFacts(name, (height, width), number if isinstance(number, int) else place)


def category_ids(source: Source) -> tuple[int, ...]:
    """Return the number that each class has in COCO's JSON; 0, 1, ... for data of other formats."""
    origin = origin_of(source)
    if isinstance(origin, BoxedFiles):
        return origin.annotations.category_ids
    stored = origin.manifest.get("category_ids")
    known = range(len(origin.class_names))
    if isinstance(stored, list) and len(stored) == len(known):
        return tuple(int(number) for number in stored)
    return tuple(known)


def fit_of(source: Source) -> str:
    """Return how the pictures of a source came to their size; "stretch" where nothing says it."""
    origin = origin_of(source)
    if isinstance(origin, BoxedFiles):
        return origin.how.fit
    options = origin.manifest.get("options")
    fit = options.get("fit") if isinstance(options, dict) else None
    return str(fit) if fit in FITS else "stretch"


def stored_sides(source: Source, index: int) -> tuple[float, float]:
    """Return the height and width of a sample's whole input, borders included, in pixels of the picture as stored."""
    stored, sides = picture_facts(source, index).size, source.fields["image"].shape[:2]
    inner = place(stored, (sides[0], sides[1]), fit_of(source)).inner
    return sides[0] * stored[0] / inner[0], sides[1] * stored[1] / inner[1]


def _record(manifest: Mapping[str, object], place: int) -> dict[str, object]:
    samples = manifest.get("samples")
    record = samples[place] if isinstance(samples, list) and place < len(samples) else {}
    return record if isinstance(record, dict) else {}
