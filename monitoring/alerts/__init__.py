"""The alerts and recording rules, in groups."""

from monitoring.alerts.trust import TRUST
from monitoring.model import RuleGroup

GROUPS: tuple[RuleGroup, ...] = (TRUST,)
