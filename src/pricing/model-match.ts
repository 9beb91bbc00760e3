import type { MatchLogic } from '@pydantic/genai-prices';

/*
 * Which model of the catalogue a name means. The catalogue's rules are wide: "starts with claude-sonnet-5" also fits a
 * claude-sonnet-5-5 of another price. So a rule that fits only in part must be completed as providers complete names:
 * the date or number of a snapshot, "latest", a preview, a version at Bedrock; in front of it a path, a region, a vendor.
 */

/** A model's name and rule in the catalogue. */
interface NamedModel {
  readonly id: string;
  readonly match: MatchLogic;
}

/** Whether the name, in lower case, means the model. */
export function isNameOf({ id, match }: NamedModel, name: string): boolean {
  return matchesRule(match, name) && (fitsWhole(match, name) || isCompleted(name, id.toLowerCase()));
}

/** Whether a name fits a rule of the catalogue, whole or in part. */
export function matchesRule(rule: MatchLogic, name: string): boolean {
  if ('or' in rule) return rule.or.some((part) => matchesRule(part, name));
  if ('and' in rule) return rule.and.every((part) => matchesRule(part, name));
  if ('equals' in rule) return name === rule.equals.toLowerCase();
  if ('starts_with' in rule) return name.startsWith(rule.starts_with.toLowerCase());
  if ('ends_with' in rule) return name.endsWith(rule.ends_with.toLowerCase());
  if ('contains' in rule) return name.includes(rule.contains.toLowerCase());
  return new RegExp(rule.regex).test(name);
}

/** Whether some part of a rule that fits explains the whole name, to its end. */
function fitsWhole(rule: MatchLogic, name: string): boolean {
  if ('or' in rule) return rule.or.some((part) => fitsWhole(part, name));
  if ('and' in rule) return rule.and.some((part) => fitsWhole(part, name));
  if ('equals' in rule) return isCompleted(name, rule.equals.toLowerCase());
  if ('starts_with' in rule) return isCompleted(name, rule.starts_with.toLowerCase());
  if ('ends_with' in rule) return isCompleted(name, rule.ends_with.toLowerCase());
  if ('contains' in rule) return isCompleted(name, rule.contains.toLowerCase());
  return isAnchored(rule.regex) && new RegExp(rule.regex).test(name);
}

function isAnchored(regex: string): boolean {
  // A look-ahead takes nothing of the name: "^(?!…)" only forbids.
  return regex.startsWith('^') && regex.endsWith('$') && !regex.startsWith('^(?');
}

/** A path or resource name, regions, a vendor: each ends with a separator. */
const lead = /^(?:[\w.:/-]*[./:])?$/;

const snapshot = String.raw`20\d{2}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])`;
/** 0613, 2407: a month and a day, or a year and a month. */
const shortDate = String.raw`\d{4}`;
const preview = String.raw`(?:preview|exp|experimental)(?:-(?:${snapshot}|\d{2}-\d{2}|\d{2}-20\d{2}|\d{2,4}))?`;
const tail = new RegExp(
  String.raw`^(?:[-@](?:${snapshot}|${shortDate}|\d{3}|\d{2}-20\d{2}|latest|default|${preview}))?(?:-latest)?(?:-v\d+)?(?::\d+)?(?::\d+k)?$`,
);

/** Whether the name is the stem with nothing around it that could make another model of it. */
function isCompleted(name: string, stem: string): boolean {
  const start = name.indexOf(stem);
  if (start < 0 || !lead.test(name.slice(0, start))) return false;
  const rest = name.slice(start + stem.length);
  return tail.test(rest) || (/[-@]$/.test(stem) && tail.test(`-${rest}`));
}

/** Whether two names mean one model by the way in which providers complete names: one is a snapshot, an alias or the path of the other. */
export function isOtherNameOf(name: string, other: string): boolean {
  const [one, two] = [name.trim().toLowerCase(), other.trim().toLowerCase()];
  if (one === '' || two === '') return false;
  return isCompleted(one, two) || isCompleted(two, one);
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

/** The name that a fine-tuned model is sold under, its base ("ft:gpt-4.1-2025-04-14"); undefined for any other model. */
export function fineTunedBase(model: string): string | undefined {
  if (model.startsWith('ft:')) return `ft:${model.slice(3).split(':', 1)[0]}`;
  // Azure's form: "gpt-4o-mini-2024-07-18.ft-0123456789abcdef".
  const [base] = model.split(/\.ft-/, 1);
  return base !== undefined && base !== model ? `ft:${base}` : undefined;
}
