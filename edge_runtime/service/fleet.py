"""The workers of all cameras, brought in line with a configuration."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping

from edge_runtime.capture.camera import Pace
from edge_runtime.config import Config
from edge_runtime.inference.model import ModelSettings, load_detector
from edge_runtime.rules.switch import Rests
from edge_runtime.service import wiring
from edge_runtime.service.album import Album
from edge_runtime.service.models import HeadModels
from edge_runtime.service.worker import Commit, Observe, Plan, Worker, nobody

logger = logging.getLogger(__name__)


class Fleet:
    """One worker a camera.

    Attributes:
        rests: the rules that were told to rest; they do so through every change of workers.
    """

    def __init__(self, pace: Pace, commit: Commit, observe: Observe = nobody) -> None:
        self._pace = pace
        self._commit = commit
        self._observe = observe
        self._workers: dict[str, Worker] = {}
        self.rests = Rests()

    def __iter__(self) -> Iterator[Worker]:
        return iter(tuple(self._workers.values()))

    def apply(
        self,
        config: Config,
        model: ModelSettings,
        stop_seconds: float,
        *,
        heads: HeadModels | None = None,
        album: Album | None = None,
    ) -> None:
        """Start what is new, stop what is gone, replace what has changed, leave the rest alone.

        Args:
            config: what there is to watch.
            model: its model, ready to be loaded.
            stop_seconds: how long what stops may take.
            heads: the models of the second look, ready to be loaded; None: no rule asks for it.
            album: keeps the snapshots; None: there are none.

        Raises:
            ModelError: a model cannot be used. Then nothing has been touched.
        """
        plans = [Plan.of(camera, config, model, heads) for camera in config.cameras]
        changed = {
            place: plan
            for place, plan in enumerate(plans)
            if self._plan_of(plan.camera.name) != plan
        }
        fresh = self._make(changed, album)
        kept = {plan.camera.name for plan in plans} - {worker.name for worker in fresh}
        # A device that a camera is read from opens only once: stop before starting.
        gone = [worker for worker in self if worker.name not in kept]
        stop_all(gone, "configuration changed", stop_seconds)
        by_name = {worker.name: worker for worker in (*self, *fresh)}
        self._workers = {plan.camera.name: by_name[plan.camera.name] for plan in plans}
        for worker in fresh:
            worker.start()

    def switch(self, camera: str | None, rule: str, until: float) -> list[str]:
        """Let a rule rest until `until`, Unix seconds, or work again (0): on which cameras.

        Args:
            camera: None for all that have the rule.
            rule: its name.
            until: see `Rests.rest`.
        """
        having = [
            worker.name
            for worker in self
            if camera in (None, worker.name) and rule in {r.name for r in worker.plan.rules}
        ]
        for name in having:
            self.rests.rest(name, rule, until)
        return having

    def camera(self, name: str | None) -> Worker | None:
        """The worker of the camera `name`; without a name, of the only one there is."""
        by_name = {worker.name: worker for worker in self}
        if name is None and len(by_name) == 1:
            return next(iter(by_name.values()))
        return by_name.get(name or "")

    def stop(self, reason: str, timeout: float) -> None:
        """Bring every worker to rest within `timeout` seconds."""
        stop_all(self, reason, timeout)

    def _plan_of(self, name: str) -> Plan | None:
        worker = self._workers.get(name)
        return worker.plan if worker else None

    def _make(self, plans: Mapping[int, Plan], album: Album | None) -> list[Worker]:
        """A worker a plan, each with an interpreter of its own: they are not thread-safe.

        The keys are the cameras' places, by which they are spread over the Edge TPUs.
        """
        return [
            Worker(
                plan,
                load_detector(
                    wiring.sought(plan.model, plan.rules, blurring=album is not None), nth=place
                ),
                self._pace,
                self._commit,
                self._observe,
                rests=self.rests,
                album=album,
            )
            for place, plan in plans.items()
        ]


def stop_all(workers: Iterable[Worker], reason: str, timeout: float) -> None:
    """Ask all to stop, then wait for all, `timeout` seconds together."""
    asked = list(workers)
    for worker in asked:
        worker.ask_to_stop(reason)
    deadline = time.monotonic() + timeout
    for worker in asked:
        worker.join(max(deadline - time.monotonic(), 0.0))
