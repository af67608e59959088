"""Write this machine's pip settings as one pip.conf, and print the local folders that they name.

    python3 docker/pip_settings.py FOLDER

A build gets FOLDER/pip.conf and FOLDER/pip.cert as secrets and the folders read-only, so that its pip finds the same
packages. The certificates get another path, because a package of the image may write to the original one.
"""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

_CERT_IN_BUILD = "/etc/pip.cert"
_PLACES = {"extra-index-url", "find-links", "index-url"}


def parse(listing: str) -> configparser.ConfigParser:
    """Return the settings of `pip config list` as one configuration; later lines override earlier ones."""
    settings = configparser.ConfigParser(interpolation=None)
    settings["global"] = {}
    for line in listing.splitlines():
        found = re.fullmatch(r"([^=]+)\.([\w-]+)=('.*'|\".*\")", line)
        if found is None:
            continue
        section = "global" if found[1] == ":env:" else found[1]
        value = str(ast.literal_eval(found[3]))
        if section not in settings:
            settings.add_section(section)
        settings[section][found[2]] = value.replace("\n", "\n\t")
    return settings


def local_folders(settings: configparser.ConfigParser) -> list[Path]:
    """Return the local folders in the settings. For an index, that is the parent of `simple`, which holds its files."""
    folders = set()
    for section in settings.sections():
        for name in _PLACES & set(settings[section]):
            for word in settings[section][name].split():
                url = urlparse(word)
                path = Path(unquote(url.path) if url.scheme == "file" else word)
                if path.is_absolute() and path.is_dir():
                    folders.add(path.parent if path.name == "simple" else path)
    return sorted(folders)


def main() -> None:
    """Query pip, write the files, and print the folders."""
    target = Path(sys.argv[1])
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    settings = parse(listing)
    certificates = settings["global"].get("cert")
    (target / "pip.cert").write_bytes(Path(certificates).read_bytes() if certificates else b"")
    if certificates:
        settings["global"]["cert"] = _CERT_IN_BUILD
    with (target / "pip.conf").open("w") as file:
        settings.write(file)
    for folder in local_folders(settings):
        sys.stdout.write(f"{folder}\n")


if __name__ == "__main__":
    main()
