"""What operations watch, written once: dashboards, alerts and recording rules, rendered for Grafana and Prometheus."""
