#!/usr/bin/env bash
# What operators are given agrees with what there is: the rules and the scrape configuration are
# sound, the alerts wake whom they should, and every metric that rules and dashboard name is one that
# docs/metrics.md explains.
set -euo pipefail
shopt -s extglob

promtool check config conf/prometheus/prometheus.yml >/dev/null
promtool test rules tests/prometheus/alerts_test.yml >/dev/null
jq -e '.panels | length > 0' conf/grafana/eidos.json >/dev/null

bad=0
while read -r name; do
    grep -q "^| \`${name%_@(bucket|sum|count)}\`" docs/metrics.md && continue
    grep -q "^| \`$name\`" docs/metrics.md && continue
    echo "no such metric: $name" >&2
    bad=1
done < <(jq -r '.panels[].targets[].expr' conf/grafana/eidos.json | cat - conf/prometheus/alerts.yml |
    grep -o 'eidos_[a-z0-9_]*' | sort -u)
exit "$bad"
