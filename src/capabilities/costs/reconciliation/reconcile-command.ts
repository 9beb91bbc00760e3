import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { AppError } from '../../../kernel/app-error.ts';
import { parseRequest } from '../../../http/request-faults.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  tell,
  withStoreOptions,
} from '../../../terminal/command-context.ts';
import { operatorName } from '../../../terminal/operator-name.ts';
import { tooLarge } from './bill-text.ts';
import { type BillProvider, billProviders } from './bill.ts';
import { dayStates } from './difference.ts';
import type { ReconcileSettings } from './command-reconciliation.ts';
import {
  reconciliationQuerySchema,
  reconciliationRequestSchema,
  selectionOf,
} from './reconciliation-requests.ts';
import { dayText, listText, reportText } from './reconciliation-text.ts';

interface CompareOptions extends StoreOptions {
  readonly provider: BillProvider;
  readonly file: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly account?: readonly string[];
  readonly key?: readonly string[];
  readonly settle?: boolean;
  readonly actor?: string;
  readonly json?: boolean;
}

interface ListOptions extends StoreOptions {
  readonly provider?: string;
  readonly from?: string;
  readonly to?: string;
  readonly state?: string;
  readonly history?: boolean;
  readonly limit?: string;
  readonly json?: boolean;
}

type ReconcileContext = CommandContext<ReconcileSettings>;

const maxFileBytes = 67_108_864;

/** `millrace reconcile`: a provider's bill beside the ledger. */
export function addReconcileCommand(program: Command, context: ReconcileContext, bind: Bind): void {
  const reconcile = program
    .command('reconcile')
    .description("compare a provider's bill with the ledger, and name every difference");
  withStoreOptions(reconcile.command('bill', { isDefault: true }))
    .description('compare a bill; the exit code is 1 when a difference has no named cause')
    .addOption(
      new Option('--provider <name>', 'whose bill it is').choices(billProviders).makeOptionMandatory(),
    )
    .requiredOption('--file <bill>', 'an exported page of usage or costs; repeat it for more', collected)
    .option('--from <day>', 'first day, in UTC: 2026-03-01; the first of the bill without it')
    .option('--to <day>', 'the day behind the last one')
    .option(
      '--account <provider>',
      'a provider of the configuration that the bill is for; repeatable',
      collected,
    )
    .option('--key <id>', 'a key, project or workspace that only Millrace uses; repeatable', collected)
    .option('--settle', 'settle unsettled calls of which the bill says exactly what they cost')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((options: CompareOptions) => compare(context, options)));
  withStoreOptions(reconcile.command('list'))
    .description('days that were compared, the latest first')
    .option('--provider <name>', `one of ${billProviders.join(', ')}`)
    .option('--from <day>', 'first day, in UTC')
    .option('--to <day>', 'the day behind the last one')
    .option('--state <state>', `one of ${dayStates.join(', ')}`)
    .option('--history', 'with those that later ones took the place of')
    .option('--limit <n>', 'the most days that are shown')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((options: ListOptions) => list(context, options)));
  withStoreOptions(reconcile.command('show'))
    .description('a day that was compared, row by row')
    .argument('<id>', 'the id, as the list shows it')
    .option('--json', 'one JSON object, as the API answers')
    .action(
      bind((id: string, options: StoreOptions & { readonly json?: boolean }) => show(context, id, options)),
    );
}

async function compare(context: ReconcileContext, options: CompareOptions): Promise<number> {
  const { provider, from, to, account = [], key = [], settle = false, actor, json = false } = options;
  const files = await Promise.all(
    options.file.map(async (path) => ({ name: basename(path), text: await textOf(path) })),
  );
  const request = parseRequest(reconciliationRequestSchema, {
    provider,
    files,
    accounts: account,
    keys: key,
    settle,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  });
  const { withReconciliations } = await import('./command-reconciliation.ts');
  const report = await withReconciliations(await context.installation(options), (service) =>
    service.reconcile(request, { actor: operatorName(actor) }),
  );
  if (json) print(context, JSON.stringify(report, undefined, 2));
  else print(context, reportText(report));
  for (const notice of report.notices) tell(context, `Not understood: ${notice}`);
  return report.days.some(({ state }) => state === 'open') ? exitCodes.failed : exitCodes.ok;
}

async function list(context: ReconcileContext, options: ListOptions): Promise<number> {
  const { config: _, data: __, json = false, history, ...parameters } = options;
  const query = parseRequest(reconciliationQuerySchema, {
    ...parameters,
    ...(history === true ? { history: 'true' } : {}),
  });
  const { withReconciliations } = await import('./command-reconciliation.ts');
  const found = await withReconciliations(await context.installation(options), (service) =>
    service.list(selectionOf(query), {}),
  );
  print(context, json ? JSON.stringify(found, undefined, 2) : listText(found));
  return exitCodes.ok;
}

async function show(
  context: ReconcileContext,
  id: string,
  options: StoreOptions & { readonly json?: boolean },
): Promise<number> {
  const { withReconciliations } = await import('./command-reconciliation.ts');
  const found = await withReconciliations(await context.installation(options), (service) =>
    service.show(id, {}),
  );
  print(context, options.json === true ? JSON.stringify(found, undefined, 2) : dayText(found));
  return exitCodes.ok;
}

/** The text of a file, no more than a bill may have. */
async function textOf(path: string): Promise<string> {
  const file = await open(path).catch((cause: unknown) => {
    throw new AppError('MILLRACE_REQUEST_INVALID', `The file ${path} cannot be read.`, {
      cause,
      faults: [{ field: 'file', problem: `${path} cannot be read` }],
    });
  });
  try {
    const { size } = await file.stat();
    if (size > maxFileBytes) throw tooLarge(basename(path), `has more than ${maxFileBytes} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
