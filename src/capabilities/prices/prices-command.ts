import { type Command, InvalidArgumentError } from 'commander';
import { priceProviderOfKind } from '../../engine/providers/provider-kinds.ts';
import type { PriceQuestion } from '../../pricing/price.ts';
import { catalogueProviders, providerAliases } from '../../pricing/provider-names.ts';
import { type Bind, type CommandContext, exitCodes, print, tell } from '../../terminal/command-context.ts';
import { renderTable } from '../../terminal/text-table.ts';
import type { PriceSettings } from './command-prices.ts';
import { addOverrideCommands } from './overrides/overrides-command.ts';
import { addRefreshCommand } from './refresh/refresh-command.ts';
import { addRepriceCommand } from './reprice/reprice-command.ts';
import { isUuid } from '../../kernel/ids.ts';
import { priceDocument, priceText } from './price-text.ts';
import { costText, type UsedKind, usedKindOf } from './explained-cost.ts';

interface ExplainOptions {
  readonly config?: string;
  readonly data?: string;
  readonly at?: Date;
  readonly tier: string;
  readonly geography?: string;
  readonly batch?: boolean;
  readonly use?: readonly UsedKind[];
  readonly json?: boolean;
}

interface ListOptions {
  readonly config?: string;
  readonly provider?: string;
  readonly json?: boolean;
}

type PricesContext = CommandContext<PriceSettings>;

/** `millrace prices`: which price a call is given, whose prices are known, and whether the own ones are in order. */
export function addPricesCommand(program: Command, context: PricesContext, bind: Bind): void {
  const prices = program
    .command('prices')
    .description('the price in force for a model, and where it comes from');
  prices
    .command('explain', { isDefault: true })
    .description(
      'the rules that make the price of a model, with their sources; or the arithmetic of one call',
    )
    .argument(
      '<provider/model | call id>',
      'as in ctx.model(), or as "millrace messages show" shows calls',
      subjectOf,
    )
    .option('--at <time>', 'the price at this time instead of now', timeOf)
    .option('--tier <name>', 'service tier', 'default')
    .option('--geography <name>', 'where the provider served it, such as us')
    .option('--batch', "through the provider's batch endpoint")
    .option('--use <kind=count>', 'tokens or uses to price, such as text_output=1200; repeatable', collectUse)
    .option('--config <file>', 'JSON configuration file (for a price overlay)')
    .option('--data <directory>', 'data directory of an embedded installation (for a call)')
    .option('--json', 'one JSON object')
    .action(
      bind((subject: ModelReference | CallReference, options: ExplainOptions) =>
        'callId' in subject
          ? explainCall(context, subject.callId, options)
          : explain(context, subject, options),
      ),
    );
  prices
    .command('list')
    .description('the providers with prices, and the names that mean them')
    .option('--json', 'one JSON object')
    .action(bind((options: ListOptions) => list(context, options)));
  prices
    .command('check')
    .description('check your own prices: what is wrong, and what is no longer in force')
    .option('--config <file>', 'JSON configuration file (for a price overlay)')
    .action(bind((options: ListOptions) => check(context, options)));
  addRepriceCommand(prices, context, bind);
  addOverrideCommands(prices, context, bind);
  addRefreshCommand(prices, context, bind);
}

interface ModelReference {
  readonly provider: string;
  readonly model: string;
}

interface CallReference {
  readonly callId: string;
}

async function explain(
  context: PricesContext,
  { provider, model }: ModelReference,
  { config, at = context.clock.now(), tier, batch = false, geography, use = [], json }: ExplainOptions,
): Promise<number> {
  const { book, settings } = await openBook(context, config);
  const follows = priceProviderOfKind(provider, settings.models.providers[provider] ?? {});
  const question: PriceQuestion = {
    provider: follows,
    model,
    at,
    tier,
    batch,
    ...(geography === undefined ? {} : { geography }),
  };
  const price = book.findPrice(question);
  if (price === undefined) {
    const pricing = book.price(question, {});
    tell(
      context,
      `No price is known for ${provider}/${model}; calls to it are kept as unpriced, never as 0.${pricing.kind === 'unpriced' ? ` Reason: ${pricing.reason}.` : ''}`,
    );
    return exitCodes.failed;
  }
  if (json === true) print(context, JSON.stringify(priceDocument(price, book.version), undefined, 2));
  else print(context, priceText(price, book.version));
  if (use.length === 0 || json === true) return exitCodes.ok;
  print(context, `\n${costText(book.price(question, ...usedOf(use)), price, use)}`);
  return exitCodes.ok;
}

async function explainCall(
  context: PricesContext,
  id: string,
  { config, data, json }: ExplainOptions,
): Promise<number> {
  const { withCallPrices } = await import('./command-prices.ts');
  const { callPriceText } = await import('./call-price/call-price-text.ts');
  const stores = { ...(config === undefined ? {} : { config }), ...(data === undefined ? {} : { data }) };
  const call = await withCallPrices(await context.installation(stores), (prices) => prices.explain(id, {}));
  print(context, json === true ? JSON.stringify(call, undefined, 2) : callPriceText(call));
  return exitCodes.ok;
}

function usedOf(use: readonly UsedKind[]) {
  const of = (isUnit: boolean): Record<string, number> =>
    Object.fromEntries(use.filter((used) => used.isUnit === isUnit).map(({ kind, count }) => [kind, count]));
  return [of(false), { units: of(true) }] as const;
}

async function list(context: PricesContext, { json }: ListOptions): Promise<number> {
  const rows = catalogueProviders.map((provider) => ({
    provider,
    names: Object.entries(providerAliases)
      .filter(([, id]) => id === provider)
      .map(([name]) => name),
  }));
  if (json === true) print(context, JSON.stringify({ providers: rows }, undefined, 2));
  else {
    print(
      context,
      renderTable(
        [{ title: 'provider' }, { title: 'also named' }],
        rows.map(({ provider, names }) => [provider, names.join(', ')]),
      ),
    );
  }
  return await Promise.resolve(exitCodes.ok);
}

async function check(context: PricesContext, { config }: ListOptions): Promise<number> {
  const { book, overlay } = await openBook(context, config);
  print(context, `The price book is ${book.version}: ${book.catalogueNames.join(', ')}.`);
  const faults = overlay === undefined ? [] : overlay.pastEntries(context.clock.now());
  for (const fault of faults) tell(context, fault);
  if (faults.length > 0) return exitCodes.failed;
  print(context, overlay === undefined ? 'There are no own prices.' : 'The own prices are in order.');
  return exitCodes.ok;
}

async function openBook(context: PricesContext, config: string | undefined) {
  const { bookOf } = await import('./command-prices.ts');
  const { settings } = await context.installation(config === undefined ? {} : { config });
  return { ...(await bookOf(settings)), settings };
}

/** A call is named by its id, a model by its provider. */
function subjectOf(text: string): ModelReference | CallReference {
  return isUuid(text) ? { callId: text } : modelReference(text);
}

function modelReference(text: string): ModelReference {
  const slash = text.indexOf('/');
  if (slash < 1 || slash === text.length - 1) throw new InvalidArgumentError('Write it as provider/model.');
  return { provider: text.slice(0, slash), model: text.slice(slash + 1) };
}

function timeOf(text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime()))
    throw new InvalidArgumentError('Write it as 2026-03-01 or 2026-03-01T12:00:00Z.');
  return time;
}

function collectUse(text: string, before: readonly UsedKind[] = []): readonly UsedKind[] {
  const used = usedKindOf(text);
  if (typeof used === 'string') throw new InvalidArgumentError(used);
  return [...before, used];
}
