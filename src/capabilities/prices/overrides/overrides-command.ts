import { type Command, InvalidArgumentError } from 'commander';
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
import { renderTable } from '../../../terminal/text-table.ts';
import type { PriceSettings } from '../command-prices.ts';
import { type OverrideList, setOverrideSchema, unsetOverrideSchema } from './override-document.ts';
import type { OverrideService } from './override-service.ts';

interface OverrideOptions extends StoreOptions {
  readonly rate?: Readonly<Record<string, string>>;
  readonly multiplier?: string;
  readonly perRequest?: string;
  readonly tier?: string;
  readonly batch?: boolean;
  readonly geography?: string;
  readonly from?: string;
  readonly until?: string;
  readonly source?: string;
  readonly entirely?: boolean;
  readonly reason?: string;
  readonly actor?: string;
  readonly json?: boolean;
}

type Context = CommandContext<PriceSettings>;

/** `millrace prices set`, `unset` and `overrides`: prices that hold in all running processes. */
export function addOverrideCommands(prices: Command, context: Context, bind: Bind): void {
  withStoreOptions(prices.command('overrides'))
    .description('the prices that operators have set')
    .option('--json', 'one JSON object, as the API answers')
    .action(bind((options: OverrideOptions) => list(context, options)));
  withOperation(prices.command('set'))
    .description('set a price in all running processes; own prices of the configuration come before it')
    .argument('<provider/model>', 'as in a price overlay: exact, a prefix ("gpt-5*") or "*"')
    .option(
      '--rate <class=usd>',
      'dollars per million tokens, such as text_output=1.25; repeatable',
      collectRate,
    )
    .option('--multiplier <factor>', 'a factor on the standard price of the lists')
    .option('--per-request <usd>', 'a fixed amount for each request')
    .option('--tier <name>', 'service tier; the standard one without it')
    .option('--batch', "through the provider's batch endpoint")
    .option('--geography <name>', 'where the provider serves it, such as us')
    .option('--from <time>', 'the first moment: a date or a UTC time; always without it')
    .option('--until <time>', 'the end, excluded; for good without it')
    .option('--source <text>', 'where the figures stand')
    .action(bind((model: string, options: OverrideOptions) => set(context, model, options)));
  withOperation(prices.command('unset'))
    .description('let a price that was set hold no more from now on')
    .argument('<id>', 'the id of the override, as "millrace prices overrides" shows it')
    .option('--entirely', 'as if it had never held, also when calls are priced anew')
    .action(bind((id: string, options: OverrideOptions) => unset(context, id, options)));
}

function withOperation(command: Command): Command {
  return withStoreOptions(command)
    .option('--reason <text>', 'why (required); it stands in the audit')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object, as the API answers');
}

async function list(context: Context, options: OverrideOptions): Promise<number> {
  const found = await withService(context, options, (service) => service.list());
  print(context, options.json === true ? JSON.stringify(found, undefined, 2) : overridesText(found));
  return exitCodes.ok;
}

async function set(context: Context, name: string, options: OverrideOptions): Promise<number> {
  const slash = name.indexOf('/');
  const { rate, multiplier, perRequest, tier, batch, geography, from, until, source, reason, actor } =
    options;
  const given = {
    rates: rate,
    multiplier,
    usdPerRequest: perRequest,
    tier,
    batch,
    geography,
    from,
    until,
    source,
  };
  const order = parseRequest(setOverrideSchema, {
    price: {
      provider: name.slice(0, Math.max(0, slash)),
      model: name.slice(slash + 1),
      ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    },
    reason,
  });
  const override = await withService(context, options, (service) =>
    service.set(order.price, order.reason, { actor: operatorName(actor) }),
  );
  print(
    context,
    options.json === true
      ? JSON.stringify(override, undefined, 2)
      : overridesText({ overrides: [override], unreadable: [] }),
  );
  tell(
    context,
    'Running processes follow within two seconds. Calls of before keep their cost: "millrace prices reprice".',
  );
  return exitCodes.ok;
}

async function unset(context: Context, id: string, options: OverrideOptions): Promise<number> {
  const { reason, entirely } = parseRequest(unsetOverrideSchema, {
    reason: options.reason,
    entirely: String(options.entirely ?? false),
  });
  const left = await withService(context, options, (service) =>
    service.unset(id, { reason, entirely: entirely === 'true' }, { actor: operatorName(options.actor) }),
  );
  print(context, options.json === true ? JSON.stringify(left, undefined, 2) : overridesText(left));
  tell(context, 'Running processes follow within two seconds.');
  return exitCodes.ok;
}

function overridesText({ overrides, unreadable }: OverrideList): string {
  if (overrides.length + unreadable.length === 0) return 'No price is set.';
  return renderTable(
    [
      { title: 'id' },
      { title: 'model' },
      { title: 'price' },
      { title: 'from' },
      { title: 'until' },
      { title: 'state' },
      { title: 'by' },
      { title: 'reason' },
    ],
    [
      ...overrides.map(
        ({ id, price: { provider, model, from = 'always', until = '', ...price }, state, actor, reason }) => [
          id,
          `${provider}/${model}`,
          JSON.stringify(price),
          from,
          until,
          state.replaceAll('_', ' '),
          actor,
          reason,
        ],
      ),
      ...unreadable.map(({ id, problem, actor, reason }) => [
        id,
        '',
        problem,
        '',
        '',
        'unreadable',
        actor,
        reason,
      ]),
    ].map((row) => row.map((cell) => cell.replaceAll(/\s+/gu, ' '))),
  );
}

function collectRate(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [name, amount, ...rest] = text.split('=');
  if (name === undefined || name === '__proto__' || amount === undefined || rest.length > 0)
    throw new InvalidArgumentError('Write it as class=dollars, such as text_output=1.25.');
  return { ...before, [name]: amount };
}

async function withService<Result>(
  context: Context,
  options: StoreOptions,
  work: (service: OverrideService) => Promise<Result>,
): Promise<Result> {
  const { withOverrideService } = await import('../command-prices.ts');
  return withOverrideService(await context.installation(options), work);
}
