"""Which values of a variable are good: large ones or small ones, by the words of its name."""

from __future__ import annotations

import re

from ddl.experiments.watching.condition.tree import LARGE, SMALL

_SMALL_WORDS = re.compile(
    "loss|error|err|errors|mse|rmse|mae|mape|msle|logloss|nll|perplexity|ppl|crossentropy|entropy|xent|kl|divergence|"
    "wer|cer|fid|kid|duplicates|deviance|brier|hausdorff|distance|residual|cost|penalty|eer|bce|ce|seconds|latency"
)
_LARGE_WORDS = re.compile(
    "accuracy|acc|dice|iou|miou|auc|auroc|auprc|ap|ap50|ap75|map|map50|f1|fbeta|precision|recall|sensitivity|specificity|score|"
    "r2|psnr|ssim|bleu|rouge|meteor|jaccard|correct|kappa|mcc|reward|return|likelihood|top1|top5|top|elbo|ndcg|mrr|"
    "correlation|pearson|spearman|throughput|diversity"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+")
_RATE = re.compile(r"per_?s(?:ec(?:ond)?)?$", re.IGNORECASE)


def direction_of(name: str) -> str:
    """Return LARGE or SMALL, or "" where the name does not say it.

    The words of a loss win, so "dice_loss" is SMALL; a rate such as "samples_per_s" is LARGE.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    joined = "".join(words)
    if joined.endswith(("loss", "error")) or any(map(_SMALL_WORDS.fullmatch, words)):
        return SMALL
    if _RATE.search(name) or joined.endswith(("accuracy", "score")):
        return LARGE
    return LARGE if any(map(_LARGE_WORDS.fullmatch, words)) else ""
