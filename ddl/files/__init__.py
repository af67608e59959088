"""Files and folders: written whole, checked before work starts, locked; and files of strangers, read with care."""

from ddl.files.places import FULL, check_distinct, check_file, check_folder, folded, is_full
from ddl.files.regular import check_regular, exceeds_file, parse_json, read_text
from ddl.files.whole import clear_partial, open_to_append, partial_path, put_in_place, write_whole

__all__ = [
    "FULL",
    "check_distinct",
    "check_file",
    "check_folder",
    "check_regular",
    "clear_partial",
    "exceeds_file",
    "folded",
    "is_full",
    "open_to_append",
    "parse_json",
    "partial_path",
    "put_in_place",
    "read_text",
    "write_whole",
]
