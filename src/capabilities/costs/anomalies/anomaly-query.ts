import { invariant } from '../../../kernel/invariant.ts';
import { type Usd, usd } from '../../../kernel/money.ts';
import { AnswerTimes } from '../answer-times.ts';
import { type CostFilterField, costFilterFields, type CostFilters, type SpendSource } from '../cost-query.ts';
import { filterConditions, filterParameters } from '../filter-conditions.ts';
import { isLabelField, labelColumn, type LabelField, labelValueSql } from '../label-fields.ts';
import { boundParameters, piecesOf } from '../spend-pieces.ts';
import { type SpendPiece, spendParts, spendRowsSql } from '../spend-rows.ts';
import { type BoundSql, rollupsFor, sourceOf } from '../usage-queries.ts';
import { type ComparedHour, hoursOfWeeks } from './hours-of-weeks.ts';
import { baselineWeeks, minimumWeeks } from './spend-anomaly.ts';

/*
 * What names spent in each hour of a period, and in the same hour of earlier weeks: sums by the hour, from the rollup where it has the
 * fields. Which hour is compared with which is said by the statement itself, as a list of numbers.
 */

/** Whose spend is looked at, besides labels. */
export type AnomalyField = CostFilterField | LabelField;

export interface AnomalyQuestion {
  readonly by: AnomalyField;
  /** Starts of hours. */
  readonly from: Date;
  readonly to: Date;
  readonly timeZone: string;
  readonly filters: CostFilters;
  /** Hours of names that never spent as much are left out. */
  readonly floorUsd: Usd;
}

/** An hour of a name. */
export interface NamedHour {
  readonly name: string;
  readonly hour: Date;
  readonly spentUsd: Usd;
  /** Of the weeks before, as many as the name is known for; 0 where it spent nothing. */
  readonly pastUsd: readonly Usd[];
}

/** Hours that are judged in one answer: those that differ most from their mean. */
const maxJudgedHours = 5_000;
const hourMs = 3_600_000;
const weekMs = 168 * hourMs;

export class AnomalyQuery {
  readonly #question: AnomalyQuestion;
  readonly #hours: readonly ComparedHour[];
  readonly #pieces: readonly SpendPiece[];

  constructor(question: AnomalyQuestion) {
    const { by, from, to, timeZone, filters } = question;
    this.#question = question;
    this.#hours = hoursOfWeeks(from.getTime(), to.getTime(), timeZone);
    const groupBy = [by, 'hour'] as const;
    const times = new AnswerTimes({ groupBy });
    const rollups = rollupsFor({ groupBy, filters }, times);
    this.#pieces = piecesOf(this.#period, { rollups, times });
  }

  get source(): SpendSource {
    return sourceOf(this.#pieces);
  }

  /** How many names there are, and how many are known for long enough. */
  namesSql(database: string): BoundSql {
    const knownSince = this.#question.from.getTime() - minimumWeeks * weekMs;
    return {
      sql: `SELECT count() AS names, countIf(toUnixTimestamp(first_hour) * 1000 <= ${knownSince}) AS known_names FROM (
  SELECT ${this.#column}, min(part_hour) AS first_hour FROM (
${this.#rows(database)}
  ) GROUP BY ${this.#column}
)`,
      parameters: this.#parameters(),
    };
  }

  hoursSql(database: string): BoundSql {
    const seconds = this.#hours.map(({ startMs }) => startMs / 1000).join(', ');
    const valuesOf = (pick: (hour: ComparedHour) => number): string =>
      this.#hours.map((hour) => String(pick(hour))).join(', ');
    const codeOf = `transform(toUnixTimestamp(part_hour), [${seconds}], [${valuesOf(({ slot, week }) => slot * 100 + week)}], -100)`;
    const sql = `SELECT name, code_slot AS slot, toString(spent) AS spent_text, arrayMap(amount -> toString(amount), past) AS past_texts, toUnixTimestamp(first_hour) AS first_seconds FROM (
  SELECT name, code_slot, sumIf(hour_cost, code_week = 0) AS spent, groupArrayIf(hour_cost, code_week > 0) AS past,
    min(min(hour_first)) OVER (PARTITION BY name) AS first_hour
  FROM (
    SELECT toString(${this.#column}) AS name, ${codeOf} AS code, intDiv(code, 100) AS code_slot, code % 100 AS code_week,
      sum(part_cost) AS hour_cost, min(part_hour) AS hour_first
    FROM (
${this.#rows(database)}
    ) GROUP BY name, code
  )
  GROUP BY name, code_slot
)
WHERE code_slot >= 0 AND (abs(spent) >= {floor:Decimal(38, 18)} OR arrayExists(amount -> amount >= {floor:Decimal(38, 18)}, past))
ORDER BY abs(toFloat64(spent) - arraySum(amount -> toFloat64(amount), past) / ${baselineWeeks}) DESC, name, slot
LIMIT ${maxJudgedHours + 1}`;
    return { sql, parameters: { ...this.#parameters(), floor: this.#question.floorUsd.toFixed() } };
  }

  /** The hours in the rows, and whether there are more. */
  read(rows: readonly Readonly<Record<string, unknown>>[]): {
    readonly hours: readonly NamedHour[];
    readonly isTruncated: boolean;
  } {
    return {
      hours: rows.slice(0, maxJudgedHours).map((row) => this.#hourOf(row)),
      isTruncated: rows.length > maxJudgedHours,
    };
  }

  #hourOf(row: Readonly<Record<string, unknown>>): NamedHour {
    const hourStart = this.#question.from.getTime() + Number(row['slot']) * hourMs;
    const firstMs = Number(row['first_seconds']) * 1000;
    const past = row['past_texts'];
    invariant(Array.isArray(past), 'amounts of the past come as a list');
    const pastUsd = past.map((amount: unknown) => usd(String(amount)));
    const knownWeeks = Math.min(baselineWeeks, Math.floor((hourStart - firstMs) / weekMs));
    const missing = Math.max(0, knownWeeks - pastUsd.length);
    return {
      name: String(row['name']),
      hour: new Date(hourStart),
      spentUsd: usd(String(row['spent_text'])),
      pastUsd: [...pastUsd, ...Array.from({ length: missing }, () => usd('0'))],
    };
  }

  get #period(): { readonly from: Date; readonly to: Date } {
    const { from, to } = this.#question;
    return { from: new Date(from.getTime() - baselineWeeks * weekMs - hourMs), to };
  }

  get #column(): string {
    const { by } = this.#question;
    return isLabelField(by) ? labelColumn(by) : by;
  }

  #rows(database: string): string {
    const { by, filters } = this.#question;
    return spendRowsSql({
      table: `${database}.usage`,
      columns: isLabelField(by) ? [] : [by],
      expressions: isLabelField(by) ? { [labelColumn(by)]: labelValueSql(by) } : {},
      aggregates: spendParts(['cost']),
      pieces: this.#pieces,
      conditions: filterConditions(filters),
    });
  }

  #parameters(): Record<string, unknown> {
    return { ...boundParameters(this.#period), ...filterParameters(this.#question.filters) };
  }
}

/** Whether a text names whose spend can be looked at, whatever the form of a label's key. */
export function isAnomalyField(field: string): field is AnomalyField {
  return isLabelField(field) || costFilterFields.some((name) => name === field);
}
