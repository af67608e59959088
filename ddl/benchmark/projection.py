"""Project a model's speed to more ranks and other networks, with and without each lever."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddl.benchmark.cost_model import Network, Projection, Setting, Work, project
from ddl.benchmark.reports import Result, markdown, report
from ddl.distributed.gradients.buckets import BUCKET_BYTES
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.models.from_file import FROM_FILE
from ddl.models.zoo import MODELS, build_model, target_of
from ddl.options import REQUIRED, Option, convert_fields, parse_value
from ddl.ranges import Range, check_ranges

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Projections = dict[str, dict[tuple[float, int], Projection]]

LEVERS: dict[str, dict[str, Any]] = {
    "unchanged": {},
    "bf16 on the wire": {"compression": 0.5},
    "buckets x 4": {"fusion_bytes": 4 * BUCKET_BYTES},
    "accumulate 4": {"accumulation": 4},
    "hierarchical": {"algorithm": "hierarchical"},
    "local normalization": {"synchronizes_norm": False},
}
"""Lever of a user -> changes of the setting."""

_OURS: dict[str, Any] = {"fusion_bytes": BUCKET_BYTES, "buckets": True}
_CHANNELS = 3
_COLOURS = ("#b03a2e", "#e07b00", "#2a6fbb", "#1b7f5c", "#6c4a9e", "#7a6a00")


@dataclass(frozen=True)
class ProjectRequest:
    """Projection.

    Attributes:
        step_seconds: step time of one rank on the device you plan with, as scripts/benchmark.py train measures it.
        model: name of a zoo model, or path of a saved .keras file.
        model_option: option of the zoo model, such as width=32.
        image_size: height and width the zoo model is built for; a network from a file has its own.
        classes: number of classes; a network from a file has its own.
        per_rank_batch_size: samples per rank and step that step_seconds is for.
        ranks: numbers of ranks to project to.
        gbit: speeds of a host's link to project to, in Gbit/s.
        ranks_per_host: number of ranks that share a link.
        latency_us: latency of a message between two hosts in microseconds: about 20 for TCP, 5 for RDMA.
        link_efficiency: fraction of the link's speed that the protocol reaches: about 0.8 for TCP, 0.9 for RDMA.
        jitter: standard deviation of the step time, as a fraction of it.
        sample_kb: kilobytes read from shared storage per sample; 0 for data in memory.
        storage_gbit: bandwidth of the shared storage for all ranks together.
        output: path of the results without an ending; writes .json, .md and .png.
    """

    step_seconds: float = field(kw_only=True)
    model: str = "resnet50"
    model_option: Mapping[str, Any] = field(default_factory=dict)
    image_size: tuple[int, ...] = (224, 224)
    classes: int = 1000
    per_rank_batch_size: int = 32
    ranks: tuple[str, ...] = ("8", "64", "512")
    gbit: tuple[str, ...] = ("10", "25", "100", "400")
    ranks_per_host: int = 4
    latency_us: float = 20.0
    link_efficiency: float = 0.8
    jitter: float = 0.03
    sample_kb: float = 0.0
    storage_gbit: float = 80.0
    output: Path | None = None

    def __post_init__(self) -> None:
        """Refuse impossible settings."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "a projection")
        if not self.ranks or not self.gbit:
            raise ValueError("Received: no ranks or no gbit. Expected: one of each at least.")
        for name, kind in (("ranks", "int"), ("gbit", "float")):
            option = Option(name, kind, REQUIRED, "")
            numbers = tuple(parse_value(text, option) for text in getattr(self, name))
            check_ranges({name: numbers}, {name: _POSITIVE}, "a projection")
        if self.model in MODELS:
            MODELS.check(self.model, **self.model_option)
        elif not Path(self.model).is_file():
            raise ValueError(
                f"Received: model={self.model!r}, which is not a file. Expected: a .keras file, or one of: "
                f"{', '.join(MODELS)}."
            )

    def run(self) -> None:
        """Project the model to more ranks and other networks, and report it."""
        with loading_tensorflow():
            work = work_of(self)
        print(
            f"{self.model}: {sum(work.gradient_bytes) / 1e6:.1f} MB of gradients in {len(work.gradient_bytes)} "
            f"variables, {work.norm_reductions} reductions of synchronized normalization per step",
            flush=True,
        )
        report(self.output, project_all(self, work), projection_table, draw_projection)


_POSITIVE = Range(0, above=True)
_RANGES = {
    **dict.fromkeys(("step_seconds", "latency_us", "storage_gbit"), _POSITIVE),
    **dict.fromkeys(("classes", "per_rank_batch_size", "ranks_per_host"), Range(1)),
    "link_efficiency": Range(0, 1, above=True),
    **dict.fromkeys(("jitter", "sample_kb"), Range(0)),
}


def work_of(request: ProjectRequest) -> Work:
    """Build the requested model, and return the step of one rank. Computes nothing."""
    import keras

    if request.model in MODELS:
        if request.model == FROM_FILE:
            model = build_model(request.model, None, None, **request.model_option)
        else:
            classes = 1 if target_of(request.model) == "mask" else request.classes
            shape = (*request.image_size, _CHANNELS)
            model = build_model(request.model, shape, classes, **request.model_option)
    else:
        try:
            model = keras.models.load_model(request.model, compile=False)
        except Exception as error:  # Keras raises many kinds
            reason = str(error).partition("\n")[0][:200]
            raise ValueError(
                f"Received: {request.model}, which Keras cannot load ({reason}). Expected: a model saved as .keras."
            ) from error
    gradient_bytes, norm_reductions = traffic_of(model)
    return Work(
        request.step_seconds,
        gradient_bytes,
        request.per_rank_batch_size,
        request.sample_kb * 1e3,
        request.jitter,
        norm_reductions,
    )


def traffic_of(model: Any) -> tuple[list[int], int]:
    """Return the bytes of each trainable variable's float32 gradient, and a step's normalization reductions."""
    sizes = [4 * math.prod(variable.shape) for variable in model.trainable_variables]
    synchronized = [
        layer
        for layer in model._flatten_layers()
        if getattr(layer, "synchronized", False) and layer.trainable
    ]
    return sizes, 2 * len(synchronized)


def project_all(request: ProjectRequest, work: Work) -> Result:
    """Return the request and a projection for each lever, link and number of ranks, as JSON values."""
    asked = {name: value for name, value in dataclasses.asdict(request).items() if name != "output"}
    host = (request.latency_us * 1e-6, request.ranks_per_host, request.link_efficiency)
    projections = []
    for lever, changes in LEVERS.items():
        setting = Setting(storage_bytes_per_s=request.storage_gbit * 1e9 / 8, **(_OURS | changes))
        for gbit in map(float, request.gbit):
            for ranks in map(int, request.ranks):
                projection = project(work, Network(gbit, *host), setting, ranks)
                projections.append({"lever": lever, "gbit": gbit} | dataclasses.asdict(projection))
    return {
        "benchmark": "project",
        "request": asked,
        "gradient_mb": round(sum(work.gradient_bytes) / 1e6, 3),
        "variables": len(work.gradient_bytes),
        "norm_reductions": work.norm_reductions,
        "projections": projections,
    }


def by_lever(result: Result) -> Projections:
    """Return lever -> (Gbit/s, ranks) -> projection."""
    levers: Projections = {}
    names = [field.name for field in dataclasses.fields(Projection)]
    for values in result["projections"]:
        projection = Projection(**{name: values[name] for name in names})
        levers.setdefault(values["lever"], {})[values["gbit"], projection.ranks] = projection
    return levers


def projection_table(result: Result) -> str:
    """Return a table with a row for each network and number of ranks, and the efficiency with each lever."""
    projections = by_lever(result)
    samples = result["request"]["per_rank_batch_size"]
    levers = list(LEVERS)[1:]
    rows = [
        [
            f"{place[0]:g}",
            str(place[1]),
            f"{projection.ranks * samples / projection.step_s:,.0f}",
            f"{projection.speedup:.1f}",
            f"{projection.efficiency:.0%}",
            _waits(projection),
            *(f"{projections[lever][place].efficiency:.0%}" for lever in levers),
        ]
        for place, projection in projections["unchanged"].items()
    ]
    columns = ["Gbit/s", "ranks", "samples/s", "times", "efficiency", "waits for", *levers]
    return markdown(columns, rows)


def draw_projection(result: Result, path: Path) -> None:
    """Draw efficiency over ranks: one panel per link, one line per lever."""
    from ddl.training.record.figure import new_figure

    projections, request = by_lever(result), result["request"]
    links = [float(gbit) for gbit in request["gbit"]]
    columns = min(len(links), 4)
    rows = -(-len(links) // columns)
    with new_figure(path, 260 * columns, 250 * rows + 40) as figure:
        figure.suptitle(
            f"{Path(request['model']).name}, {request['step_seconds']:g} s a step on one rank"
        )
        for number, gbit in enumerate(links, 1):
            axes = figure.add_subplot(rows, columns, number)
            _draw_panel(axes, projections, gbit)
            if number == 1:
                axes.set_ylabel("efficiency, %")
            if number == len(links):  # the fastest link leaves room
                axes.legend(loc="lower left", fontsize=7)


def _draw_panel(axes: Axes, levers: Projections, gbit: float) -> None:
    for (lever, places), colour in zip(levers.items(), _COLOURS, strict=True):
        ranks = sorted(number for speed, number in places if speed == gbit)
        values = [100 * places[gbit, number].efficiency for number in ranks]
        style: dict[str, Any] = {"lw": 1.2, "ls": "--", "markersize": 3}
        if lever == "unchanged":
            style = {"lw": 2.5, "markersize": 4}
        axes.plot(ranks, values, color=colour, marker="o", label=lever, **style)
    axes.set_title(f"{gbit:g} Gbit/s", loc="left", fontweight="bold")
    axes.set_xscale("log", base=2)
    axes.set_xticks(ranks, [str(number) for number in ranks])
    axes.set_xlabel("ranks")
    axes.set_ylim(0, 105)


def _waits(projection: Projection) -> str:
    """Return the longest wait of a step, with its share of the step."""
    parts = {
        "reduction": projection.exposed_s,
        "the slowest rank": projection.straggler_s,
        "normalization": projection.norm_reduction_s,
        "storage": projection.input_s,
    }
    name, seconds = max(parts.items(), key=lambda part: part[1])
    return f"{name} {seconds / projection.step_s:.0%}" if seconds else "nothing"
