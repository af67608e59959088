"""Reads an XML file of Pascal VOC with expat. A DOCTYPE is refused: its entities could grow, or read files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from ddl.files import check_regular

_MOST_BYTES = 16 << 20
_MOST_DEPTH = 32
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass
class VocObject:
    """An object as its file has it: texts with the line of the object."""

    line: int
    name: str = ""
    difficult: str = "0"
    corners: dict[str, str] = field(default_factory=dict)


@dataclass
class VocFile:
    """The texts of a file that are used."""

    width: str = ""
    height: str = ""
    objects: list[VocObject] = field(default_factory=list)


def read_voc(file: Path) -> VocFile:
    """Return what an annotation file says.

    Raises:
        ValueError: it is no XML, has a DOCTYPE, or is no annotation; the message names the line.
    """
    check_regular(file)
    data = file.read_bytes()
    if len(data) > _MOST_BYTES:
        raise ValueError(f"Received: {file} of {len(data)} bytes. Expected: an annotation file.")
    reader = _Reader(file)
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise ValueError(
            f"Received: {file}, line {error.lineno}, which is no XML ({reason}). Expected: an annotation of Pascal VOC."
        ) from None
    return reader.found


class _Reader:
    """Collects texts by the path of their elements."""

    def __init__(self, file: Path) -> None:
        self.found = VocFile()
        self._file, self._text = file, ""
        self._path: list[str] = []
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._take

    def _refuse(self, *_: object) -> None:
        raise ValueError(
            f"Received: {self._file}, line {self.parser.CurrentLineNumber}, with a DOCTYPE or an entity. Expected: "
            "plain XML; remove it."
        )

    def _start(self, name: str, _: object) -> None:
        self._path.append(name)
        self._text = ""
        line = self.parser.CurrentLineNumber
        if (len(self._path) == 1 and name != "annotation") or len(self._path) > _MOST_DEPTH:
            raise ValueError(
                f"Received: {self._file}, line {line}, with the element {name[:40]}. Expected: annotation, of Pascal "
                "VOC."
            )
        if self._path[1:] == ["object"]:
            self.found.objects.append(VocObject(line))

    def _take(self, text: str) -> None:
        self._text += text

    def _end(self, _: str) -> None:
        path, text = tuple(self._path[1:]), self._text.strip()
        self._path.pop()
        self._text = ""
        if path == ("size", "width"):
            self.found.width = text
        elif path == ("size", "height"):
            self.found.height = text
        elif path == ("object", "name"):
            self.found.objects[-1].name = " ".join(text.split())
        elif path == ("object", "difficult"):
            self.found.objects[-1].difficult = text
        elif len(path) == 3 and path[:2] == ("object", "bndbox") and path[2] in _CORNERS:
            self.found.objects[-1].corners[path[2]] = text
