"""The dashboards: what each shows, in the order in which a person reads them."""

from monitoring.dashboards.overview import OVERVIEW
from monitoring.model import Dashboard

DASHBOARDS: tuple[Dashboard, ...] = (OVERVIEW,)
