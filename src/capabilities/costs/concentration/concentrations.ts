import type { CallerView } from '../../../http/api-key-identity.ts';
import { formatUsd, ratioText, zeroUsd } from '../../../kernel/money.ts';
import type { CostReports } from '../cost-reports.ts';
import { plainFigures } from '../reported-figures.ts';
import type { ConcentrationDocument, ConcentrationRequest } from './concentration-document.ts';
import { ConcentrationQuery } from './concentration-query.ts';

/** How the viewer's spend is spread over names. Throws as CostReports does. */
export async function readConcentration(
  reports: CostReports,
  request: ConcentrationRequest,
  viewer: CallerView,
): Promise<ConcentrationDocument> {
  const { from, to, timeZone, by } = request;
  // Measured first, as reports do.
  const lag = await reports.exportLagSeconds();
  const rows = await reports.rows(
    (filters, database) => new ConcentrationQuery({ ...request, filters }).toSql(database),
    request.filters,
    viewer,
  );
  const { total, names, top, parts, unnamed, source } = new ConcentrationQuery(request).read(rows);
  const shareOf = (amount: typeof total.costUsd): { share?: string } => {
    const share = ratioText(amount, total.costUsd);
    return share === undefined ? {} : { share };
  };
  let sum = zeroUsd;
  return {
    from: from.toISOString(),
    to: to.toISOString(),
    timeZone,
    by,
    currency: 'USD',
    totals: plainFigures(total),
    names,
    top: top.map((ranked) => {
      sum = sum.plus(ranked.costUsd);
      const cumulativeShare = ratioText(sum, total.costUsd);
      return {
        name: ranked.name,
        ...plainFigures(ranked),
        ...shareOf(ranked.costUsd),
        ...(cumulativeShare === undefined ? {} : { cumulativeShare }),
      };
    }),
    parts: parts.map(({ costUsd, ...part }) => ({
      ...part,
      costUsd: formatUsd(costUsd),
      ...shareOf(costUsd),
    })),
    unnamed: plainFigures(unnamed),
    source,
    ...(lag === undefined ? {} : { exportLagSeconds: lag }),
  };
}
