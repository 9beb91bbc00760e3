import { ruleGroups } from '../../dashboards/alerts/rule-groups.ts';
import { annotationsOf, type AlertLinks } from '../../dashboards/alerts/rule-file.ts';

/** Series over time, and which alerts fire when. */
export interface RuleCase {
  /** What happens. */
  readonly name: string;
  /** Between two values of a series. Default 1m. */
  readonly interval?: string;
  /** Values by series, in promtool's notation: "0x30 6x60" is 31 times 0, then 61 times 6. */
  readonly series: Readonly<Record<string, string>>;
  /** At a time ("15m"): the alerts of that name that fire, each by its identity and its whole summary. */
  readonly at: Readonly<Record<string, readonly FiringAlert[]>>;
}

export interface FiringAlert {
  readonly labels?: Readonly<Record<string, string>>;
  readonly summary: string;
}

/** One alert's cases in the form of `promtool test rules`. */
export function promtoolTest(
  alertName: string,
  cases: readonly RuleCase[],
  files: { readonly rules: readonly string[]; readonly links: AlertLinks },
): object {
  return {
    rule_files: [...files.rules],
    evaluation_interval: '30s',
    tests: cases.map(({ name, interval = '1m', series, at }) => ({
      name,
      interval,
      input_series: Object.entries(series).map(([selector, values]) => ({ series: selector, values })),
      alert_rule_test: Object.entries(at).map(([time, firing]) => ({
        eval_time: time,
        alertname: alertName,
        exp_alerts: firing.map((alert) => expected(alertName, alert, files.links)),
      })),
    })),
  };
}

/** promtool compares every label and annotation. */
function expected(alertName: string, firing: FiringAlert, links: AlertLinks): object {
  const alert = ruleGroups()
    .flatMap((group) => group.alerts)
    .find((candidate) => candidate.alert === alertName);
  if (alert === undefined) throw new Error(`there is no alert ${alertName}`);
  const { labels = {}, summary } = firing;
  const { summary: _replaced, ...others } = annotationsOf(alert, links);
  const fixed = Object.entries(alert.labels ?? {}).filter(([, template]) => !template.includes('{{'));
  return {
    exp_labels: {
      ...labels,
      ...Object.fromEntries(fixed),
      severity: alert.severity,
      incident: alert.incident,
    },
    exp_annotations: {
      summary,
      ...Object.fromEntries(
        Object.entries(others).map(([name, template]) => [name, filled(template, labels)]),
      ),
    },
  };
}

/** A template with its labels, as Prometheus fills it; values appear in summaries only. */
function filled(template: string, labels: Readonly<Record<string, string>>): string {
  return template
    .replaceAll(/\{\{ \$labels\.(\w+) \| urlquery \}\}/g, (_, name: string) => urlQuery(labels[name] ?? ''))
    .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, name: string) => labels[name] ?? '');
}

/** As Go escapes a query's value. */
const urlQuery = (value: string): string => new URLSearchParams({ v: value }).toString().slice(2);
