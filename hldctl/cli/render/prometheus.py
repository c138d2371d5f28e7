"""Metrics in the text format that Prometheus reads (https://prometheus.io/docs/instrumenting/exposition_formats)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hldctl.sessions.inspect.metrics import Metric


def lines(metrics: Iterable[Metric]) -> Iterator[str]:
    for metric in metrics:
        yield f"# HELP {metric.name} {metric.help}"
        yield f"# TYPE {metric.name} gauge"
        for value, number in metric.values.items():
            # The values of labels are words of hldctl, which need no escaping.
            label = f'{{{metric.label}="{value}"}}' if metric.label is not None else ""
            yield f"{metric.name}{label} {number:.15g}"
