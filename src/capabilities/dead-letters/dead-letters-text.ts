import { usd } from '../../kernel/money.ts';
import type {
  DeadLetterDocument,
  DeadLetterList,
  DiscardResult,
  ReplayPlan,
} from './dead-letter-documents.ts';
import {
  formatCount,
  formatCounted,
  renderTable,
  roundedUsd,
  tableDigits,
  type TableColumn,
} from '../../terminal/text-table.ts';

import { itemName } from '../../terminal/item-name.ts';

/* Dead letters for the terminal. */

const right = (title: string): TableColumn => ({ title, align: 'right' });
const left = (title: string): TableColumn => ({ title });

export function listText({ deadLetters, next }: DeadLetterList): string {
  if (deadLetters.length === 0) return 'There are no such dead letters.';
  const columns = [
    ...['id', 'item', 'died', 'stage', 'team', 'customer', 'error'].map(left),
    ...['attempts', 'replays', 'paid USD'].map(right),
  ];
  const rows = deadLetters.map((letter) => [
    letter.id,
    itemName(letter.item),
    letter.diedAt ?? '',
    letter.stage,
    letter.origin.team,
    letter.origin.customer,
    `${letter.errorCode ?? ''}${letter.discarded === undefined ? '' : ' (discarded)'}`,
    formatCount(letter.totalAttempts),
    formatCount(letter.replays),
    roundedUsd(usd(letter.paidUsd)),
  ]);
  return [
    renderTable(columns, rows),
    ...(next === undefined ? [] : ['', `There are more: --after ${next}`]),
  ].join('\n');
}

export function deadLetterText(letter: DeadLetterDocument): string {
  const { origin, discarded } = letter;
  const facts = [
    ['message', letter.id],
    [
      'state',
      `${letter.state}${letter.errorCode === undefined ? '' : ` by ${letter.errorCode}`}${letter.diedAt === undefined ? '' : ` at ${letter.diedAt}`}`,
    ],
    ['discarded', discarded === undefined ? '' : `at ${discarded.at} by ${discarded.by}`],
    ['stage', `${letter.stage} of ${letter.pipeline}, owned by ${letter.owner}`],
    [
      'origin',
      [
        `team ${origin.team}`,
        `customer ${origin.customer}`,
        `feature ${origin.feature}`,
        ...(origin.batch === undefined ? [] : [`batch ${origin.batch}`]),
      ].join(', '),
    ],
    ['type', `${letter.type} version ${letter.version}`],
    ['item', letter.item],
    ['trace', letter.traceId ?? ''],
    [
      'attempts',
      `${letter.totalAttempts} failed, ${letter.attempts} of them in this life; ${letter.deliveries} deliveries, ${letter.replays} replays`,
    ],
    ['paid', `${letter.paidUsd} USD`],
  ].filter(([, value]) => value !== '');
  const data =
    letter.dataProblem === undefined
      ? JSON.stringify(letter.event, undefined, 2)
      : `${letter.dataProblem.code}: ${letter.dataProblem.message}`;
  return [
    ...facts.map(([name = '', value = '']) => `${name.padEnd(11)}${value}`),
    ...section('Failed attempts and expired leases', failureRows(letter)),
    ...section('Calls', callRows(letter)),
    ...section('What operators did', actionRows(letter)),
    '',
    'Event',
    data,
  ].join('\n');
}

function section(title: string, table: string | undefined): readonly string[] {
  return table === undefined ? [] : ['', title, table];
}

function failureRows({ failures }: DeadLetterDocument): string | undefined {
  if (failures.length === 0) return undefined;
  const rows = failures.map(({ life, fencingToken, at, code, retryable, detail }) => [
    formatCount(life),
    formatCount(fencingToken),
    at,
    code,
    retryable ? 'yes' : 'no',
    reasonOf(detail),
  ]);
  return renderTable(
    [right('life'), right('delivery'), left('at'), left('code'), left('again'), left('why')],
    rows,
  );
}

/** The first line of the error; --json has the whole chain. */
function reasonOf(detail: unknown): string {
  const chain: unknown =
    typeof detail === 'object' && detail !== null && 'chain' in detail ? detail.chain : undefined;
  const first: unknown = Array.isArray(chain) ? chain[0] : undefined;
  if (
    typeof first !== 'object' ||
    first === null ||
    !('message' in first) ||
    typeof first.message !== 'string'
  )
    return '';
  return (first.message.split('\n')[0] ?? '').slice(0, 120);
}

function callRows({ calls }: DeadLetterDocument): string | undefined {
  if (calls.length === 0) return undefined;
  const rows = calls.map((call) => [
    formatCount(call.life),
    `${call.step} ${call.ordinal}.${call.attempt}`,
    `${call.provider}/${call.model}${call.fallbackFrom === undefined ? '' : ` for ${call.fallbackFrom}`}`,
    call.reservedAt,
    [call.state, call.outcome ?? '', call.errorType ?? '', call.cascadeVerdict ?? '']
      .filter((part) => part !== '')
      .join(' '),
    call.isReusable ? 'yes' : 'no',
    call.costUsd ?? '',
  ]);
  return renderTable(
    [right('life'), left('step'), left('model'), left('at'), left('state'), left('reused'), right('USD')],
    rows,
  );
}

function actionRows({ actions }: DeadLetterDocument): string | undefined {
  if (actions.length === 0) return undefined;
  const rows = actions.map(({ at, actor, action, reason, death }) => [
    at,
    actor,
    action,
    `${death.errorCode} at ${death.at}`,
    reason,
  ]);
  return renderTable(['at', 'who', 'what', 'the death then', 'why'].map(left), rows);
}

export function planText(plan: ReplayPlan): string {
  if (plan.count === 0) return 'Nothing would be replayed.';
  const columns = [
    left('stage'),
    left('owner'),
    ...[
      'messages',
      'paid steps',
      'worth USD',
      'may cost USD',
      'at most like the most expensive',
      'sample',
    ].map(right),
  ];
  const cost = (amount: string | undefined): string =>
    amount === undefined ? 'unknown' : roundedUsd(usd(amount));
  const rows = plan.stages.map((stage) => [
    stage.stage,
    stage.owner,
    formatCount(stage.count),
    formatCount(stage.reusableSteps),
    cost(stage.reusableUsd),
    cost(stage.estimatedUsd),
    cost(stage.mostExpensiveUsd),
    formatCount(stage.sampleSize),
  ]);
  return [
    renderTable(columns, rows),
    '',
    `${formatCounted(plan.count, 'message')} would be replayed${plan.hasMore ? ', and there may be more (--max)' : ''}; nothing was changed.`,
    `${formatCounted(plan.reusableSteps, 'paid step is', 'paid steps are')} reused when the same is asked again. Amounts are rounded to ${tableDigits} digits.`,
    ...(plan.estimatedUsd === undefined
      ? ['Where no message of the stage has succeeded with a known price, the cost is not known.']
      : []),
  ].join('\n');
}

export function operatedText(
  done: 'replayed' | 'discarded',
  { count, stages, hasMore, actionId }: DiscardResult,
): string {
  if (actionId === undefined) return `There was nothing to be ${done}.`;
  const rows = stages.map((stage) => [stage.stage, stage.owner, formatCount(stage.count)]);
  return [
    renderTable([left('stage'), left('owner'), right(done)], rows),
    '',
    `${formatCounted(count, 'message was', 'messages were')} ${done}${hasMore ? ', and there may be more (--max)' : ''}. Audit record: ${actionId}`,
  ].join('\n');
}
