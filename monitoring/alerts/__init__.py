"""The alerts and recording rules, in groups."""

from monitoring.alerts.callers import CALLERS
from monitoring.alerts.keys import KEYS
from monitoring.alerts.log import LOG
from monitoring.alerts.objectives import OBJECTIVES
from monitoring.alerts.regions import REGIONS
from monitoring.alerts.servers import SERVERS
from monitoring.alerts.store import STORE
from monitoring.alerts.trust import TRUST
from monitoring.model import RuleGroup

GROUPS: tuple[RuleGroup, ...] = (OBJECTIVES, SERVERS, CALLERS, TRUST, KEYS, STORE, LOG, REGIONS)
