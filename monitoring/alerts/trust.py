"""Alerts about the trust list, keys and certificates."""

from monitoring.model import Alert, RuleGroup, Severity

TRUST = RuleGroup(
    "onecode-trust",
    alerts=(
        Alert(
            "OnecodeTrustListFault",
            "max by (job, instance) (onecode_trust_list_fault{<scope>}) == 1",
            Severity.PAGE,
            "{{ $labels.instance }} cannot read the trust-list file, or refused it",
            ("onecode-trust", "Trust list"),
        ),
    ),
)
