import type { MatchLogic } from '@pydantic/genai-prices';

/** Whether a model's name, in lower case, fits a rule of the genai-prices catalogue. */
export function matchesRule(rule: MatchLogic, model: string): boolean {
  if ('or' in rule) return rule.or.some((part) => matchesRule(part, model));
  if ('and' in rule) return rule.and.every((part) => matchesRule(part, model));
  if ('equals' in rule) return model === rule.equals.toLowerCase();
  if ('starts_with' in rule) return model.startsWith(rule.starts_with.toLowerCase());
  if ('ends_with' in rule) return model.endsWith(rule.ends_with.toLowerCase());
  if ('contains' in rule) return model.includes(rule.contains.toLowerCase());
  return new RegExp(rule.regex).test(model);
}

const compactDate = /-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=[-:]|$)/g;

/** The name with a compact snapshot date ("-20250807") written out ("-2025-08-07"), as some rules expect it. */
export function withDashedDate(model: string): string {
  return model.replace(compactDate, '-$1-$2-$3');
}

const snapshotDate = /[-@]20\d{2}-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])$/;

/** The name without the date of its snapshot: "gpt-5-2025-08-07" and "claude-opus-4-20250514" lose theirs. */
export function withoutSnapshotDate(model: string): string {
  return model.replace(snapshotDate, '');
}
