import { type Command, InvalidArgumentError } from 'commander';
import { formatUsd } from '../kernel/money.ts';
import type { Price } from '../pricing/price.ts';
import { tokenClasses } from '../pricing/token-classes.ts';
import { type Bind, type CommandContext, exitCodes, print, tell } from '../terminal/command-context.ts';
import { configurationOf } from './configuration-of.ts';
import { renderTable } from '../terminal/text-table.ts';

interface PricesOptions {
  readonly config?: string;
  readonly at?: Date;
  readonly tier: string;
  readonly batch?: boolean;
  readonly json?: boolean;
}

/** `millrace prices`: which price a call is given. */
export function addPricesCommand(program: Command, context: CommandContext, bind: Bind): void {
  program
    .command('prices')
    .description('the price in force for a model, and where it comes from')
    .argument('<provider/model>', 'as in ctx.model()', modelReference)
    .option('--at <time>', 'the price at this time instead of now', timeOf)
    .option('--tier <name>', 'service tier', 'default')
    .option('--batch', "through the provider's batch endpoint")
    .option('--config <file>', 'JSON configuration file (for a price overlay)')
    .option('--json', 'one JSON object')
    .action(
      bind((reference: ModelReference, options: PricesOptions) => showPrice(context, reference, options)),
    );
}

interface ModelReference {
  readonly provider: string;
  readonly model: string;
}

async function showPrice(
  context: CommandContext,
  { provider, model }: ModelReference,
  { config, at = context.clock.now(), tier, batch = false, json }: PricesOptions,
): Promise<number> {
  const [{ readOverlayFile }, { packagedPriceBook }] = await Promise.all([
    import('../pricing/overlay.ts'),
    import('../pricing/packaged-price-book.ts'),
  ]);
  const { models } = configurationOf(context, config === undefined ? {} : { config });
  const overlay = models.priceOverlay;
  const book = packagedPriceBook(overlay === undefined ? {} : { overlay: await readOverlayFile(overlay) });
  const follows = models.providers[provider]?.priceProvider ?? provider;
  const price = book.findPrice({ provider: follows, model, at, tier, batch });
  if (price === undefined) {
    tell(
      context,
      `No price is known for ${provider}/${model}; calls to it are kept as unpriced, never as 0.`,
    );
    return exitCodes.failed;
  }
  print(context, json === true ? JSON.stringify(priceDocument(price), undefined, 2) : priceText(price));
  return exitCodes.ok;
}

function priceDocument({ reference, catalogue, rates, usdPerRequest }: Price): Record<string, unknown> {
  const classes = tokenClasses.flatMap((name) => {
    const rate = rates[name];
    if (rate === undefined) return [];
    const tiers = rate.tiers.map(({ aboveInputTokens, usdPerMillion }) => ({
      aboveInputTokens,
      usdPerMillion: formatUsd(usdPerMillion),
    }));
    return [{ class: name, usdPerMillion: formatUsd(rate.usdPerMillion), tiers }];
  });
  return {
    reference,
    catalogue,
    classes,
    ...(usdPerRequest === undefined ? {} : { usdPerRequest: formatUsd(usdPerRequest) }),
  };
}

function priceText({ reference, catalogue, rates, usdPerRequest }: Price): string {
  const rows = tokenClasses.flatMap((name) => {
    const rate = rates[name];
    if (rate === undefined) return [];
    return [
      [name, formatUsd(rate.usdPerMillion), 'any'],
      ...rate.tiers.map((tier) => [name, formatUsd(tier.usdPerMillion), `above ${tier.aboveInputTokens}`]),
    ];
  });
  return [
    reference,
    `from ${catalogue}`,
    '',
    renderTable(
      [{ title: 'token class' }, { title: 'USD per million', align: 'right' }, { title: 'input tokens' }],
      rows,
    ),
    ...(usdPerRequest === undefined ? [] : ['', `and ${formatUsd(usdPerRequest)} USD a request`]),
  ].join('\n');
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
