"""Where the steps of a run are executed, by the setting ``executor``, and which of them are tried again.

Belongs here: the executor, the policy of retries, and the job in a form that other processes can build anew. Does not
belong here: what the steps do; the same partitions give the same bytes wherever they run.
"""

from __future__ import annotations

import dagster as dg

from pipelines.settings import Settings, SettingsError


def executor_of(settings: Settings) -> dg.ExecutorDefinition:
    """The executor that the settings name. Raises SettingsError where the support for Dask is not installed."""
    processes = settings.executor_processes
    if settings.executor == "multiprocess":
        start = {"forkserver": {"preload_modules": ["assets.definitions"]}}  # else each step loads everything anew
        return dg.multiprocess_executor.configured(
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
        configured: dg.ExecutorDefinition = dask_executor.configured({"cluster": cluster}, name="dask")
        return configured
    return dg.in_process_executor


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
