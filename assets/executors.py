"""Where the steps of a run are executed, by the setting ``executor``, and which of them are tried again.

Belongs here: the executor, the policy of retries, and the job in a form that other processes can build anew. Does not
belong here: what the steps do; the same partitions give the same bytes wherever they run.

Where each step has a process of its own, the process that hands them out lives as long as the run. There the partition
is held (resources.py), so that runs take turns whatever they were started by: the queue of the UI, a sensor,
``gongkai run``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import dagster as dg

from assets.resources import partition_lock
from pipelines.settings import Settings, SettingsError


def executor_of(settings: Settings) -> dg.ExecutorDefinition:
    """The executor that the settings name. Raises SettingsError where the support for Dask is not installed."""
    processes = settings.executor_processes
    if settings.executor == "multiprocess":
        start = {"forkserver": {"preload_modules": ["assets.definitions"]}}  # else each step loads everything anew
        return _holding(dg.multiprocess_executor, settings.data).configured(
            {"max_concurrent": processes, "start_method": start}, name="multiprocess"
        )
    if settings.executor == "dask":
        try:
            from dagster_dask import dask_executor
        except ImportError:
            raise SettingsError(
                "executor 是 dask，但没有安装 Dask 的支持。请运行 pip install 'gongkai[dask]'。"
                " executor is dask, but the support for Dask is not installed: pip install 'gongkai[dask]'."
            ) from None
        cluster: dict[str, object] = (
            {"existing": {"address": settings.dask_scheduler}}
            if settings.dask_scheduler
            else {"local": {"n_workers": processes, "threads_per_worker": 1, "dashboard_address": None}}
        )
        configured: dg.ExecutorDefinition = _holding(dask_executor, settings.data).configured(
            {"cluster": cluster}, name="dask"
        )
        return configured
    return dg.in_process_executor


def _holding(definition: dg.ExecutorDefinition, data: str) -> dg.ExecutorDefinition:
    """The executor, holding a run's partition while it hands out its steps."""
    create = definition.executor_creation_fn
    if create is None:
        raise ValueError(definition.name)

    def creation(context: dg.InitExecutorContext) -> dg.Executor:
        executor = create(context)
        hand_out = executor.execute

        def execute(plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:  # noqa: ANN401 - Dagster's own
            key = plan_context.dagster_run.tags.get("dagster/partition", "")
            with partition_lock(data, key, plan_context.log) if key else nullcontext():
                yield from hand_out(plan_context, execution_plan)

        executor.execute = execute  # type: ignore[method-assign]  # its class must stay: dagster-dask looks at it
        return executor

    return dg.ExecutorDefinition(
        name=definition.name,
        config_schema=definition.config_schema,  # type: ignore[arg-type]  # as copy_for_configured hands it on
        requirements=definition.get_requirements,
        executor_creation_fn=creation,
        description=definition.description,
    )


def outside_retries(settings: Settings) -> dg.RetryPolicy | None:
    """For steps that look at the inbox: tried again where it lies on a network, which fails for reasons of its own.

    On a disk of this machine, and for the work between, the second attempt would only fail like the first: None.
    """
    if "://" not in settings.data:
        return None
    return dg.RetryPolicy(max_retries=2, delay=1, backoff=dg.Backoff.EXPONENTIAL)


def job_named(name: str) -> dg.JobDefinition:
    """A job of the definitions by its name, for processes that build it anew."""
    from assets.definitions import defs

    return defs.resolve_job_def(name)
