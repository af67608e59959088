"""Convolutions and poolings with the sizes of dolphin and Cay: the number of windows is rounded up. No TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ddl.models.network.kinds.shapes import by
from ddl.models.network.prototxt.chain import Chain
from ddl.models.network.prototxt.records import Record
from ddl.models.network.prototxt.tree import Place


class BadLayer(ValueError):
    """A layer cannot be built. The message is what was received.

    Attributes:
        expected: what is expected instead.
        place: where in the file, None for the layer itself.
    """

    def __init__(self, received: str, expected: str, place: Place | None = None) -> None:
        super().__init__(received)
        self.expected, self.place = expected, place


@dataclass(frozen=True)
class Axis:
    """The windows along one side of a picture.

    Attributes:
        side: length of the side.
        kernel: length of a window.
        padding: cells of zeros at both ends.
        stride: cells from one window to the next.
        windows: how many windows there are.
    """

    side: int
    kernel: int
    padding: int
    stride: int
    windows: int

    @classmethod
    def of(cls, side: int, kernel: int, padding: int, stride: int, *, drops: bool) -> Axis:
        """Return an axis with as many windows as the program has: ceil((in - kernel + 2 padding) / stride) + 1.

        Args:
            side: length of the side.
            kernel: length of a window.
            padding: cells at both ends.
            stride: cells from one window to the next.
            drops: whether a last window that begins behind the input is dropped, as poolings do.
        """
        count = -(-(side - kernel + 2 * padding) // stride) + 1
        if drops and count > 1 and (count - 1) * stride >= side + padding:
            count -= 1
        return cls(side, kernel, padding, stride, count)

    @property
    def ends(self) -> tuple[int, int]:
        """Cells before and after the input that windows reach; negative after it if they leave some of it out."""
        reach = (self.windows - 1) * self.stride + self.kernel
        return self.padding, reach - self.side - self.padding

    @property
    def counted(self) -> list[int]:
        """For each window the number of its cells in the input or its padding, without those beyond."""
        whole = self.side + 2 * self.padding
        starts = range(0, self.windows * self.stride, self.stride)
        return [min(start + self.kernel, whole) - start for start in starts]


def _axes(chain: Chain, parameters: Record, *, drops: bool) -> list[Axis]:
    if len(chain.shape) == 1:
        raise BadLayer(
            f"{chain.layer} of an input {by(chain.shape)}, which is no picture",
            "convolutions and poolings before the first FullyConnected layer, and input_shape of 2 or 3 numbers",
        )
    found = []
    for side, name in zip(chain.shape, ("height", "width"), strict=False):
        kernel, padding = parameters[f"kernel_{name}"], parameters[f"padding_{name}"]
        if drops and padding >= kernel:
            raise BadLayer(
                f"padding_{name}: {padding} of {chain.layer}, whose kernel_{name} is {kernel}",
                "a padding below the kernel, so that no window is outside of the input",
                parameters.place_of(f"padding_{name}"),
            )
        axis = Axis.of(side or 0, kernel, padding, parameters[f"stride_{name}"], drops=drops)
        if axis.windows < 1:
            raise BadLayer(
                f"kernel_{name}: {kernel} of {chain.layer}, whose input is {by(chain.shape)}",
                f"at most {(side or 0) + 2 * padding}",
                parameters.place_of(f"kernel_{name}"),
            )
        found.append(axis)
    return found


def _fit(chain: Chain, axes: list[Axis], kind: str) -> None:
    """Add cells around the input, and take away those behind the last window."""
    ends = [axis.ends for axis in axes]
    if any(after < 0 for _, after in ends):
        cuts = [(0, max(0, -after)) for _, after in ends]
        chain.add("Cropping2D", {"cropping": cuts}, tag="cut")
    pads = [(before, max(0, after)) for before, after in ends]
    if any(map(any, pads)):
        chain.add(kind, {"padding": pads}, tag="padded")


def add_convolution(
    chain: Chain, parameters: Record, weights: Mapping[str, Any], *, is_untied: bool
) -> None:
    """Add a convolution.

    Args:
        chain: gets the nodes.
        parameters: those of the layer.
        weights: initializers of kernel and bias.
        is_untied: whether each place of the output has biases of its own, as in dolphin.
    """
    axes = _axes(chain, parameters, drops=False)
    _fit(chain, axes, "ZeroPadding2D")
    kernel = {"kernel_initializer": weights["kernel_initializer"]}
    settings = {
        "filters": parameters["num_output"],
        "kernel_size": [axis.kernel for axis in axes],
        "strides": [axis.stride for axis in axes],
    }
    if not is_untied:
        chain.add("Conv2D", {**settings, **weights})
        return
    summed = chain.add("Conv2D", {**settings, **kernel, "use_bias": False}, tag="kernel")
    # No layer of Keras has one bias for each place: its kernel, times ones, is that.
    chain.add("Rescaling", {"scale": 0.0, "offset": 1.0}, tag="ones")
    bias = chain.add(
        "PlaceWeights", {"kernel_initializer": weights["bias_initializer"]}, tag="bias"
    )
    chain.add("Add", inputs=(summed, bias))


def add_pooling(chain: Chain, parameters: Record) -> None:
    """Add a maximum, which leaves cells outside of the input out, or a mean, which counts those of the padding as 0."""
    axes = _axes(chain, parameters, drops=True)
    window = {
        "pool_size": [axis.kernel for axis in axes],
        "strides": [axis.stride for axis in axes],
    }
    if parameters["pooling_type"] == "MAX":
        _fit(chain, axes, "LowestPadding2D")
        chain.add("MaxPooling2D", window)
        return
    _fit(chain, axes, "ZeroPadding2D")
    scales = [[axis.kernel / count for count in axis.counted] for axis in axes]
    is_whole = all(scale == 1 for along in scales for scale in along)
    chain.add("AveragePooling2D", window, tag="" if is_whole else "of_whole_windows")
    if not is_whole:
        by_place = [[[row * column] for column in scales[1]] for row in scales[0]]
        chain.add("PlaceScaling", {"scale": by_place})
