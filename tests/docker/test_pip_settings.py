"""A build gets this machine's pip settings in one file, and the folders that they name."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "docker/pip_settings.py"
spec = importlib.util.spec_from_file_location("pip_settings", SCRIPT)
pip_settings = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pip_settings)


def test_later_lines_override_and_sections_are_kept():
    listing = "global.timeout='5'\ninstall.no-compile='yes'\n:env:.timeout='60'\nnonsense\n"
    settings = pip_settings.parse(listing)
    assert settings["global"]["timeout"] == "60"
    assert settings["install"]["no-compile"] == "yes"


def test_several_lines_of_one_setting_survive_the_file(tmp_path):
    settings = pip_settings.parse(r"global.extra-index-url='\nhttps://a/%7E\nhttps://b'")
    with (tmp_path / "pip.conf").open("w") as file:
        settings.write(file)
    again = pip_settings.configparser.ConfigParser(interpolation=None)
    again.read(tmp_path / "pip.conf")
    assert again["global"]["extra-index-url"].split() == ["https://a/%7E", "https://b"]


def test_folders_of_this_machine_are_found(tmp_path):
    (tmp_path / "index/simple").mkdir(parents=True)
    (tmp_path / "my wheels").mkdir()
    (tmp_path / "wheels").mkdir()
    urls = f"{(tmp_path / 'index/simple').as_uri()} https://pypi.org/simple"
    places = f"{tmp_path / 'wheels'} {(tmp_path / 'my wheels').as_uri()} {tmp_path / 'missing'}"
    settings = pip_settings.parse(f"global.index-url='{urls}'\n:env:.find-links='{places}'")
    found = [
        folder.relative_to(tmp_path).as_posix() for folder in pip_settings.local_folders(settings)
    ]
    assert found == ["index", "my wheels", "wheels"]
