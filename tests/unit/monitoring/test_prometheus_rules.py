"""Rule files as resources of Prometheus Operator: the same groups, word for word."""

import pytest

from monitoring import prometheus_rules
from tests.deploy_files import KUBERNETES, read_yaml

RULES = """\
# Generated: this line is about the file.
groups:
  - name: onecode-parts
    rules:
      - alert: OnecodeDown
        expr: |-
          up{job="onecode"}
            == 0

        for: 2m
        annotations:
          summary: "{{ $labels.instance }} # is down"
"""


def test_a_resource_has_the_groups_of_its_rule_file() -> None:
    made = prometheus_rules.render({"prometheus/onecode.alerts.yml": RULES})
    (resource,) = read_yaml(made["kubernetes/monitoring/alerts.yaml"])
    assert (resource["kind"], resource["metadata"]["name"]) == ("PrometheusRule", "onecode-alerts")
    assert [resource["spec"]] == read_yaml(RULES)


@pytest.mark.parametrize("name", ["rules", "alerts"])
def test_what_is_deployed_is_what_prometheus_reads_elsewhere(name: str) -> None:
    file = KUBERNETES.parent / "prometheus" / f"onecode.{name}.yml"
    made = prometheus_rules.render({f"prometheus/{file.name}": file.read_text(encoding="utf-8")})
    ((path, text),) = made.items()
    assert (KUBERNETES.parent / path).read_text(encoding="utf-8") == text
