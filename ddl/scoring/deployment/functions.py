"""The database functions as SQL: inner ones in PL/Python, which run no SQL, and outer ones, which look up models.

The outer functions run with the rights of the owner, who may read the models and call the inner functions; callers may
do neither. Folders and limits of the deployment are literals in the functions' bodies, so that no caller can change
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from ddl.scoring.deployment.deployment import Deployment

COST = 1_000_000
"""In units of cpu_operator_cost (a comparison): a picture takes milliseconds, a comparison nanoseconds. The high cost
makes PostgreSQL use parallel workers even for a few pictures."""


@dataclass(frozen=True)
class Function:
    """A database function.

    Attributes:
        arguments: text between the parentheses.
        returns: text after RETURNS.
        body: Python, or PL/pgSQL with {schema} for the schema.
        volatility: VOLATILE, STABLE or IMMUTABLE.
    """

    name: str
    arguments: str
    returns: str
    body: str
    volatility: str = "STABLE"


_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_MODEL = "version integer DEFAULT NULL"
_THRESHOLD = "threshold double precision DEFAULT 0.5"
_CLASS = "label text, probability double precision"
_SCORE = "OUT mask bytea, OUT label text, OUT probability double precision, OUT error text"

INNER = (
    Function("_is_loaded", "checksum text", "boolean", "is_loaded(GD, checksum)", "VOLATILE"),
    Function(
        "_load",
        "checksum text, network bytea, weights bytea, preprocessing text",
        "void",
        "load(GD, checksum, network, weights, preprocessing)",
        "VOLATILE",
    ),
    Function(
        "_segment",
        "checksum text, images bytea[], threshold double precision",
        "bytea[]",
        "segment(GD, checksum, images, threshold, limits)",
    ),
    Function(
        "_classify",
        "checksum text, images bytea[]",
        f"TABLE (place integer, {_CLASS})",
        "classify(GD, checksum, images, limits)",
    ),
    Function(
        "_probabilities",
        "checksum text, image bytea",
        f"TABLE ({_CLASS})",
        "probabilities(GD, checksum, image, limits)",
    ),
    Function(
        "_score",
        "checksum text, images bytea[], threshold double precision",
        f"TABLE (mask bytea, {_CLASS}, error text)",
        "score(GD, checksum, images, threshold, limits)",
    ),
    Function(
        "_read_file", "filename text", "bytea", "read_file(filename, folders, limits)", "VOLATILE"
    ),
    Function(
        "_try_file",
        "filename text, OUT content bytea, OUT error text",
        "record",
        "try_file(filename, folders, limits)",
        "VOLATILE",
    ),
)
"""PL/Python functions; each body is one call of ddl.scoring.server."""

USE = Function(
    "_use",
    "model text, wanted integer, OUT version integer, OUT checksum text",
    "record",
    """
BEGIN
    SELECT m.version, m.checksum INTO version, checksum FROM {schema}.models m
        WHERE m.name = model AND (wanted IS NULL OR m.version = wanted) ORDER BY m.version DESC LIMIT 1;
    IF checksum IS NULL THEN
        RAISE EXCEPTION 'Received: model %, version %, which does not exist. Expected: a model that '
            '{schema}.model_versions lists.',
            coalesce(quote_literal(model), 'NULL'), coalesce(wanted::text, 'any') USING ERRCODE = 'undefined_object';
    END IF;
    IF NOT {schema}._is_loaded(checksum) THEN
        PERFORM {schema}._load(m.checksum, m.network, m.weights, m.preprocessing::text) FROM {schema}.models m
            WHERE m.name = model AND m.version = _use.version;
    END IF;
END
""",
)


def _outer(body: str) -> str:
    """Return PL/pgSQL that loads the model, sets `sum` to its checksum, and runs `body`."""
    find = "SELECT u.checksum INTO STRICT sum FROM {schema}._use(model, version) u;"
    return f"\nDECLARE sum text;\nBEGIN\n    {find}\n    {body}\nEND\n"


OUTER = (
    Function(
        "segment",
        f"model text, image bytea, {_MODEL}, {_THRESHOLD}",
        "bytea",
        _outer("RETURN ({schema}._segment(sum, ARRAY[image], threshold))[1];"),
    ),
    Function(
        "segment",
        f"model text, images bytea[], {_MODEL}, {_THRESHOLD}",
        "bytea[]",
        _outer("RETURN {schema}._segment(sum, images, threshold);"),
    ),
    Function(
        "classify",
        f"model text, image bytea, {_MODEL}, OUT label text, OUT probability double precision",
        "record",
        _outer(
            "SELECT c.label, c.probability INTO label, probability FROM {schema}._classify(sum, ARRAY[image]) c;"
        ),
    ),
    Function(
        "classify",
        f"model text, images bytea[], {_MODEL}",
        f"TABLE (place integer, {_CLASS})",
        _outer("RETURN QUERY SELECT * FROM {schema}._classify(sum, images);"),
    ),
    Function(
        "probabilities",
        f"model text, image bytea, {_MODEL}",
        f"TABLE ({_CLASS})",
        _outer(
            "IF image IS NOT NULL THEN RETURN QUERY SELECT * FROM {schema}._probabilities(sum, image); END IF;"
        ),
    ),
    Function(
        "score",
        f"model text, image bytea, {_MODEL}, {_THRESHOLD}, {_SCORE}",
        "record",
        _outer(
            "SELECT s.mask, s.label, s.probability, s.error INTO mask, label, probability, error "
            "FROM {schema}._score(sum, ARRAY[image], threshold) s;"
        ),
    ),
    Function(
        "score_file",
        f"model text, filename text, {_MODEL}, {_THRESHOLD}, {_SCORE}",
        "record",
        """
DECLARE picture bytea;
BEGIN
    SELECT f.content, f.error INTO picture, error FROM {schema}._try_file(filename) f;
    IF error IS NULL THEN
        SELECT s.mask, s.label, s.probability, s.error INTO mask, label, probability, error
            FROM {schema}.score(model, picture, version, threshold) s;
    END IF;
END
""",
        "VOLATILE",
    ),
    Function(
        "img_inference",
        f"filename text, model text DEFAULT {{name}}, {_MODEL}",
        "bytea",
        "\nBEGIN\n    RETURN {schema}.segment(model, {schema}._read_file(filename), version);\nEND\n",
        "VOLATILE",
    ),
)
"""PL/pgSQL functions that the role may call."""


def create_functions(deployment: Deployment, code: Sequence[str]) -> Iterator[sql.Composed]:
    """Yield the statements that create every function, to import from the folders `code` on the server.

    `grant_rights` then decides who may call them.
    """
    for function in INNER:
        body = python_body(deployment, code, function.body)
        yield _create(deployment, function, "plpython3u", body, "")
    for function in (USE, *OUTER):
        body = function.body.format(schema=deployment.schema, name="")
        rights = "SECURITY DEFINER " if function is not USE else ""
        yield _create(deployment, function, "plpgsql", body, rights)
    owner = sql.Identifier(deployment.owner)
    for function in (*INNER, USE, *OUTER):
        yield sql.SQL("ALTER FUNCTION {} OWNER TO {}").format(
            signature(deployment, function), owner
        )


def python_body(deployment: Deployment, code: Sequence[str], call: str) -> str:
    """Return the body of an inner function: the import path, and one call."""
    lines = [
        "import os, sys",
        "if 'ddl.scoring.server' not in sys.modules:",
        f"    for name in {_THREADS}:",
        "        os.environ[name] = '1'",  # before NumPy loads, which otherwise starts one thread per core
        f"    for path in {list(reversed(code))!a}:",
        "        if path not in sys.path:",
        "            sys.path.insert(0, path)",
        "from ddl.scoring import server",
    ]
    if "limits" in call:
        limits = f"{deployment.pixel_limit:d}, {deployment.byte_limit:d}"
        lines.append(f"limits = server.Limits({limits})")
    if "folders" in call:
        lines.append(f"folders = {list(deployment.picture_folder)!a}")
    return "\n".join(["", *lines, f"return server.{call}", ""])


def _create(
    deployment: Deployment, function: Function, language: str, body: str, rights: str
) -> sql.Composed:
    model_name = sql.Literal(deployment.name).as_string(None)
    parallel = "" if deployment.greenplum else "PARALLEL SAFE "
    return sql.SQL(
        "CREATE OR REPLACE FUNCTION {name}({arguments}) RETURNS {returns} LANGUAGE {language} {options} "
        "SET search_path = pg_catalog, pg_temp AS {body}"
    ).format(
        name=sql.Identifier(deployment.schema, function.name),
        arguments=sql.SQL(function.arguments.format(name=model_name)),
        returns=sql.SQL(function.returns),
        language=sql.SQL(language),
        options=sql.SQL(f"{function.volatility} {rights}{parallel}COST {COST}"),
        body=sql.Literal(body),
    )


def signature(deployment: Deployment, function: Function) -> sql.Composed:
    """Return the function's name with its arguments without their defaults, as GRANT and ALTER refer to it."""
    name = sql.Identifier(deployment.schema, function.name)
    return sql.SQL("{}({})").format(name, sql.SQL(re.sub(" DEFAULT [^,]*", "", function.arguments)))
