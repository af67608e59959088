"""The training loop: a `Plan` in, a history out, on every rank that the launcher started.

`ddl.training.steps` computes a step. docs/reading.md lists the files to read, in order.
"""

from __future__ import annotations

from typing import Any

from ddl.distributed.on_ranks import on_all
from ddl.training.build import follow_plateau
from ddl.training.callbacks import Callbacks, UserCallbacks, check_callbacks
from ddl.training.checkpoint.saver import Saver
from ddl.training.consensus import Consensus
from ddl.training.data.training_data import TrainingData
from ddl.training.plan.plan import Plan
from ddl.training.profiling.profile import profiling
from ddl.training.record.recorder import Recorder
from ddl.training.run import Epoch, Run
from ddl.training.run_setup import Setup, set_up
from ddl.training.steps.kinds import make_steps
from ddl.training.steps.step import Steps
from ddl.training.steps.testing import Testing
from ddl.training.stop_request import StopRequest
from ddl.training.validation import validate_alone, validate_epoch


def train(plan: Plan, data: TrainingData | None = None, callbacks: Callbacks = ()) -> list[Epoch]:
    """Train, and return the history: a dict per epoch, the same on all ranks.

        dist.init()
        history = train(Plan(run_dir="runs/cells", data="cells.h5", model="unet", epochs=20))

    All ranks must call it, after `ddl.distributed.init()`. Rank 0 writes everything into the run directory.

    Args:
        plan: the configuration of the run.
        data: your own samples, or the result of `open_data(plan)` if you have it already.
        callbacks: your own Keras callbacks, the same on all ranks.

    Raises:
        ValueError: on all ranks: bad callbacks, or the plan does not fit the data, the model or the checkpoint.
        Interrupted: a signal or the time limit stopped it, after a checkpoint.
        Diverged: the loss became NaN or infinite.
    """
    checked = on_all(lambda: check_callbacks(callbacks))
    with StopRequest() as stop:
        return train_prepared(set_up(plan, data, stop), checked)


def train_prepared(setup: Setup, callbacks: Callbacks = ()) -> list[Epoch]:
    """Train the result of `set_up`; returns and raises as `train` does. All ranks must call it."""
    run, saver = setup.run, setup.saver
    recorder = Recorder(run, setup.data, setup.early_log, setup.hosts)
    with setup.run_dir_lock, recorder, saver, profiling(run) as profile:
        hooks = UserCallbacks(callbacks, run)
        consensus = Consensus(run, setup.stop, every_step=hooks.every_step)
        steps = make_steps(setup.model, run, setup.data, profile)
        rate, testing = setup.learning_rate, Testing(setup, recorder)
        testing.before()
        if not run.is_over:  # a complete run may lack only its final model
            if run.plan.epochs:
                stop = train_epochs(run, steps, consensus, saver, recorder, hooks, rate)
            else:
                stop = validate_alone(steps, run, consensus, saver, recorder, hooks)
            if stop:
                raise saver.interrupted(stop)
        if run.plan.restore_best:
            saver.restore_best()
        steps.finish()
        testing.after()
        hooks.end()
        recorder.finish(steps.model)
    return run.history


def train_epochs(
    run: Run,
    steps: Steps,
    consensus: Consensus,
    saver: Saver,
    recorder: Recorder,
    callbacks: UserCallbacks,
    learning_rate: Any,
) -> str | None:
    """Train from the run's position to its last epoch. All ranks must call it.

    Returns:
        The reason to stop before the end, after a checkpoint; None if the run is complete.
    """
    with steps:
        callbacks.begin(steps.model, steps.validation_steps)
        while not run.is_over:
            run.begin_epoch()
            steps.begin_epoch()
            saver.restore_metrics()  # those of an interrupted epoch
            follow_plateau(run, learning_rate)
            consensus.begin_epoch()
            recorder.begin_epoch()
            callbacks.begin_epoch()

            while run.position.step < run.steps_per_epoch:
                callbacks.begin_step()
                taken = steps.take(consensus.block_size)
                run.advance(taken.count)
                recorder.steps(taken.logs)
                callbacks.end_step(taken.logs)
                if consensus.is_due(taken.count):
                    steps.check_losses(saver.last_good)
                    recorder.outputs.batches(steps.batches())
                    decision = consensus.reach(
                        first_step_s=steps.first_step_s,
                        wants_end=callbacks.wants_end,
                        stop=taken.stop,
                    )
                    # No save after the last step: the end of the epoch saves.
                    if decision.stop or (decision.save and run.position.step < run.steps_per_epoch):
                        recorder.keep_folder()
                        saver.save_within_epoch(steps)
                        consensus.saved()
                    if decision.stop:
                        return decision.stop
                    if decision.end:
                        break

            steps.check_losses(saver.last_good)
            recorder.outputs.batches(steps.batches())
            logs = steps.results() | run.gradient_norms.mean()
            recorder.end_steps()
            if run.validates:
                validated, stop = validate_epoch(steps, consensus, saver, recorder, callbacks)
                if stop:
                    return stop
                logs |= validated

            steps.end_epoch()
            saver.check_finite()
            callbacks.end_epoch(logs)
            run.end_epoch(logs, steps.learning_rate, recorder.rates.epoch)
            decision = consensus.reach(wants_end=callbacks.wants_end)
            run.ends_early |= decision.end
            recorder.end_epoch(steps.model)
            if decision.stop or saver.is_due:
                saver.save()
                consensus.saved()
            if decision.stop and not run.is_over:
                return decision.stop
    return None
