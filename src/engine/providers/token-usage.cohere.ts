import { unitsOfUsage } from './usage-counts.ts';
import { type JsonRecord, numberIn, recordIn, type ReportedUsage, splitTotal } from './token-usage.ts';

/*
 * Cohere's usage: `billed_units` is what is billed, `tokens` what the model worked on, with the provider's own words around the
 * request in it. Where only the latter is reported it is taken, and marked.
 */

/** The disjoint classes of a Cohere answer. */
export function cohereUsage(raw: JsonRecord): ReportedUsage {
  const faults: string[] = [];
  const billed = recordIn(raw, 'billed_units');
  const worked = recordIn(raw, 'tokens') ?? raw;
  const told = (name: string): number | undefined => {
    const count = numberIn(billed, name);
    if (count !== undefined || billed === undefined) return count ?? numberIn(worked, name);
    return 0;
  };
  if (billed === undefined)
    faults.push('billed units are missing: the tokens that the model worked on are taken');
  const units = unitsOfUsage(raw);
  return {
    input: splitTotal('input', told('input_tokens'), {}, 'uncached_input', faults),
    output: splitTotal('output', told('output_tokens'), {}, 'text_output', faults),
    ...(Object.keys(units).length === 0 ? {} : { units }),
    faults,
  };
}
