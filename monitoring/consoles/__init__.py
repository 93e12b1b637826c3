"""The dashboards as pages of Prometheus itself, for those who have no Grafana."""

from monitoring.consoles.page import render

__all__ = ["render"]
