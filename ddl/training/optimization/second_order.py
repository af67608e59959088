"""The optimizer "hessian": SciPy's Newton-CG or L-BFGS on the loss over all samples. No TensorFlow here.

A `Search` runs on one rank. It asks for values of the loss at points, and for products of its matrix of second
derivatives with vectors; the caller computes them, on all ranks together.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

METHODS = ("newton-cg", "l-bfgs")
VALUE, PRODUCT, STEP, END, ERROR = "value", "product", "step", "end", "error"
"""What a search asks for, or reports."""
_REMEMBERED = 10  # pairs of steps and changes of the gradient, of L-BFGS: SciPy's default
_LINE_SEARCH = 20  # most evaluations on one line: SciPy's default


@dataclass(frozen=True)
class SecondOrder:
    """The options of the optimizer.

    Attributes:
        method: "newton-cg" or "l-bfgs".
        max_iterations: most iterations of the run.
        max_func_eval: most evaluations of loss and gradient of the run.
        absolute_tolerance: the run ends where the gradient's norm is at most this.
        relative_tolerance: the run ends where the gradient's norm is at most this times the loss.
        max_products: most products with the matrix of second derivatives in an iteration of Newton-CG.
    """

    method: str = "newton-cg"
    max_iterations: int = 2000
    max_func_eval: int = 4000
    absolute_tolerance: float = 1e-8
    relative_tolerance: float = 1e-8
    max_products: int = 50

    def why_over(self, iterations: int, evaluations: int, loss: float, norm: float) -> str | None:
        """Return why no iteration follows; None if one does.

        Args:
            iterations: those of the run.
            evaluations: of loss and gradient, of the run.
            loss: the loss.
            norm: norm of its gradient.
        """
        absolute, relative = self.absolute_tolerance, self.relative_tolerance
        if norm <= absolute:
            return f"the gradient's norm {norm:.3g} is within absolute_tolerance={absolute:g}"
        if norm <= relative * abs(loss):
            return f"the gradient's norm {norm:.3g} is within relative_tolerance={relative:g}"
        if iterations >= self.max_iterations:
            return f"max_iterations={self.max_iterations} are done"
        if evaluations >= self.max_func_eval:
            return f"max_func_eval={self.max_func_eval} evaluations are done"
        return None


def hessian(
    *,
    learning_rate: Any = 1.0,
    name: str = "hessian",
    method: str = "newton-cg",
    max_iterations: int = 2000,
    max_func_eval: int = 4000,
    absolute_tolerance: float = 1e-8,
    relative_tolerance: float = 1e-8,
    max_products: int = 50,
) -> keras.optimizers.Optimizer:
    """Return an optimizer without state, with which Keras compiles the model. The steps of the run replace it.

    Args:
        learning_rate: not used.
        name: name of the optimizer.
        method: "newton-cg" (Newton's method with conjugate gradients) or "l-bfgs" (limited memory BFGS).
        max_iterations: iterations after which the run ends; an epoch is one.
        max_func_eval: evaluations of loss and gradient over all samples after which the run ends.
        absolute_tolerance: norm of the gradient at which the run ends.
        relative_tolerance: norm of the gradient over the loss at which the run ends.
        max_products: most products with the matrix of second derivatives in an iteration of "newton-cg"; each costs
            about two evaluations.
    """
    import keras

    del method, max_iterations, max_func_eval, absolute_tolerance, relative_tolerance, max_products
    return keras.optimizers.SGD(learning_rate=learning_rate, name=name)


class Search:
    """SciPy's minimizer, in a thread that waits for the answers to its questions.

        search = Search("l-bfgs", start)
        kind, point = search.next()  # (VALUE, start)
        kind, point = search.next((loss, gradient))

    STEP comes with the point that an iteration has reached, and takes no answer. END comes with the reason, when SciPy
    can do no more; ERROR with an exception.
    """

    def __init__(self, method: str, start: np.ndarray, *, iterations: int, products: int) -> None:
        """Prepare a search of so many iterations, with at most `products` products in each."""
        self._method, self._start = method, start
        self._iterations, self._products = iterations, products
        self._asked: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._answers: SimpleQueue[Any] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ddl-search", daemon=True)
        self._products_left = products
        self.is_over = False

    def next(self, answer: Any = None) -> tuple[str, Any]:
        """Pass the answer to the last question, and return the next one."""
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._answers.put(answer)
        kind, what = self._asked.get()
        self.is_over = kind in (END, ERROR)
        return kind, what

    def close(self) -> None:
        """End the thread."""
        if self._thread.is_alive() and not self.is_over:
            self._answers.put(_CLOSE)
        if self._thread.ident is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        try:
            self._asked.put((END, self._minimize()))
        except _Closed:
            pass
        except Exception as error:
            self._asked.put((ERROR, error))

    def _minimize(self) -> str:
        from scipy.optimize import minimize

        options: dict[str, Any] = {"maxiter": self._iterations}
        if self._method == "newton-cg":
            method = "Newton-CG"
            options |= {"xtol": 0.0}
        else:
            method = "L-BFGS-B"
            options |= {"ftol": 0.0, "gtol": 0.0, "maxcor": _REMEMBERED, "maxls": _LINE_SEARCH}
            options |= {"maxfun": 1 << 62}
        with np.errstate(all="ignore"):
            found = minimize(
                self._value,
                self._start,
                jac=True,
                hessp=self._product if self._method == "newton-cg" else None,
                method=method,
                callback=self._step,
                options=options,
            )
        return str(found.message).strip().rstrip(".").removeprefix("Warning: ")

    def _ask(self, kind: str, what: Any) -> Any:
        self._asked.put((kind, what))
        answer = self._answers.get()
        if answer is _CLOSE:
            raise _Closed
        return answer

    def _value(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        self._products_left = self._products
        loss, gradient = self._ask(VALUE, np.array(point))
        return float(loss), np.asarray(gradient, np.float64)

    def _product(self, _: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """Return a product at the last point; zeros when there were enough, at which SciPy's iteration ends."""
        if self._products_left <= 0:
            return np.zeros_like(vector)
        self._products_left -= 1
        return np.asarray(self._ask(PRODUCT, np.array(vector)), np.float64)

    def _step(self, intermediate_result: Any) -> None:
        self._ask(STEP, np.array(intermediate_result.x))


class _Closed(BaseException):
    """The caller needs no more answers."""


_CLOSE = object()
