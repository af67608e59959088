"""Evaluates a trained model on any data. The request and what it names need no TensorFlow."""

from ddl.training.evaluation.evaluate import evaluate
from ddl.training.evaluation.request import Evaluation
from ddl.training.evaluation.subject import Subject, open_subject

__all__ = ["Evaluation", "Subject", "evaluate", "open_subject"]
