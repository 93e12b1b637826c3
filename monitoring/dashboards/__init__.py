"""The dashboards: what each shows, in the order in which a person reads them."""

from monitoring.dashboards.capacity import CAPACITY
from monitoring.dashboards.overview import OVERVIEW
from monitoring.dashboards.recognition import RECOGNITION
from monitoring.dashboards.trust import TRUST
from monitoring.model import Dashboard

DASHBOARDS: tuple[Dashboard, ...] = (OVERVIEW, RECOGNITION, TRUST, CAPACITY)
