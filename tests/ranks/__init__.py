"""A pool of real ranks for tests: one job for each launcher and size, started on first use and shared by the session.

    from tests.ranks import call_ranks

    def mean_rank() -> float:  # runs on every rank, after ddl.distributed.init()
        return float(dist.allreduce(dist.rank()))

    def test_a_mean_is_over_all_ranks() -> None:
        assert call_ranks(mean_rank, ranks=3) == [1.0, 1.0, 1.0]

What must start for itself (failures, signals, the launchers' own behaviour) uses `tests.launch`.
"""

from tests.ranks.pool import RanksFailed, Results, call_plain_keras, call_ranks, close_all

__all__ = ["RanksFailed", "Results", "call_plain_keras", "call_ranks", "close_all"]
