"""``python -m monitoring``: write all files that are generated from this package, or say which are not fresh."""

import argparse
import sys
from pathlib import Path

from monitoring import consoles, grafana, prometheus_rules, rules
from monitoring.alerts import GROUPS
from monitoring.dashboards import DASHBOARDS
from monitoring.options import Options


def rendered(options: Options) -> dict[str, str]:
    """Return the text of each file, by its path below ``deploy/``."""
    rule_files = rules.render(GROUPS, options)
    return {
        **grafana.render(DASHBOARDS, options),
        **rule_files,
        **prometheus_rules.render(rule_files),
        **consoles.render(DASHBOARDS, GROUPS, options),
    }


def main() -> None:
    """Write the files, or compare them with ``--check``, which ends with 1 where one is not as generated."""
    usual = Options()
    parser = argparse.ArgumentParser(prog="python -m monitoring", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("deploy"), help="where the files lie (deploy)")
    parser.add_argument("--check", action="store_true", help="write nothing; name files that are not as generated")
    parser.add_argument("--job", default=usual.job, help="the job's name in Prometheus (%(default)s)")
    parser.add_argument("--runbook", default=usual.runbook, help="where the runbook can be read (%(default)s)")
    parser.add_argument("--grafana", default=usual.grafana, help="the address of Grafana (%(default)s)")
    parser.add_argument("--divide", type=int, default=1, help="divide the windows of rules, for tests (%(default)s)")
    asked = parser.parse_args()
    files = rendered(Options(asked.job, asked.runbook, asked.grafana, asked.divide))
    if not asked.check:
        for path, text in files.items():
            (asked.out / path).parent.mkdir(parents=True, exist_ok=True)
            (asked.out / path).write_text(text, encoding="utf-8")
        return
    if stale := [path for path, text in files.items() if not _is_fresh(asked.out / path, text)]:
        sys.exit(f"not as generated, 'make dashboards' writes them: {', '.join(stale)}")


def _is_fresh(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    main()
