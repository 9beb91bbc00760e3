import { spendSumNames } from '../../../engine/export/spend-sums.ts';
import { AnswerTimes } from '../answer-times.ts';
import { type CostFigures, readCount, readFigures } from '../cost-figures.ts';
import { type CostFilterField, costFilterFields, type CostFilters, type SpendSource } from '../cost-query.ts';
import { filterConditions, filterParameters } from '../filter-conditions.ts';
import { isLabelField, type LabelField, labelValueSql } from '../label-fields.ts';
import { boundParameters, piecesOf } from '../spend-pieces.ts';
import { type SpendPiece, spendParts, spendRowsSql } from '../spend-rows.ts';
import { type BoundSql, rollupsFor, sourceOf } from '../usage-queries.ts';

/*
 * How spend is spread over names: the most expensive ones, and what a share of the names makes of the whole. One statement gives
 * both, so that they are of the same records: names are placed by their cost, and the sums are over places.
 */

/** What spend can be ranked by, besides labels. */
export const rankedFields = [...costFilterFields, 'item', 'message'] as const;
export type RankedField = (typeof rankedFields)[number] | LabelField;

/** The most expensive parts of the names that are told, in percent. */
export const rankedPercents = [1, 5, 10, 20, 50] as const;

export interface ConcentrationQuestion {
  readonly by: RankedField;
  readonly from: Date;
  readonly to: Date;
  readonly filters: CostFilters;
  /** Names that are listed. */
  readonly top: number;
}

export interface RankedName extends CostFigures {
  readonly name: string;
}

/** The most expensive names, so many percent of them. */
export interface RankedPart {
  readonly percent: (typeof rankedPercents)[number];
  /** Rounded up, so that it is one name at least. */
  readonly names: number;
  readonly costUsd: CostFigures['costUsd'];
}

export interface Concentration {
  readonly total: CostFigures;
  /** Different names that have records. */
  readonly names: number;
  /** The most expensive first. */
  readonly top: readonly RankedName[];
  readonly parts: readonly RankedPart[];
  /** What belongs to no name: it is in the total, and in no part. */
  readonly unnamed: CostFigures;
  readonly source: SpendSource;
}

const noMessage = "toUUID('00000000-0000-0000-0000-000000000000')";
const sums = spendSumNames.map((name) => `sum(part_${name}) AS name_${name}`);
const totals = spendSumNames.map((name) => `sum(name_${name}) AS total_${name}`);
const unnamed = spendSumNames.map((name) => `sumIf(name_${name}, name = '') AS unnamed_${name}`);
const parts = rankedPercents.map(
  (percent) =>
    `sumIf(name_cost, name != '' AND place <= intDiv(names * ${percent} + 99, 100)) AS percent_${percent}_cost`,
);

export class ConcentrationQuery {
  readonly #question: ConcentrationQuestion;
  readonly #pieces: readonly SpendPiece[];

  constructor(question: ConcentrationQuestion) {
    const { by, filters } = question;
    this.#question = question;
    const times = new AnswerTimes({ groupBy: [] });
    const rollups =
      isFilterField(by) || isLabelField(by) ? rollupsFor({ groupBy: [by], filters }, times) : [];
    this.#pieces = piecesOf(question, { rollups, times });
  }

  toSql(database: string): BoundSql {
    const { by, filters, top } = this.#question;
    const column = isFilterField(by) ? by : 'ranked_name';
    const rows = spendRowsSql({
      table: `${database}.usage`,
      columns: isFilterField(by) ? [by] : [],
      expressions: isFilterField(by) ? {} : { ranked_name: valueOf(by) },
      aggregates: spendParts(spendSumNames),
      pieces: this.#pieces,
      conditions: filterConditions(filters),
    });
    const sql = `SELECT grouping(shown_place) AS is_total, shown_place, any(name) AS first_name,
  ${totals.join(', ')},
  countIf(name != '') AS name_count,
  ${unnamed.join(', ')},
  ${parts.join(', ')}
FROM (
  SELECT *, if(name = '', 0, least(place, ${top + 1})) AS shown_place FROM (
    SELECT *, row_number() OVER (PARTITION BY name = '' ORDER BY name_cost DESC, name ASC) AS place,
      count() OVER (PARTITION BY name = '') AS names
    FROM (
      SELECT toString(${column}) AS name, ${sums.join(', ')} FROM (
${rows}
      ) GROUP BY name
    )
  )
)
GROUP BY GROUPING SETS ((shown_place), ())
ORDER BY is_total DESC, shown_place`;
    return { sql, parameters: { ...boundParameters(this.#question), ...filterParameters(filters) } };
  }

  read(rows: readonly Readonly<Record<string, unknown>>[]): Concentration {
    const { top } = this.#question;
    const totalRow = rows.find((row) => Number(row['is_total']) === 1) ?? {};
    const names = readCount(totalRow, 'name_count');
    const ranked = rows.filter((row) => {
      const place = Number(row['shown_place']);
      return Number(row['is_total']) !== 1 && place >= 1 && place <= top;
    });
    return {
      total: readFigures(totalRow),
      names,
      top: ranked.map((row) => ({ name: String(row['first_name']), ...readFigures(row) })),
      parts: rankedPercents.map((percent) => ({
        percent,
        names: Math.ceil((names * percent) / 100),
        costUsd: readFigures({ total_cost: totalRow[`percent_${percent}_cost`] }).costUsd,
      })),
      unnamed: readFigures(totalRow, { prefix: 'unnamed' }),
      source: sourceOf(this.#pieces),
    };
  }
}

function isFilterField(field: RankedField): field is CostFilterField {
  return costFilterFields.some((name) => name === field);
}

/** A name in a row of `usage` that is no column of reports. */
function valueOf(field: Exclude<RankedField, CostFilterField>): string {
  if (isLabelField(field)) return labelValueSql(field);
  return field === 'item' ? 'item' : `if(message_id = ${noMessage}, '', toString(message_id))`;
}
