/* How the questions about costs are asked by a key of one team: for its own, and for what belongs to the team "amber". */

export interface Ask {
  readonly path?: string;
  readonly query?: string;
  readonly body?: object;
  readonly accept?: string;
}

const filters = ['customer', 'feature', 'batch', 'pipeline', 'stage', 'provider', 'model', 'via'] as const;
const groups = ['team', ...filters, 'waste', 'day', 'hour', 'week', 'month'] as const;

/** By the operations of the OpenAPI document. */
export const costAsks = (period: string): Readonly<Record<string, readonly Ask[]>> => ({
  getCosts: [
    { query: period },
    ...groups.map((group) => ({ query: `${period}&group_by=${group}` })),
    { query: `${period}&group_by=team,customer,model,day` },
    { query: `${period}&group_by=customer`, accept: 'text/csv' },
    { query: `${period}&group_by=team&compare=previous&messages=exact` },
    { query: `${period}&team=amber` },
    { query: `${period}&team=teal,amber&group_by=team` },
    { query: `${period}&team=teal&team=amber&group_by=team` },
    ...filters.map((name) => ({ query: `${period}&${name}=amber-${name}&group_by=${name}` })),
    { query: `${period}&group_by=label:region` },
    { query: `${period}&group_by=team,label:region&label:region=amber-region` },
  ],
  getCostConcentration: [
    ...['team', ...filters, 'item', 'message', 'label:region'].map((by) => ({ query: `${period}&by=${by}` })),
    { query: `${period}&by=customer&team=amber` },
  ],
  getCostAnomalies: [
    ...['team', ...filters, 'label:region'].map((by) => ({ query: `${period}&by=${by}&threshold=1` })),
    { query: `${period}&team=amber` },
  ],
  getCostSavings: [{ query: period }, { query: `${period}&team=amber` }],
  getCostForecast: [
    {},
    { query: 'team=amber' },
    ...filters.map((name) => ({ query: `${name}=amber-${name}` })),
  ],
  getStatement: [
    {},
    { query: 'team=amber' },
    { query: 'team=teal', accept: 'text/csv' },
    { query: 'team=teal', accept: 'text/html' },
  ],
  getFocus: [
    { query: period },
    { query: `${period}&granularity=hour&token_details=true` },
    { query: `${period}&team=amber` },
    ...filters.map((name) => ({ query: `${period}&${name}=amber-${name}` })),
  ],
});
