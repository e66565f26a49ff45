"""Shuffling more events than memory holds: buckets on disk, each sorted in memory later."""

from __future__ import annotations

import errno
from pathlib import Path
from types import TracebackType

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.io.atomic import fresh_folder
from ptmiss.core.ragged import offsets_of
from ptmiss.learn.data.dataset import Events
from ptmiss.learn.task import DatasetLayout


class Spill:
    """Events on disk, in buckets by key; reading bucket after bucket gives them sorted by key.

    A bucket is a file of blocks; a block is (events, constituents), the events, their continuous
    and categorical rows. Files are opened only while they are written to, so that any number of
    buckets is possible. Plain numbers only: nothing in them can run code.
    """

    def __init__(self, folder: Path, n_buckets: int, layout: DatasetLayout) -> None:
        self.folder, self.n_buckets = folder, n_buckets
        self.width, self.n_categories = layout.width, len(layout.features.categories)
        self.kind = np.dtype(
            [
                ("key", "<u8"),
                ("weight", "<f8"),
                ("targets", "<f4", (len(layout.targets),)),
                ("sample", "u1"),
                ("count", "<i4"),
            ]
        )

    def __enter__(self) -> Spill:
        self._fresh = fresh_folder(self.folder)
        self._fresh.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._fresh.__exit__(kind, error, trace)

    def add(self, events: Events, weight: np.ndarray) -> None:
        """Add events; weight float64 (n,), which replaces their own.

        Raises `UserError` if the disk is full.
        """
        # the upper half of the key decides, so that buckets are ranges of keys
        bucket = ((events.key >> np.uint64(32)) * np.uint64(self.n_buckets)) >> np.uint64(32)
        order = np.argsort(bucket, kind="stable")
        events, weight, bucket = events.take(order), weight[order], bucket[order]
        edges = np.flatnonzero(np.diff(bucket)) + 1
        for first, last in zip([0, *edges], [*edges, len(bucket)], strict=True):
            if last == first:
                continue
            rows = slice(events.offsets[first], events.offsets[last])
            head = np.empty(last - first, dtype=self.kind)
            for name in ("key", "targets", "sample"):
                head[name] = getattr(events, name)[first:last]
            head["weight"] = weight[first:last]
            head["count"] = np.diff(events.offsets[first : last + 1])
            size = np.array([len(head), rows.stop - rows.start], dtype="<i8")
            continuous = events.continuous[rows].astype("<f4", copy=False)
            block = (size, head, continuous, events.categories[rows])
            self._append(self._path(int(bucket[first])), block)

    def _append(self, path: Path, block: tuple[np.ndarray, ...]) -> None:
        try:
            with open(path, "ab") as file:
                for array in block:
                    file.write(array.tobytes())  # `tofile` would not say why it failed
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise UserError(
                    f"{path}: the disk is full; free some space and run the workflow again"
                ) from error
            raise

    def read(self, bucket: int) -> tuple[Events, np.ndarray] | None:
        """Return the events of a bucket sorted by key, and their float64 weights; None if empty."""
        path = self._path(bucket)
        if not path.exists():
            return None
        heads, continuous, categories = [], [], []
        with open(path, "rb") as file:
            while len(size := np.fromfile(file, dtype="<i8", count=2)):
                n, m = size
                heads.append(np.fromfile(file, dtype=self.kind, count=n))
                flat = np.fromfile(file, dtype="<f4", count=m * self.width)
                continuous.append(flat.reshape(m, self.width))
                flat = np.fromfile(file, dtype="u1", count=m * self.n_categories)
                categories.append(flat.reshape(m, self.n_categories))
        head = np.concatenate(heads)
        events = Events(
            offsets_of(head["count"]),
            np.concatenate(continuous),
            np.concatenate(categories),
            head["targets"],
            head["weight"].astype(np.float32),
            head["sample"],
            head["key"],
        )
        del continuous, categories
        order = np.argsort(head["key"], kind="stable")
        return events.take(order), head["weight"][order]

    def _path(self, bucket: int) -> Path:
        return self.folder / f"{bucket}.bin"
